"""The states of a payment: a closed table, one doorway, and amounts that keep their law through every move."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.audit import AuditEntry
from eci_payments.domain.errors import BrokenInvariant
from eci_payments.domain.events import ENTERED, event_data
from eci_payments.domain.ids import MerchantId, OrderId, PaymentId, TransactionId, UserId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.money import currency, major_units
from eci_payments.domain.payment import CAPTURED, MOVES, RETRYABLE, UNPAID, Payment, PaymentStatus, moved
from eci_payments.operations.draft import FACTS, audit_state

S = PaymentStatus
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def payment(status=S.PENDING, **fields):
    values: dict[str, Any] = {
        "merchant_id": MerchantId(1), "payment_id": PaymentId(1), "order_id": OrderId("42"), "user_id": UserId("u-7"),
        "transaction_id": TransactionId("TXN"), "method": PaymentMethod.UPI, "currency": "INR", "amount_minor": 10000,
        "reference": "REF", "capture": True, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return Payment(status=status, **(values | fields))


# From each state (rows), where a payment may go (columns): x goes, = stays, . is refused.
TABLE = """
                    PENDING PROCESSING REQUIRES_ACTION AUTHORIZED COMPLETED PARTIALLY_REFUNDED REFUNDED FAILED CANCELLED
PENDING             =       x          .               .          x         .                  .        x      x
PROCESSING          .       =          x               x          x         .                  .        x      x
REQUIRES_ACTION     .       x          =               x          x         .                  .        x      x
AUTHORIZED          .       .          .               =          x         .                  .        .      x
COMPLETED           .       .          .               .          =         x                  x        .      .
PARTIALLY_REFUNDED  .       .          .               .          .         =                  x        .      .
REFUNDED            .       .          .               .          .         .                  =        .      .
FAILED              x       x          .               .          x         .                  .        =      .
CANCELLED           x       x          .               .          x         .                  .        .      =
"""
HEAD, *LINES = [line.split() for line in TABLE.strip().splitlines()]
VERDICTS = {(S(name), S(to)): verdict for name, *row in LINES for to, verdict in zip(HEAD, row, strict=True)}


def test_the_table_names_every_pair():
    assert set(VERDICTS) == set(product(S, S))
    assert set(MOVES) == set(S)


@pytest.mark.parametrize(("one", "to"), list(product(S, S)))
def test_every_pair_of_states(one, to):
    if VERDICTS[one, to] == ".":
        with pytest.raises(BrokenInvariant, match="cannot move"):
            moved(payment(one), to, NOW)
        return
    after = moved(payment(one), to, NOW)
    assert (after.status, after.version) == (to, 2)


def test_every_state_is_entered_by_an_event_and_sorted_once():
    assert set(ENTERED) == set(S)
    assert not RETRYABLE & CAPTURED
    assert RETRYABLE < UNPAID


amounts = st.integers(-5, 20)


@given(amounts, amounts, amounts, amounts, amounts)
def test_amounts_keep_their_law_or_the_move_is_refused(authorized, captured, refunded, pending, unapplied):
    fields = {
        "amount_authorized_minor": authorized,
        "amount_captured_minor": captured,
        "amount_refunded_minor": refunded,
        "amount_refund_pending_minor": pending,
        "amount_unapplied_minor": unapplied,
    }
    lawful = (
        0 <= captured <= authorized
        and refunded >= 0
        and pending >= 0
        and refunded + pending <= captured
        and unapplied >= 0
    )
    if not lawful:
        with pytest.raises(BrokenInvariant):
            moved(payment(S.COMPLETED), S.COMPLETED, NOW, **fields)
        return
    after = moved(payment(S.COMPLETED), S.COMPLETED, NOW, **fields)
    assert after.refundable_minor >= 0
    assert after.capturable_minor >= 0
    assert (
        after.refundable_minor + after.amount_refunded_minor + after.amount_refund_pending_minor == captured
    )


@given(st.timedeltas(timedelta(-400), timedelta(400)))
def test_time_of_change_never_goes_back(step):
    after = moved(payment(), S.PROCESSING, NOW + step)
    assert after.updated_at == max(NOW, NOW + step)


@given(
    st.sampled_from(["INR", "JPY", "KWD", "CLF"]),
    st.integers(1, 2**53 - 1),
    st.sampled_from(sorted(S)),
    st.one_of(st.none(), st.sampled_from(sorted(S))),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_an_event_is_plain_json_of_the_payment_as_it_is(code, minor, status, earlier, metadata):
    after = payment(
        status, currency=code, amount_minor=minor, amount_authorized_minor=minor, metadata=metadata, version=7
    )
    before = None if earlier is None else replace(after, status=earlier)
    data = event_data(before, after, "why")
    assert data["amount"] == data["amount_authorized"] == str(major_units(minor, currency(code)))
    assert data["amount_captured"] == str(major_units(0, currency(code)))
    assert (data["status"], data["previous_status"]) == (status.value, earlier and earlier.value)
    assert (data["order_id"], data["user_id"], data["reason"]) == (42, "u-7", "why")
    assert all(type(value) in {str, int, dict, type(None)} for value in data.values())


def test_the_audit_trail_keeps_every_amount_and_the_state():
    facts = dict.fromkeys(FACTS, 1)
    assert not set(FACTS) & set(audit_state(payment())), (
        "what a gateway did without us is kept where there is any"
    )
    state = audit_state(replace(payment(), **facts))
    amounts_of_payment = {name for name in Payment.__dataclass_fields__ if name.endswith("_minor")}
    assert amounts_of_payment <= set(state)
    assert {"status", "processing_reason", "currency", "attempt", "version", "payment_method"} <= set(state)
    assert "before" in AuditEntry.__dataclass_fields__
