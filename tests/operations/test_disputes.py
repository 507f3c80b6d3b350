"""Disputes and refunds made elsewhere: always recorded, once, in any order; what we start keeps its limits."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from eci_payments.domain.dispute import DisputeState
from eci_payments.domain.limits import LimitKind
from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.contract import Approved, Declined, Pending
from eci_payments.gateways.hooks import DisputeTold, RefundTold, Subject
from eci_payments.operations.commands import RefundPayment
from support.engine import caller, charging, told
from support.inbox import WHEN, event, pass_time, put, states, work_off
from support.limits import limited

S, D = PaymentStatus, DisputeState


async def paid(house, order="1", **fields):
    """A payment of 100.00, and its charge."""
    answer = await told(house.payments.charge(caller(key=f"k-{order}"), charging(order, **fields)))
    return (await house.view(answer.payment_id)).operations[0]


def elsewhere(charge, amount, reference="re_1", **fields):
    values = {
        "about": Subject(key=f"dash-{reference}", charge_key=charge.gateway_key),
        "reference": reference,
        "amount_minor": amount,
        "currency": charge.currency,
        "outcome": Approved(reference, amount),
    }
    return RefundTold(**(values | fields))


def dispute(charge, state, amount=10000, reference="dp_1", **fields):
    values = {
        "about": Subject(charge_key=charge.gateway_key),
        "reference": reference,
        "state": state,
        "amount_minor": amount,
        "currency": charge.currency,
        "reason": "fraudulent",
    }
    return DisputeTold(**(values | fields))


async def refund(house, charge, amount, key="r"):
    command = RefundPayment(payment_id=charge.payment_id, reason="It came back", amount=amount)
    return await told(house.payments.refund(caller("refund", key), command))


async def payment(house, charge):
    return (await house.view(charge.payment_id)).payment


async def sums(house, charge):
    p = await payment(house, charge)
    return (
        p.amount_refunded_minor,
        p.amount_disputed_minor,
        p.amount_charged_back_minor,
        p.amount_exceeding_minor,
    )


async def sound(house):
    """Nothing is broken in our books; the gateway's own record knows nothing of disputes and dashboards."""
    return await house.findings(None)


async def test_a_refund_made_elsewhere_is_booked_once(house):
    charge = await paid(house)
    await put(house, elsewhere(charge, 4000), elsewhere(charge, 4000))
    await work_off(house)
    assert await states(house) == ["APPLIED", "IGNORED"]
    assert (await payment(house, charge)).status is S.PARTIALLY_REFUNDED
    assert await house.ledger(charge.payment_id) == ["captured:10000", "refunded:4000"]
    (row,) = (await house.view(charge.payment_id)).refunds
    assert (row.status, row.made_elsewhere, row.gateway_reference) == ("SUCCEEDED", True, "re_1")
    assert (await house.events(charge.payment_id))[-1] == "payment.refunded"
    assert await sound(house) == []
    assert (await refund(house, charge, "60.01")).code == "amount_exceeds_refundable"
    assert (await refund(house, charge, "60.00")).status == 200
    assert await sound(house) == []


@pytest.mark.parametrize("ours", ["approved", "declined"])
async def test_it_counts_also_where_it_exceeds_and_ends_the_same(house, ours):
    """Ours is reserved, in flight or done: what was made elsewhere is true all the same."""
    ends = []
    for order, first in (("1", "elsewhere"), ("2", "ours")):
        charge = await paid(house, order)
        house.gateway.plan(order, "refund", "pending")
        await refund(house, charge, "80.00", f"r{order}")
        if first == "elsewhere":
            await put(house, elsewhere(charge, 7000, f"re_{order}"))
            await work_off(house)
            assert await sums(house, charge) == (7000, 0, 0, 5000)
            assert (await house.events(charge.payment_id))[-1] == "payment.exceeds_captured"
            assert await sound(house) == []
        house.gateway.settle(order, "refund", ours)
        await house.later(400, charge.payment_id)
        await house.recover()
        if first == "ours":
            await put(house, elsewhere(charge, 7000, f"re_{order}"))
            await work_off(house)
        assert await sound(house) == []
        ends.append((*await sums(house, charge), (await payment(house, charge)).status))
    assert ends[0] == ends[1]
    assert ends[0] == (
        (15000, 0, 0, 5000, S.REFUNDED) if ours == "approved" else (7000, 0, 0, 0, S.PARTIALLY_REFUNDED)
    )


async def test_one_that_is_not_done_is_no_refund(house):
    charge = await paid(house)
    await put(
        house,
        elsewhere(charge, 4000, outcome=Pending("re_1")),
        elsewhere(charge, 4000, outcome=Declined("x", "y")),
    )
    await work_off(house)
    assert await states(house) == ["IGNORED", "IGNORED"]
    assert await sums(house, charge) == (0, 0, 0, 0)


@pytest.mark.parametrize("fields", [{"currency": "USD"}, {"outcome": Approved("re_1", 4001)}])
async def test_one_that_does_not_fit_is_not_believed(house, fields):
    charge = await paid(house)
    await put(house, elsewhere(charge, 4000, **fields))
    await work_off(house)
    assert await states(house) == ["MISMATCH"]
    assert await sums(house, charge) == (0, 0, 0, 0)
    assert await sound(house) == []


async def test_one_that_fails_after_it_was_booked_is_for_a_person(house):
    charge = await paid(house)
    await put(
        house, elsewhere(charge, 4000), elsewhere(charge, 4000, outcome=Declined("refund_failed", "Failed."))
    )
    await work_off(house)
    assert await states(house) == ["APPLIED", "MISMATCH"]
    assert await sound(house) == []


async def test_what_may_be_a_release_is_for_a_person(house):
    charge = await paid(house, capture=False)
    await put(house, elsewhere(charge, 4000, may_be_release=True))
    await work_off(house)
    assert await states(house) == ["PENDING"], "nothing is captured yet"


async def test_our_own_refund_is_known_by_its_id_without_our_key(house):
    charge = await paid(house)
    await refund(house, charge, "40.00")
    own = (await house.view(charge.payment_id)).operations[1]
    await put(house, elsewhere(charge, 4000, own.gateway_reference))
    await work_off(house)
    assert await states(house) == ["IGNORED"]
    assert await sums(house, charge) == (4000, 0, 0, 0)


async def test_it_waits_for_a_charge_that_is_not_known_yet(house):
    house.gateway.plan("1", "charge", "taken")
    answer = await told(house.payments.charge(caller(key="k"), charging("1")))
    charge = (await house.view(answer.payment_id)).operations[0]
    await put(house, elsewhere(charge, 4000), dispute(charge, D.OPEN, 3000))
    await work_off(house)
    assert await states(house) == ["PENDING", "PENDING"]
    assert await house.recover() == 1, "the gateway is asked at once"
    await pass_time(house, 2)
    await work_off(house)
    assert await states(house) == ["APPLIED", "APPLIED"]
    assert await sums(house, charge) == (4000, 3000, 0, 0)
    assert await sound(house) == []


async def test_money_that_the_payment_does_not_count_is_for_a_person(house):
    house.gateway.plan("1", "charge", "declined")
    charge = await paid(house)
    await put(house, elsewhere(charge, 4000))
    await work_off(house)
    assert await states(house) == ["PENDING"]
    await pass_time(house, 1000)
    await work_off(house)
    assert await states(house) == ["PARKED"]
    assert await sound(house) == []


ENDS = {
    D.OPEN: ((0, 10000, 0, 0), ["dispute_opened:10000"]),
    D.WON: ((0, 0, 0, 0), ["dispute_opened:10000", "dispute_won:10000"]),
    D.LOST: ((0, 0, 10000, 0), ["dispute_opened:10000", "dispute_lost:10000"]),
}


@pytest.mark.parametrize("end", [D.OPEN, D.WON, D.LOST])
@pytest.mark.parametrize("heard", ["in order", "the other way round", "its end alone"])
async def test_a_dispute_in_any_order(house, end, heard):
    charge = await paid(house)
    told_of = [dispute(charge, state) for state in dict.fromkeys((D.OPEN, end))]
    if heard == "the other way round":
        told_of.reverse()
    elif heard == "its end alone":
        told_of = told_of[-1:]
    for each in told_of:
        await put(house, each, each)
        await work_off(house)
    assert await sums(house, charge) == ENDS[end][0]
    assert (await house.ledger(charge.payment_id))[1:] == ENDS[end][1]
    assert (await payment(house, charge)).status is S.COMPLETED
    assert f"payment.dispute_{ {'OPEN': 'opened'}.get(end, end.lower()) }" in await house.events(
        charge.payment_id
    )
    assert await sound(house) == []
    left = "100.00" if end is D.WON else "0.01"
    assert (await refund(house, charge, left)).status == (200 if end is D.WON else 0)
    assert await sound(house) == []


@pytest.mark.parametrize("order", list(itertools.permutations((D.OPEN, D.LOST, D.WON))))
async def test_of_two_ends_the_later_one_counts(house, order):
    charge = await paid(house)
    at = {D.OPEN: 0, D.LOST: 10, D.WON: 20}
    for state in order:
        await put(house, event(dispute(charge, state), occurred_at=WHEN + timedelta(seconds=at[state])))
        await work_off(house)
    assert await sums(house, charge) == (0, 0, 0, 0)
    assert await sound(house) == []


async def test_a_dispute_after_a_full_refund_is_recorded_and_exceeds(house):
    charge = await paid(house)
    assert (await refund(house, charge, "100.00")).status == 200
    await put(house, dispute(charge, D.OPEN))
    await work_off(house)
    assert await sums(house, charge) == (10000, 10000, 0, 10000)
    assert (await house.events(charge.payment_id))[-2:] == [
        "payment.dispute_opened",
        "payment.exceeds_captured",
    ]
    await put(house, dispute(charge, D.LOST))
    await work_off(house)
    assert await sums(house, charge) == (10000, 0, 10000, 10000)
    assert (await payment(house, charge)).status is S.REFUNDED
    assert await sound(house) == []


async def test_a_refund_beside_a_dispute_stays_within_what_is_left(house):
    charge = await paid(house)
    await put(house, dispute(charge, D.OPEN, 7000), dispute(charge, D.OPEN, 2000, "dp_2"))
    await work_off(house)
    assert (await refund(house, charge, "10.01", "a")).code == "amount_exceeds_refundable"
    whole = await refund(house, charge, None, "b")
    assert (whole.status, whole.document["amount_refunded_minor"]) == (200, 1000)
    assert [each["status"] for each in whole.document["disputes"]] == ["OPEN", "OPEN"]
    assert whole.document["amount_disputed_minor"] == 9000
    assert await sound(house) == []


@pytest.mark.parametrize("fields", [{"currency": "USD"}, {"amount": 5000}])
async def test_a_dispute_that_changed_is_not_believed(house, fields):
    charge = await paid(house)
    await put(house, dispute(charge, D.OPEN), dispute(charge, D.LOST, **fields))
    await work_off(house)
    assert await states(house) == ["APPLIED", "MISMATCH"]
    assert await sums(house, charge) == (0, 10000, 0, 0)
    assert await sound(house) == []


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("payments", "amount_refund_pending_minor = 1"),
        ("payments", "amount_refunded_minor = 1"),
        ("payments", "amount_disputed_minor = 9999"),
        ("payments", "amount_exceeding_minor = 1"),
    ],
)
async def test_the_database_holds_the_line_beside_a_dispute(house, table, change):
    charge = await paid(house)
    await put(house, dispute(charge, D.OPEN))
    await work_off(house)
    bad = change.replace("9999", "10001")
    with pytest.raises(Exception, match="_check"):
        await house.query(f"UPDATE {table} SET {bad} WHERE payment_id = $1", charge.payment_id)


async def test_the_repeat_of_a_refund_that_awaits_approval_shows_the_disputes_too(house, owner_url):
    await limited(owner_url, LimitKind.REFUND_APPROVAL, 5000)
    charge = await paid(house)
    assert (await refund(house, charge, 60)).status == 202
    await put(house, dispute(charge, D.OPEN, 4000))
    await work_off(house)
    again = await refund(house, charge, 60)
    assert (again.status, [each["status"] for each in again.document["disputes"]]) == (202, ["OPEN"])


async def test_what_is_left_after_a_dispute_is_not_told_as_a_repeat(house):
    charge = await paid(house)
    await refund(house, charge, 40, key=None)
    await put(house, dispute(charge, D.OPEN, 6000))
    await work_off(house)
    assert (await refund(house, charge, None, key=None)).code == "amount_exceeds_refundable"
