"""A gateway that cannot be asked by our key: an object first, its id committed, then the charge by that id."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.contract import (
    Declined,
    GatewayCall,
    Inquiry,
    NeverSeen,
    NotSent,
    Outcome,
    Preparation,
    Prepared,
    Unknown,
)
from support.engine import caller, charging, crashed, open_house, told
from support.gateway import CAPABILITIES, ScriptedGateway

S = PaymentStatus


@dataclass
class ByIdGateway(ScriptedGateway):
    """It knows our operations by its own ids only."""

    prepared: list[str] = field(default_factory=list)
    preparation: str = "prepared"

    async def prepare(self, call: GatewayCall) -> Preparation:
        match self.preparation:
            case "lost":
                return Unknown("time-out")
            case "notsent":
                return NotSent("refused")
            case "declined":
                return Declined("not_supported", "Not here.")
            case "slow":
                self.arrived.set()
                await self.released.wait()
        self.prepared.append(f"obj-{call.key}")
        return Prepared(self.prepared[-1])

    async def perform(self, call: GatewayCall) -> Outcome:
        if call.kind in {"charge", "authorize"}:
            assert call.reference in self.prepared
        return await super().perform(call)

    async def inquire(self, call: GatewayCall) -> Inquiry:
        return NeverSeen() if call.reference is None else await super().inquire(call)


@pytest.fixture
def gateway():
    return ByIdGateway(capabilities=replace(CAPABILITIES, inquiry_by_key=False))


async def charge(house):
    return await told(house.payments.charge(caller(key="k"), charging("1")))


async def test_a_charge(house):
    assert (await charge(house)).document["status"] == "COMPLETED"
    (operation,) = (await house.view_of_order("1")).operations
    assert house.gateway.prepared == [f"obj-{operation.gateway_key}"]
    assert await house.broken() == []


# it dies                | recovery finds it | and later
POINTS = """
before prepare           | FAILED            | FAILED
after prepare            | FAILED            | FAILED
before bind              | FAILED            | FAILED
after bind               | PROCESSING        | FAILED
before call              | PROCESSING        | FAILED
after call               | COMPLETED         | COMPLETED
"""


@pytest.mark.parametrize(
    ("point", "soon", "late"), [[c.strip() for c in p.split("|")] for p in POINTS.strip().split("\n")]
)
async def test_a_crash(house, point, soon, late):
    house.watch.crash_at = point
    await crashed(house.payments.charge(caller(key="k"), charging("1")))
    for seconds, status in ((31, soon), (130, late)):
        await house.later(seconds)
        await house.recover()
        assert (await house.view_of_order("1")).payment.status == status
    assert await house.broken() == []
    assert (await charge(house)).document["status"] == late


@pytest.mark.parametrize(
    ("preparation", "status", "code"),
    [("lost", 502, "gateway_unreachable"), ("notsent", 502, "gateway_unreachable"), ("declined", 201, "")],
)
async def test_without_an_object_nothing_can_have_moved(house, preparation, status, code):
    house.gateway.preparation = preparation
    answer = await charge(house)
    assert (answer.status, answer.code) == (status, code)
    assert (await house.view_of_order("1")).payment.status is S.FAILED
    assert house.gateway.calls == []
    assert await house.broken() == []


async def test_what_recovery_has_ended_meanwhile_is_not_performed(house, second):
    house.gateway.preparation = "slow"
    asking = asyncio.create_task(charge(house))
    await house.gateway.arrived.wait()
    await house.later(31)
    await second.recover()
    assert (await house.view_of_order("1")).payment.status is S.FAILED
    house.gateway.released.set()
    answer = await asking
    assert (answer.status, answer.replayed, answer.document["status"]) == (201, True, "FAILED")
    assert house.gateway.calls == []
    assert await house.broken() == []


async def test_a_preparation_that_took_the_whole_lease_is_not_performed(service_url, gateway):
    house = open_house(service_url, gateway, gateway_timeout_s=0.3, lease_s=0.35)
    gateway.preparation = "slow"
    asking = asyncio.create_task(charge(house))
    await gateway.arrived.wait()
    await asyncio.sleep(0.1)
    gateway.released.set()
    assert (await asking).code == "gateway_unreachable"
    assert gateway.calls == []
    await house.close()
