"""What the gateway has never seen is sent again with the same key: within its memory of keys, and without guessing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eci_payments.operations.commands import RefundPayment
from support.engine import Crash, caller, charging, open_house, told
from support.gateway import CAPABILITIES, ScriptedGateway

WINDOW_S = 3600.0


@pytest.fixture
def gateway():
    """It remembers a key for an hour."""
    return ScriptedGateway(capabilities=replace(CAPABILITIES, key_window_s=WINDOW_S))


@pytest.fixture
async def house(service_url, gateway):
    opened = open_house(service_url, gateway)
    yield opened
    await opened.close()


@pytest.fixture
async def payment_id(house):
    """A paid order, whose next refund's call is lost on its way and whose process dies of it."""
    paid = (await told(house.payments.charge(caller(key="k"), charging("1")))).payment_id
    house.gateway.plan("1", "refund", "lost")
    house.watch.crash_at = "after call"
    asking = house.payments.refund(
        caller("refund", "r"), RefundPayment(payment_id=paid, reason="It came back", amount=40)
    )
    with pytest.raises(Crash):
        await told(asking)
    return paid


def sent(house):
    """How often the refund was sent, and with how many keys."""
    keys = [call.key for call in house.gateway.calls if call.kind == "refund"]
    return len(keys), len(set(keys))


async def refund_of(house, payment_id):
    view = await house.view(payment_id)
    state = next(o.state for o in view.operations if o.kind == "REFUND")
    return state, view.refunds[0].status, view.payment.amount_refund_pending_minor


async def test_within_the_gateways_memory_it_is_sent_again(house, payment_id):
    await house.later(WINDOW_S - 600)
    await house.recover()
    assert sent(house) == (2, 1)
    assert await refund_of(house, payment_id) == ("APPROVED", "SUCCEEDED", 0)
    assert await house.broken() == []


async def test_beyond_the_gateways_memory_it_is_not_sent_and_stays_unknown(house, payment_id):
    await house.later(WINDOW_S + 600)
    await house.recover()
    assert sent(house) == (1, 1)
    assert await refund_of(house, payment_id) == ("UNKNOWN", "PENDING", 4000)
    assert await house.broken() == []


async def test_that_it_was_not_sent_again_does_not_say_that_it_never_was(house, payment_id):
    """The first call may still be on its way: its amount stays reserved until the gateway says what became of it."""
    house.gateway.plan("1", "refund", "notsent")
    await house.later(WINDOW_S - 1200)
    await house.recover()
    assert await refund_of(house, payment_id) == ("UNKNOWN", "PENDING", 4000)
    await house.later(600)
    await house.recover()
    assert sent(house) == (3, 1)
    assert await refund_of(house, payment_id) == ("APPROVED", "SUCCEEDED", 0)
    assert await house.broken() == []
