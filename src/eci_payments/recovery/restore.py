"""After a restore: everything since the backup is asked of the gateways before anything new begins.

What is open here is inquired. What only the gateways know, because it was begun after the backup, is taken from their
lists, written again as an intent (`operations.rediscovered`) and inquired like the rest. What cannot be learned so is
named, and keeps the gate closed until a person says that they have looked. It may be repeated and interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict, cast

from eci_payments.domain.errors import Refusal
from eci_payments.domain.ids import OrderId
from eci_payments.gateways.contract import CallKind, NotSent, Unknown
from eci_payments.operations.commands import Caller
from eci_payments.operations.rediscovered import CHARGING, MOVING, rediscover
from eci_payments.recovery.operations import quietly
from eci_payments.store.lost import authorized_at, known_keys, unasked_since
from eci_payments.store.merchants import has_merchant
from eci_payments.store.reads import find_operation, find_payment
from eci_payments.store.units import Unit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from eci_payments.domain.ids import MerchantId, OperationId, PaymentId
    from eci_payments.gateways.contract import Gateway, Listed, RecountingGateway
    from eci_payments.operations.service import Payments
    from eci_payments.store.restore_gate import Gate


class _Place(TypedDict, total=False):
    order_id: OrderId
    payment_id: PaymentId


ACTOR = "restore"
MARGIN = timedelta(minutes=15)
"""The gateways' clocks are not ours, and a backup's last moment is not exact: what is known is passed over anyway."""


RECOUNT_TIMEOUT_S = 900.0
"""A list of many pages takes minutes, and nobody waits for it but the person who restores."""


@dataclass(slots=True)
class Report:
    """What came of one run. ``unsettled`` is by the name to acknowledge it with: a gateway's, or its operation's."""

    asked: int = 0
    found: int = 0
    written: int = 0
    unasked: int = 0
    unsettled: dict[str, str] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether new things may begin."""
        return not self.unasked and not self.unsettled


@dataclass(frozen=True, slots=True)
class AfterRestore:
    """``checked`` are names of `Report.unsettled` that a person has looked at."""

    payments: Payments
    gate: Gate
    checked: Collection[str] = ()

    async def run(self) -> Report:
        """Ask everything once."""
        report = Report()
        await self._ask_open(report)
        for gateway in self.payments.engine.gateways.all():
            await self._recount(gateway, report)
        async with self.payments.engine.database.read() as session:
            report.unasked = len(await unasked_since(session, self.gate.closed_at))
        for name in self.checked:
            report.unsettled.pop(name, None)
        return report

    async def _ask_open(self, report: Report) -> None:
        async with self.payments.engine.database.read() as session:
            unasked = await unasked_since(session, self.gate.closed_at)
        for each in unasked:
            await self._ask(each.merchant_id, each.payment_id, each.operation_id)
        report.asked = len(unasked)

    async def _ask(self, merchant: MerchantId, payment_id: PaymentId, operation_id: OperationId) -> None:
        about: dict[str, object] = {"payment_id": payment_id, "operation_id": operation_id}
        await quietly(
            lambda: self.payments.ask(Caller(merchant_id=merchant, actor=ACTOR), payment_id, operation_id),
            about,
        )

    async def _recount(self, gateway: Gateway, report: Report) -> None:
        if not gateway.capabilities.recounts:
            report.unsettled[gateway.name] = (
                "tells no list of what it did: compare its dashboard with the payments here"
            )
            return
        listing = cast("RecountingGateway", gateway)
        listed = await self.payments.engine.ask(
            gateway.name,
            "recount",
            listing.operations_since(self.gate.since - MARGIN),
            timeout_s=RECOUNT_TIMEOUT_S,
        )
        if isinstance(listed, NotSent | Unknown):
            report.unsettled[gateway.name] = f"could not be asked for its list: {listed.reason}"
            return
        moving = sorted((each for each in listed if each.kind in MOVING), key=_order)
        for each in await self._unknown(moving):
            report.found += 1
            why = await self._write(gateway.name, each)
            if why is None:
                report.written += 1
            else:
                report.unsettled[each.reference] = (
                    f"{each.kind} at {gateway.name} of order {each.order_id}: {why}"
                )
        await self._name_unlisted(gateway, report)

    async def _name_unlisted(self, gateway: Gateway, report: Report) -> None:
        """A list without captures leaves open what became of the authorizations that we know."""
        if CallKind.CAPTURE not in gateway.capabilities.unlisted:
            return
        async with self.payments.engine.database.read() as session:
            held = await authorized_at(session, gateway.name)
        if held:
            report.unsettled[gateway.name] = (
                f"lists no captures: compare {held} authorized payments here with its dashboard"
            )

    async def _unknown(self, listed: Sequence[Listed]) -> list[Listed]:
        keys = {(each.merchant_id, each.key) for each in listed}
        async with self.payments.engine.database.read() as session:
            known = await known_keys(session, keys)
        return [each for each in listed if (each.merchant_id, each.key) not in known]

    async def _write(self, gateway: str, listed: Listed) -> str | None:
        """Why it was not written; None when it was, and its gateway has been asked about it."""
        engine, caller = self.payments.engine, Caller(merchant_id=listed.merchant_id, actor=ACTOR)
        place = await self._place(listed)
        if isinstance(place, str):
            return place
        operation_id = await engine.ids.new_operation()
        unit = Unit(
            listed.merchant_id,
            lambda found: rediscover(found, caller, gateway, listed, operation_id, engine.rules),
            operation_id=operation_id,
            restores=True,
            **place,
        )
        try:
            await engine.lane.submit(unit, bounded=False)
        except Refusal as refusal:
            return refusal.detail
        async with engine.database.read() as session:
            found = await find_operation(session, listed.merchant_id, operation_id)
        if found is not None:
            await self._ask(listed.merchant_id, found[1].payment_id, operation_id)
        return None

    async def _place(self, listed: Listed) -> _Place | str:
        """The order or the payment that it belongs to, or why there is none."""
        async with self.payments.engine.database.read() as session:
            if not await has_merchant(session, listed.merchant_id):
                return f"there is no merchant {listed.merchant_id} here"
            if listed.kind in CHARGING:
                return {"order_id": OrderId(listed.order_id)}
            view = await find_payment(session, listed.merchant_id, "transaction_id", listed.transaction_id)
        return "its payment is not here" if view is None else {"payment_id": view.payment.payment_id}


def _order(listed: Listed) -> tuple[datetime, bool]:
    """As it happened: an authorization that was voided makes room for the next charge of its order."""
    return listed.created_at, listed.kind not in CHARGING
