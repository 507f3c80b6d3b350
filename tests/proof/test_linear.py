"""The checker of histories: it takes what one order explains, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proof.linear.checker import NEVER, Step, explain
from proof.linear.model import REASONS, Call, Payment, Seen, history, may_refuse, shows

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


def test_what_was_accepted_may_end_either_way_and_ends_once():
    charging = call(0, "charge", 0, NEVER, None, accepted=2)
    under_way = call(0, "read", 0, 2, 202, seen=Seen("PROCESSING", 0, 0, 0), amount=0, of=0)
    paid = call(1, "read", 5, 6, seen=PAID, amount=0)
    failed = call(2, "read", 7, 8, seen=Seen("FAILED", 0, 0, 0), amount=0)
    assert holds(charging, under_way, paid)
    assert holds(charging, under_way, failed)
    assert not holds(charging, under_way, paid, failed)


def test_what_was_accepted_has_begun():
    charging = call(0, "charge", 0, NEVER, None, accepted=2)
    nothing = call(1, "read", 3, 4, 404, amount=0)
    assert not holds(charging, nothing)
    assert holds(replace(charging, accepted=NEVER), nothing)


def test_what_was_accepted_is_not_refused_afterwards():
    late = call(0, "charge", 3, 4, 409, "order_already_paid", accepted=2)
    assert not holds(charged(0, 1, 1), late)
    assert holds(charged(0, 1, 1), replace(late, accepted=NEVER))


def test_a_refund_that_did_not_happen_leaves_its_amount():
    declined = call(1, "refund", 2, 3, 409, "gateway_declined", amount=6000)
    assert holds(charged(), declined, refund(2, 4, 5, 6000, 6000))
    assert not holds(charged(), declined, refund(2, 4, 5, 6000, 12000))


def test_a_reason_that_is_not_listed_explains_nothing():
    assert not holds(charged(), call(1, "refund", 2, 3, 500, "internal_error"))


@dataclass
class Past:
    """A history that happened: made by going through the model one effect at a time, with clients that overlap."""

    random: Random
    now: float = 0.0
    payment: Payment = field(default_factory=Payment)
    calls: list[Call] = field(default_factory=list)
    under_way: dict[int, tuple[Call, float]] = field(default_factory=dict)

    def go_on(self) -> None:
        """One effect: something begins and is refused or not, is read, or ends."""
        self.now += 10
        if self.under_way and self.random.random() < 0.5:
            self._end(self.random.choice(sorted(self.under_way)))
            return
        number = len(self.calls) + len(self.under_way)
        what = self.random.choice(("charge", "charge", "read", "capture", "cancel", "refund", "refund"))
        amount = 0 if what in {"read", "cancel"} else self.random.choice((3000, 6000, 10000, 10051))
        made = call(number, what, self._before(), NEVER, None, amount=amount)
        made = replace(made, capture=self.random.random() < 0.5, final=self.random.random() < 0.5)
        if what == "read":
            status = 404 if self.payment == Payment() else 200
            self._told(made, self.now, status, seen=None if status == 404 else shows(self.payment))
        else:
            self._begin(made)

    def _begin(self, made: Call) -> None:
        after = history([made])[0].apply(self.payment)
        if after is not None:
            self.payment = after
            self.under_way[made.number] = (made, self.now)
            return
        codes = [code for what, code in REASONS if what == made.what]
        code = next(code for code in codes if may_refuse(self.payment, replace(made, code=code)))
        self._told(made, self.now, 409, code=code)

    def _end(self, number: int) -> None:
        made, _ = self.under_way.pop(number)
        ways = [step.apply(self.payment) for step in history([made])[1:]]
        succeeds = ways[0] is not None and self.random.random() < 0.8
        ended = ways[0] if succeeds else ways[1]
        assert ended is not None
        self.payment = ended
        if self.random.random() < 0.2:
            self.calls.append(replace(made, accepted=self.now + 1))
        elif succeeds or made.what == "charge":
            self._told(made, self.now, 200, seen=shows(ended))
        else:
            self._told(made, self.now, 409, code="gateway_declined")

    def _told(self, made: Call, at: float, status: int, **fields: Any) -> None:
        self.calls.append(replace(made, ended=at + self._spread(), status=status, **fields))

    def _before(self) -> float:
        return self.now - self._spread()

    def _spread(self) -> float:
        return self.random.choice((0.5, 5.0, 15.0, 35.0))


def past(seed: int, effects: int) -> list[Call]:
    """A history of so many effects; what is still under way was never answered."""
    made = Past(Random(seed))
    for _ in range(effects):
        made.go_on()
    return made.calls + [each for each, _ in made.under_way.values()]


PASTS = st.builds(past, st.integers(0, 2**32), st.integers(4, 22))


@given(PASTS)
def test_what_happened_is_explained(calls):
    assert holds(*calls)


def refuted(calls):
    """Each way to tell of one call what cannot have been, whatever overlaps with it."""
    for place, each in enumerate(calls):
        if each.seen is not None:
            for field_name in ("captured", "refunded", "refunding"):
                seen = replace(each.seen, **{field_name: getattr(each.seen, field_name) + 1})
                yield place, replace(each, seen=seen)
            yield place, replace(each, seen=replace(each.seen, status="REQUIRES_ACTION"))
        if each.status is not None and each.what != "read":
            yield place, replace(each, status=409, code="internal_error", seen=None)
        if each.code == "gateway_declined":
            yield place, replace(each, status=200, code="", seen=Seen("FAILED", 0, 0, 0))


@given(PASTS, st.data())
def test_what_cannot_have_happened_is_not_explained(calls, data):
    wrong = list(refuted(calls))
    if wrong:
        place, told = data.draw(st.sampled_from(wrong))
        assert not holds(*calls[:place], told, *calls[place + 1 :])


@given(PASTS)
def test_the_past_does_not_come_back(calls):
    """After all that was answered, a read that begins then still shows an order of which nobody has heard."""
    assume(any(each.seen is not None for each in calls))
    latest = max(each.ended for each in calls if each.status is not None)
    assert not holds(*calls, call(len(calls), "read", latest + 1, latest + 2, 404, amount=0))


@given(PASTS)
def test_an_effect_that_others_were_told_of_did_happen(calls):
    """A charge is taken out of the history that nobody else could have made."""
    charges = [each for each in calls if each.what == "charge" and not each.code]
    seen = any(each.seen is not None and each.what != "charge" for each in calls)
    assume(len(charges) == 1 and seen)
    assert not holds(*(each for each in calls if each is not charges[0]))


@pytest.mark.parametrize("file", sorted(ROOM.glob("*.py")), ids=lambda file: file.name)
def test_the_model_and_its_checker_know_nothing_of_the_service(file):
    if file.name != "run.py":
        assert "eci_payments" not in file.read_text()
