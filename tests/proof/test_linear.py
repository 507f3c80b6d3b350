"""The checker of histories: it takes what one order explains, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.linear.checker import NEVER, Step, explain
from proof.linear.model import Call, Payment, Seen, history

ROOM = Path(__file__).resolve().parents[2] / "tools" / "proof" / "linear"
PAID = Seen("COMPLETED", 10000, 0, 0)


def call(number, what, begun, ended, status=200, code="", seen=None, amount=10000, **fields):
    return Call(
        number=number,
        what=what,
        begun=begun,
        ended=ended,
        status=status,
        code=code,
        seen=seen,
        amount=amount,
        **fields,
    )


def holds(*calls):
    return explain(history(calls), Payment()).holds


def charged(begun=0, ended=1, number=0):
    return call(number, "charge", begun, ended, 201, seen=PAID)


def refund(number, begun, ended, amount, refunded, refunding=0):
    status = "REFUNDED" if refunded == 10000 else "PARTIALLY_REFUNDED"
    return call(number, "refund", begun, ended, seen=Seen(status, 10000, refunded, refunding), amount=amount)


def test_two_charges_of_one_order_cannot_both_be_paid():
    assert holds(charged(0, 3, 0), call(1, "charge", 1, 2, 409, "order_in_progress"))
    assert holds(charged(0, 2, 0), call(1, "charge", 3, 4, 409, "order_already_paid"))
    assert not holds(charged(0, 3, 0), charged(1, 2, 1))
    assert not holds(charged(0, 2, 0), call(1, "charge", 3, 4, 409, "order_in_progress"))


def test_refunds_beyond_what_was_captured_cannot_be():
    assert holds(
        charged(),
        refund(1, 2, 5, 6000, 6000),
        call(2, "refund", 3, 4, 422, "amount_exceeds_refundable", amount=6000),
    )
    assert not holds(charged(), refund(1, 2, 5, 6000, 6000), refund(2, 3, 6, 6000, 12000))


def test_a_read_shows_what_was_acknowledged_before_it_began():
    stale = call(1, "read", 2, 3, seen=Seen("PROCESSING", 0, 0, 0), amount=0)
    assert not holds(charged(0, 1), stale)
    assert holds(charged(0, 4), stale)


def test_reads_do_not_go_back():
    first = call(1, "read", 1, 2, seen=PAID, amount=0)
    then = call(2, "read", 3, 4, seen=Seen("PROCESSING", 0, 0, 0), amount=0)
    assert not holds(charged(0, 5), first, then)
    assert holds(charged(0, 5), replace(then, begun=1, ended=2), replace(first, begun=3, ended=4))


def test_what_was_not_answered_may_have_happened_or_not():
    cut = call(0, "charge", 0, NEVER, None)
    nothing = call(1, "read", 1, 2, 404, amount=0)
    assert holds(cut, nothing)
    assert holds(cut, call(1, "read", 1, 2, seen=PAID, amount=0))
    assert not holds(
        cut, call(1, "read", 1, 2, seen=PAID, amount=0), replace(nothing, number=2, begun=3, ended=4)
    )


def test_capture_and_cancel_cannot_both_have_the_authorization():
    reserved = call(0, "charge", 0, 1, 201, seen=Seen("AUTHORIZED", 0, 0, 0), capture=False)
    captured = call(1, "capture", 2, 5, seen=PAID)
    cancelled = call(2, "cancel", 3, 6, seen=Seen("CANCELLED", 0, 0, 0), amount=0)
    assert holds(reserved, captured, replace(cancelled, status=409, code="operation_in_progress", seen=None))
    assert holds(
        reserved,
        replace(captured, status=409, code="illegal_state", seen=None),
        replace(cancelled, begun=1.5, ended=1.8),
    )
    assert not holds(reserved, captured, cancelled)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6), st.booleans()), min_size=1, max_size=8),
    st.data(),
)
def test_a_counter_whatever_the_overlap(steps, data):
    """Additions that are told the sum, each somewhere around its moment; another sum is explained by nothing."""
    total, made = 0, []
    for moment, (added, spread, told) in enumerate(steps):
        total += added
        made.append((moment * 2 + 1, added, spread, told, total))

    def counted(changed=None):
        def step(place, moment, added, spread, told, total):
            expected = total if place != changed else total + 1000

            def apply(state):
                return state + added if not told or state + added == expected else None

            return Step(str(place), moment - spread, moment + spread, apply)

        return [step(place, *one) for place, one in enumerate(made)]

    assert explain(counted(), 0).holds
    told = [place for place, one in enumerate(made) if one[3]]
    if told:
        assert not explain(counted(data.draw(st.sampled_from(told))), 0).holds


@pytest.mark.parametrize("file", sorted(ROOM.glob("*.py")), ids=lambda file: file.name)
def test_the_model_and_its_checker_know_nothing_of_the_service(file):
    if file.name != "run.py":
        assert "eci_payments" not in file.read_text()
