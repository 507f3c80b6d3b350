"""An authorization that nobody captures is voided before it ends, and the others are told why; never by guessing."""

from __future__ import annotations

import pytest

from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.commands import Cancel, Capture
from eci_payments.operations.rules import Rules
from support.engine import caller, charging, open_house, told

S = PaymentStatus
DAY_S = 86_400.0
CARD = PaymentMethod.CREDIT_CARD
VALID = {"scripted": {CARD: 7 * DAY_S}}
DUE_S = 7 * DAY_S - 3600


@pytest.fixture
async def house(service_url, gateway):
    opened = open_house(service_url, gateway, authorization_valid_s=VALID)
    yield opened
    await opened.close()


async def authorized(house, order="1", method=CARD):
    command = charging(order, capture=False, method=method)
    answer = await told(house.payments.charge(caller(key=f"k-{order}"), command))
    assert answer.document["status"] == "AUTHORIZED"
    return answer.payment_id


async def capture(house, payment_id, **fields):
    return await told(
        house.payments.capture(caller("capture", "c"), Capture(payment_id=payment_id, **fields))
    )


async def last_event(house, payment_id):
    sql = "SELECT event_type, data FROM events WHERE payment_id = $1 ORDER BY sequence DESC LIMIT 1"
    (row,) = await house.query(sql, payment_id)
    return row.event_type, row.data["status"], row.data["reason"]


def calls(house, kind):
    return [call for call in house.gateway.calls if call.kind == kind]


async def test_it_is_voided_before_its_end_and_told(house):
    payment_id = await authorized(house)
    await house.later(DUE_S - 60)
    assert await house.expire() == 0
    await house.later(61)
    assert await house.expire() == 1
    view = await house.view(payment_id)
    assert (view.payment.status, view.payment.expires_at) == (S.CANCELLED, None)
    assert (view.audit[-1].actor, view.audit[-1].reason) == ("expiry", "authorization_expired")
    assert await last_event(house, payment_id) == ("payment.cancelled", "CANCELLED", "authorization_expired")
    assert len(calls(house, "void")) == 1
    assert await house.expire() == 0
    assert await house.broken() == []


async def test_what_was_captured_in_part_is_completed_and_its_rest_released(house):
    payment_id = await authorized(house)
    await capture(house, payment_id, amount="40.00", final=False)
    await house.later(DUE_S + 1)
    assert await house.expire() == 1
    payment = (await house.view(payment_id)).payment
    assert (payment.status, payment.amount_captured_minor, payment.expires_at) == (S.COMPLETED, 4000, None)
    assert await last_event(house, payment_id) == ("payment.completed", "COMPLETED", "authorization_expired")
    assert await house.broken() == []


async def test_what_is_captured_or_cancelled_in_time_is_left_alone(house):
    captured, cancelled = await authorized(house, "1"), await authorized(house, "2")
    await capture(house, captured)
    await told(house.payments.cancel(caller("cancel"), Cancel(payment_id=cancelled)))
    await house.later(DUE_S + 1)
    assert await house.expire() == 0
    assert await last_event(house, cancelled) == ("payment.cancelled", "CANCELLED", "cancelled")
    assert (await house.query("SELECT count(*) AS n FROM payments WHERE expires_at IS NOT NULL"))[0].n == 0


async def test_a_method_of_which_nobody_says_how_long_it_holds_is_not_watched(house):
    payment_id = await authorized(house, method=PaymentMethod.UPI)
    assert (await house.view(payment_id)).payment.expires_at is None


async def test_while_a_capture_is_unknown_nothing_is_voided(house):
    payment_id = await authorized(house)
    house.gateway.plan("1", "capture", "taken")
    house.gateway.answer("1", "capture", "lost")
    assert (await capture(house, payment_id)).status == 202
    await house.later(DUE_S + 1)
    assert await house.expire() == 0
    assert calls(house, "void") == []
    for _ in range(2):
        await house.later(200)
        await house.recover()
    assert (await house.view(payment_id)).payment.status is S.COMPLETED
    assert await house.expire() == 0
    assert await house.broken() == []


async def test_an_unknown_void_is_asked_about(house):
    payment_id = await authorized(house)
    house.gateway.plan("1", "void", "taken")
    await house.later(DUE_S + 1)
    await house.expire()
    assert (await house.view(payment_id)).payment.processing_reason == "outcome_unknown"
    await house.later(5)
    await house.recover()
    assert (await house.view(payment_id)).payment.status is S.CANCELLED
    assert await last_event(house, payment_id) == ("payment.cancelled", "CANCELLED", "authorization_expired")
    assert len(calls(house, "void")) == 1
    assert await house.broken() == []


@pytest.mark.parametrize("actor", ["expiry", "client"])
async def test_one_that_is_gone_at_the_gateway_is_concluded_by_its_word(house, actor):
    payment_id = await authorized(house)
    house.gateway.plan("1", "void", "gone")
    if actor == "client":
        answer = await told(house.payments.cancel(caller("cancel"), Cancel(payment_id=payment_id)))
        assert (answer.status, answer.document["status"]) == (200, "CANCELLED")
    else:
        await house.later(DUE_S + 1)
        assert await house.expire() == 1
    assert (await house.view(payment_id)).payment.status is S.CANCELLED
    assert await house.broken() == []


@pytest.mark.parametrize("turn", ["declined", "notsent"])
async def test_a_gateway_that_will_not_void_is_asked_less_and_less_often(house, turn):
    payment_id = await authorized(house)
    house.gateway.plan("1", "void", *[turn] * 4)
    rests = []
    for _ in range(4):
        await house.query("UPDATE payments SET expires_at = now() - interval '1 second'")
        assert await house.expire() == 1
        (row,) = await house.query("SELECT extract(epoch FROM expires_at - now()) AS rest FROM payments")
        rests.append(round(float(row.rest) / 60))
    assert rests == [1, 2, 4, 8]
    assert (await house.view(payment_id)).payment.status is S.AUTHORIZED
    await house.later(500)
    assert await house.expire() == 1
    assert (await house.view(payment_id)).payment.status is S.CANCELLED
    assert await house.broken() == []


async def test_two_workers_void_once(house, service_url, gateway):
    payment_id = await authorized(house)
    other = open_house(service_url, gateway, seed=2, authorization_valid_s=VALID)
    await house.later(DUE_S + 1)
    await house.expire()
    await other.expire()
    await other.close()
    assert len(calls(house, "void")) == 1
    assert (await house.view(payment_id)).payment.status is S.CANCELLED


def test_the_margin_never_takes_more_than_half_of_the_time():
    rules = Rules(authorization_valid_s={"g": {CARD: 3600.0}}, authorization_margin_min=60)
    wait = rules.void_after("g", CARD)
    assert wait is not None
    assert wait.total_seconds() == 1800
    assert rules.void_after("another", CARD) is None
