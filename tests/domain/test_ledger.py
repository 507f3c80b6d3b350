"""Postings: every movement is one transfer between two accounts, so that debits equal credits in any sum of them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.errors import BrokenInvariant
from eci_payments.domain.ids import MerchantId
from eci_payments.domain.ledger import (
    _POSTINGS,
    EXTERNAL,
    Movement,
    gateway_account,
    payable_account,
    posting,
)

movements = st.lists(
    st.tuples(
        st.sampled_from(list(Movement)),
        st.sampled_from([gateway_account("a"), gateway_account("b"), EXTERNAL]),
        st.integers(1, 2**53 - 1),
        st.sampled_from(["INR", "JPY"]),
    )
)


@given(movements)
def test_debits_equal_credits_per_currency(history):
    balances: Counter[tuple[str, str]] = Counter()
    for movement, holder, amount, code in history:
        entry = posting(movement, MerchantId(3), holder, amount, code)
        assert entry.debit_account != entry.credit_account
        balances[entry.debit_account, code] += amount
        balances[entry.credit_account, code] -= amount
    for code in ("INR", "JPY"):
        assert sum(amount for (_, unit), amount in balances.items() if unit == code) == 0


# Our own money moved from one place to another has no sign here.
# Disputes and what was overpaid are assets that have a minus where the others owe: money that is not with the holder.
# movement         | what the holder has | what we owe the merchant | unapplied | overpaid | disputes
EFFECTS = """
captured           | +                   | +                        |           |          |
refunded           | -                   | -                        |           |          |
arrived_late       | +                   |                          | +         |          |
returned           | -                   |                          | -         |          |
applied            |                     | +                        | -         |          |
overpaid           | -                   |                          |           | -        |
remitted           |                     |                          |           |          |
dispute_opened     | -                   |                          |           |          | -
dispute_won        | +                   |                          |           |          | +
dispute_lost       |                     | -                        |           |          | +
dispute_reinstated | +                   | +                        |           |          |
dispute_withdrawn  | -                   | -                        |           |          |
"""
CASES = [[cell.strip() for cell in line.split("|")] for line in EFFECTS.strip().splitlines()]


@pytest.mark.parametrize(("movement", "holder", "payable", "unapplied", "overpaid", "disputes"), CASES)
def test_what_each_movement_does(movement, holder, payable, unapplied, overpaid, disputes):
    """Assets (what a holder has) grow by debit; what we owe grows by credit."""
    entry = posting(Movement(movement), MerchantId(3), "holder", 5, "INR")
    grown = {entry.debit_account: 5, entry.credit_account: -5}
    sign = {"+": 5, "-": -5, "": 0}
    assert grown.get("holder", 0) == sign[holder]
    assert -grown.get(payable_account(MerchantId(3)), 0) == sign[payable]
    assert -grown.get("unapplied", 0) == sign[unapplied]
    assert -grown.get("overpaid", 0) == sign[overpaid]
    assert -grown.get("disputes", 0) == sign[disputes]


def test_the_table_names_every_movement():
    assert {case[0] for case in CASES} == set(Movement) == set(_POSTINGS)


@given(st.integers(max_value=0))
def test_nothing_is_no_movement(amount):
    with pytest.raises(BrokenInvariant):
        posting(Movement.CAPTURED, MerchantId(1), EXTERNAL, amount, "INR")
