"""Giving up: what waits for its customer, what was never charged, and the races with the customer's own action."""

from __future__ import annotations

import pytest

from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.commands import Cancel, Confirm, Create
from eci_payments.recovery.expiry import PaymentExpiry
from support.engine import caller, charging, told

S = PaymentStatus


async def waiting(house, order="1", **fields):
    house.gateway.plan(order, "charge", "action")
    answer = await told(house.payments.charge(caller(key=f"k-{order}"), charging(order, **fields)))
    assert answer.document["status"] == "REQUIRES_ACTION"
    return answer.payment_id


async def cancel(house, payment_id, key=None):
    return await told(house.payments.cancel(caller("cancel", key), Cancel(payment_id=payment_id)))


async def confirm(house, payment_id, key="c", **fields):
    return await told(
        house.payments.confirm(caller("confirm", key), Confirm(payment_id=payment_id, **fields))
    )


async def after(house, payment_id, *seconds):
    for wait in seconds:
        await house.later(wait, payment_id)
        await house.recover()


async def test_the_customer_was_quicker(house):
    payment_id = await waiting(house)
    house.gateway.settle("1", "charge", "approved")
    answer = await cancel(house, payment_id)
    assert (answer.status, answer.code) == (409, "cancel_refused")
    await after(house, payment_id, 2)
    assert (await house.view(payment_id)).payment.status is S.COMPLETED
    assert await house.broken() == []


async def test_the_customer_was_quicker_while_the_cancellation_is_unknown(house):
    payment_id = await waiting(house)
    house.gateway.plan("1", "cancel_action", "lost")
    assert (await cancel(house, payment_id)).status == 202
    house.gateway.settle("1", "charge", "approved")
    await after(house, payment_id, 3)
    view = await house.view(payment_id)
    assert view.payment.status is S.COMPLETED
    await after(house, payment_id, 200, 5)
    assert {o.state.value for o in (await house.view(payment_id)).operations} == {"APPROVED", "DECLINED"}
    assert await house.broken() == []


async def test_the_customer_has_acted_and_the_gateway_gives_it_up_all_the_same(house):
    """The charge is PROCESSING by the time that its cancellation is confirmed."""
    payment_id = await waiting(house)
    house.gateway.plan("1", "cancel_action", "lost")
    await cancel(house, payment_id)
    house.gateway.settle("1", "charge", "pending")
    await after(house, payment_id, 3)
    assert (await house.view(payment_id)).payment.status is S.PROCESSING
    await after(house, payment_id, 200)
    view = await house.view(payment_id)
    assert view.payment.status is S.CANCELLED
    assert {o.state.value for o in view.operations} == {"CANCELLED", "APPROVED"}
    assert await house.broken() == []


@pytest.mark.parametrize("outcome", ["approved", "cancelled", "declined"])
async def test_a_cancellation_of_an_older_attempt_leaves_the_new_one_alone(house, outcome):
    payment_id = await waiting(house)
    house.gateway.plan("1", "cancel_action", "lost")
    await cancel(house, payment_id, "first")
    house.gateway.settle("1", "charge", "declined")
    await after(house, payment_id, 3)
    assert (await house.view(payment_id)).payment.status is S.FAILED
    house.gateway.plan("1", "charge", "action")
    assert (await told(house.payments.charge(caller(key="k2"), charging("1")))).status == 201
    before = (await house.view(payment_id)).payment

    call = next(call for call in house.gateway.calls if call.kind == "cancel_action")
    house.gateway._keep(call, outcome)
    await after(house, payment_id, 3)

    payment = (await house.view(payment_id)).payment
    assert (payment.status, payment.charge_operation_id) == (S.REQUIRES_ACTION, before.charge_operation_id)
    assert payment.open_operation_id == before.open_operation_id
    assert payment.expires_at is not None
    assert await house.broken() == []
    assert (await cancel(house, payment_id, "second")).document["status"] == "CANCELLED"
    assert await house.broken() == []


async def test_one_cancellation_at_a_time(house):
    payment_id = await waiting(house)
    house.gateway.plan("1", "cancel_action", "lost")
    await cancel(house, payment_id)
    assert (await cancel(house, payment_id)).code == "operation_in_progress"


async def test_money_that_comes_after_a_confirmed_cancellation_goes_back(house):
    payment_id = await waiting(house)
    assert (await cancel(house, payment_id)).document["status"] == "CANCELLED"
    charge = house.gateway.calls[0]
    house.gateway._keep(charge, "approved")
    await after(house, payment_id, 61, 2)
    assert await house.ledger(payment_id) == ["arrived_late:10000", "returned:10000"]
    assert await house.broken() == []


async def test_a_waiting_payment_is_continued_not_charged_again(house):
    payment_id = await waiting(house)
    assert (await confirm(house, payment_id)).document["status"] == "REQUIRES_ACTION"
    assert (await confirm(house, payment_id, "d", method=PaymentMethod.WALLET)).code == "action_pending"
    house.gateway.settle("1", "charge", "approved")
    assert (await confirm(house, payment_id, "e")).document["status"] == "COMPLETED"
    first = await confirm(house, payment_id, "c")
    assert (first.document["status"], first.replayed) == ("REQUIRES_ACTION", True)
    assert len(house.gateway.calls) == 1
    assert await house.broken() == []


async def test_what_the_customer_abandons_is_given_up_at_the_gateway(house):
    payment_id = await waiting(house)
    assert await house.expire() == 0
    await house.later(901, payment_id)
    assert await house.expire() == 1
    view = await house.view(payment_id)
    assert (view.payment.status, view.audit[-1].actor) == (S.CANCELLED, "expiry")
    assert await house.expire() == 0
    assert await house.broken() == []


async def test_a_gateway_that_cannot_tell_whom_it_waits_for_leaves_the_customer_their_action(house):
    payment_id = await waiting(house)
    house.gateway.settle("1", "charge", "created")
    await after(house, payment_id, 2, 5, 20)
    payment = (await house.view(payment_id)).payment
    assert (payment.status, payment.next_action.url) == (S.REQUIRES_ACTION, "https://bank.example/1")
    assert len(house.gateway.inquiries) >= 3
    await house.later(901, payment_id)
    assert await house.expire() == 1
    assert (await house.view(payment_id)).payment.status is S.CANCELLED
    assert await house.broken() == []


async def test_a_gateway_that_will_not_cancel_is_asked_less_and_less_often(house):
    payment_id = await waiting(house)
    house.gateway.plan("1", "cancel_action", *["declined"] * 9)
    rests = []
    for _ in range(4):
        await house.query("UPDATE payments SET expires_at = now() - interval '1 second'")
        await house.query(
            "UPDATE payments SET next_action = jsonb_set(next_action, '{expires_at}', to_jsonb(now()))"
        )
        assert await house.expire() == 1
        (row,) = await house.query("SELECT extract(epoch FROM expires_at - now()) AS rest FROM payments")
        rests.append(round(float(row.rest) / 60))
    assert rests == [1, 2, 4, 8]
    assert (await house.view(payment_id)).payment.status is S.REQUIRES_ACTION


async def test_a_refused_cancellation_leaves_the_customer_their_time(house):
    payment_id = await waiting(house)
    house.gateway.plan("1", "cancel_action", "declined")
    await cancel(house, payment_id)
    payment = (await house.view(payment_id)).payment
    assert payment.expires_at >= payment.next_action.expires_at


async def created(house, order="1", method=PaymentMethod.UPI):
    command = charging(order)
    create = Create(order_id=command.order_id, user_id=command.user_id, amount_minor=10000, currency="INR",
                    method=method)  # fmt: skip
    return (await told(house.payments.create(caller("create"), create))).payment_id


async def test_what_is_never_charged_expires_but_not_cash_on_delivery(house):
    payment_id, cash_id = await created(house), await created(house, "2", PaymentMethod.COD)
    await house.later(3601)
    assert await house.expire() == 1
    assert (await house.view(payment_id)).payment.status is S.CANCELLED
    assert (await house.view(cash_id)).payment.status is S.PENDING
    assert house.gateway.calls == []
    assert await house.broken() == []


async def test_one_that_cannot_be_given_up_does_not_hold_up_the_others(house, monkeypatch):
    """More of them than one round looks at, and first in the queue: their charge does not exist."""
    for number in range(3):
        await created(house, f"s{number}")
    monkeypatch.setattr("eci_payments.recovery.expiry.BATCH", 2)
    await house.query(
        "UPDATE payments SET status = 'REQUIRES_ACTION', charge_operation_id = 0,"
        " expires_at = now() - interval '2 hours'"
    )
    last = await created(house, "last")
    await house.query(
        "UPDATE payments SET expires_at = now() - interval '1 hour' WHERE payment_id = $1", last
    )
    expiry = PaymentExpiry(house.payments)
    assert sum([await expiry.run_once() for _ in range(3)]) == 1
    assert (await house.view(last)).payment.status is S.CANCELLED


@pytest.mark.parametrize("method", [None, PaymentMethod.COD])
async def test_cash_is_not_confirmed(house, method):
    payment_id = await created(house, method=PaymentMethod.COD)
    assert (await confirm(house, payment_id, method=method)).code == "illegal_state"
    assert (await confirm(house, payment_id, "d", method=PaymentMethod.UPI)).document["status"] == "COMPLETED"
