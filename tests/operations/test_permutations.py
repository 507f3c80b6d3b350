"""Every order of five webhooks of one payment, each also doubled, ends the same: while our own calls are in flight, and
when they were answered, or their answer was lost.

All 120 orders are played side by side, a payment for each: one event of every payment at a time, worked off together.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from eci_payments.domain.dispute import DisputeState
from eci_payments.domain.ids import PaymentId
from eci_payments.gateways.contract import Approved
from eci_payments.gateways.hooks import DisputeTold, RefundTold, Subject
from eci_payments.operations.commands import Capture, RefundPayment
from support.engine import Told, caller, charging, open_house, told
from support.inbox import event, inbox, pass_time, put, told_of, work_off
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from eci_payments.domain.operation import Operation
    from support.engine import House

ORDERS = list(itertools.permutations(range(5)))


def elsewhere(charge: Operation, amount: int, name: str) -> RefundTold:
    reference = f"re_{charge.operation_id}_{name}"
    return RefundTold(
        about=Subject(key=f"dashboard-{reference}", charge_key=charge.gateway_key),
        reference=reference,
        amount_minor=amount,
        currency="INR",
        outcome=Approved(reference, amount),
    )


def dispute(charge: Operation, state: str, amount: int) -> DisputeTold:
    return DisputeTold(
        about=Subject(charge_key=charge.gateway_key),
        reference=f"dp_{charge.operation_id}",
        state=DisputeState(state),
        amount_minor=amount,
        currency="INR",
        reason="fraudulent",
    )


def of_a_charge(operations: tuple[Operation, ...]) -> list[Any]:
    """Charged; two refunds in the dashboard; a dispute that is lost: more in all than was captured."""
    (charge,) = operations
    return [
        told_of(charge),
        elsewhere(charge, 3000, "1"),
        elsewhere(charge, 4000, "2"),
        dispute(charge, "OPEN", 6000),
        dispute(charge, "LOST", 6000),
    ]


def of_a_capture(operations: tuple[Operation, ...]) -> list[Any]:
    """Authorized; captured; a refund in the dashboard; a dispute that is won."""
    authorization, capture = operations
    return [
        told_of(authorization),
        told_of(capture),
        elsewhere(authorization, 3000, "1"),
        dispute(authorization, "OPEN", 6000),
        dispute(authorization, "WON", 6000),
    ]


def of_refunds(operations: tuple[Operation, ...]) -> list[Any]:
    """Charged; two refunds of our own; one in the dashboard that is too much beside them; a dispute."""
    charge, first, second = operations
    return [
        told_of(charge),
        told_of(first),
        told_of(second),
        elsewhere(charge, 5000, "1"),
        dispute(charge, "OPEN", 2000),
    ]


@dataclass
class Play:
    """One payment of each order of events, with the calls that are still in flight."""

    house: House
    in_flight: list[asyncio.Task[Told]] = field(default_factory=list)

    async def charge(self, *turns: str, **fields: Any) -> None:
        """A charge for each order; with a turn ``slow`` it stays in flight."""
        kind = "charge" if fields.get("capture", True) else "authorize"
        asking = []
        for number in range(len(ORDERS)):
            self.house.gateway.plan(number, kind, *turns)
            asking.append(
                told(self.house.payments.charge(self.by(number, "charge"), charging(number, **fields)))
            )
        await self.ask(asking, wait="slow" not in turns)

    async def each(self, kind: str, ask: Callable[[int, PaymentId], Coroutine[Any, Any, Any]]) -> None:
        """Something of each payment, which stays in flight."""
        asking = []
        for number, payment_id in enumerate(await self.payments()):
            self.house.gateway.plan(number, kind, "slow")
            asking.append(told(ask(number, payment_id)))
        await self.ask(asking, wait=False)

    async def ask(self, asking: list[Coroutine[Any, Any, Told]], *, wait: bool) -> None:
        calls = self.house.gateway.calls
        wanted = len(calls) + len(asking)
        tasks = [asyncio.create_task(each) for each in asking]
        if wait:
            await asyncio.gather(*tasks)
        else:
            self.in_flight += tasks
            await until(lambda: len(calls) == wanted, 60)

    def by(self, number: int, scope: str, key: str = "") -> Any:
        return caller(scope, f"{scope}-{key}-{number}")

    async def refund(self, amount: str, number: int, payment_id: PaymentId) -> Any:
        command = RefundPayment(payment_id=payment_id, reason="It came back", amount=amount)
        return await self.house.payments.refund(self.by(number, "refund", amount), command)

    async def payments(self) -> list[PaymentId]:
        rows = await self.house.query("SELECT payment_id FROM payments ORDER BY order_id::bigint")
        return [PaymentId(row.payment_id) for row in rows]

    async def tell(self, events_of: Callable[[tuple[Operation, ...]], list[Any]]) -> None:
        """One event of every payment at a time: as it is, with the same id again, and the same under another id."""
        events = {}
        for number, payment_id in enumerate(await self.payments()):
            known = (await self.house.view(payment_id)).operations
            events[number] = [
                event(each, f"e{i}-{number}", merchant_id=1) for i, each in enumerate(events_of(known))
            ]
        for place in range(5):
            now = [events[number][order[place]] for number, order in enumerate(ORDERS)]
            again = [replace(each, event_id=f"{each.event_id}x") for each in now[place::3]]
            await put(self.house, *now, *now[place::4], *again, at_once=4)
            await work_off(self.house)

    async def settle(self) -> None:
        """What had to wait is tried again, and the calls that were in flight are answered."""
        for _ in range(3):
            await pass_time(self.house, 61)
            await work_off(self.house)
        self.house.gateway.released.set()
        answers = await asyncio.gather(*self.in_flight)
        assert {answer.status for answer in answers} <= {200, 201}

    async def ends(self) -> Counter[Any]:
        """How the payments ended; one end, if the order makes no difference."""
        found: Counter[Any] = Counter()
        for payment_id in await self.payments():
            view = await self.house.view(payment_id)
            p = view.payment
            amounts = tuple(
                getattr(p, name) for name in sorted(p.__dataclass_fields__) if name.startswith("amount_")
            )
            refunds = sorted((r.amount_minor, r.status.value, r.made_elsewhere) for r in view.refunds)
            disputes = sorted((d.amount_minor, d.state.value) for d in view.disputes)
            ledger = sorted(await self.house.ledger(payment_id))
            open_ = [o.kind.value for o in view.operations if o.is_open]
            found[p.status.value, amounts, tuple(refunds), tuple(disputes), tuple(ledger), tuple(open_)] += 1
        return found


SCENES: dict[str, tuple[Any, str]] = {
    "a charge that was answered": (of_a_charge, "PARTIALLY_REFUNDED"),
    "a charge whose answer was lost": (of_a_charge, "PARTIALLY_REFUNDED"),
    "a charge in flight": (of_a_charge, "PARTIALLY_REFUNDED"),
    "a capture in flight": (of_a_capture, "PARTIALLY_REFUNDED"),
    "two refunds in flight": (of_refunds, "REFUNDED"),
}


@pytest.fixture
async def patient(service_url, gateway):
    """A process that waits for its gateway as long as it takes."""
    opened = open_house(service_url, gateway, gateway_timeout_s=600.0, lease_s=3600.0)
    yield opened
    await opened.close()


@pytest.mark.parametrize("scene", SCENES)
async def test_all_orders_of_five_events_end_the_same(patient, scene):
    house = patient
    play, (events_of, status) = Play(house), SCENES[scene]
    turns = {"a charge in flight": ["slow"], "a charge whose answer was lost": ["taken"]}
    if events_of is of_a_charge:
        await play.charge(*turns.get(scene, []))
    elif scene == "a capture in flight":
        await play.charge(capture=False)
        await play.each(
            "capture", lambda n, p: house.payments.capture(play.by(n, "capture"), Capture(payment_id=p))
        )
    else:
        await play.charge()
        for amount in ("30.00", "40.00"):
            await play.each("refund", partial(play.refund, amount))
    await play.tell(events_of)
    await play.settle()
    ends = await play.ends()
    assert len(ends) == 1, ends
    (end,) = ends
    assert (end[0], end[-1], ends[end]) == (status, (), 120)
    assert await house.findings(None) == []
    assert {row.state.value for row in await inbox(house)} <= {"APPLIED", "IGNORED"}
