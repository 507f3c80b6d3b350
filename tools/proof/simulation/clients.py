"""Clients, operators, couriers and customers: what each asks, what it is told, and that it asks again."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eci_payments.domain.ids import MerchantId, OrderId, PaymentId, RefundId, UserId
from eci_payments.domain.keys import KeyClaim, KeyName
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.money import currency, major_units
from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.commands import (
    Caller,
    Cancel,
    Capture,
    ChangeStatus,
    Charge,
    Collect,
    Confirm,
    Create,
    RefundPayment,
    Remit,
)
from proof.auditor import OPERATORS_REASON
from proof.promises import Heard, Request
from proof.simulation.processes import Gone, Told
from proof.simulation.turns import SEND, Turns

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from eci_payments.domain.change import Answer
    from eci_payments.operations.service import Payments
    from proof.simulation.plan import Command
    from proof.simulation.processes import Process, World

MERCHANT = MerchantId(7)
SCOPES = {
    "charge": "POST /v1/payments/charge",
    "authorize": "POST /v1/payments/charge",
    "create": "POST /v1/payments",
    "confirm": "POST /v1/payments/{payment_id}/confirm",
    "capture": "POST /v1/payments/{payment_id}/capture",
    "refund": "POST /v1/payments/{payment_id}/refund",
    "cancel": "DELETE /v1/payments/{payment_id}",
    "status": "PATCH /v1/payments/{payment_id}/status",
    "collect": "POST /v1/payments/{payment_id}/collect",
    "remit": "POST /v1/payments/{payment_id}/remit",
    "payout": "POST /v1/payments/{payment_id}/refunds/{refund_id}/paid",
}
TAKES_ORDER = frozenset({"charge", "authorize", "create"})
UNKNOWN_TRIES = 6
"""So often a client looks whether it has been told of the payment by now."""
AGAIN = frozenset({202, 409, 500, 502, 503})
"""Statuses after which a client that has patience asks again with its key."""


@dataclass
class Asked:
    """A request as its client knows it, with all that it was told, in order. ``told`` None: the line went dead."""

    command: Command
    sent: list[tuple[int, Told | None]] = field(default_factory=list)
    payment: int | None = None

    @property
    def request(self) -> Request:
        """What the auditor is told of it."""
        command = self.command
        heard = [Heard(place, told.status, told.body) for place, told in self.sent if told is not None]
        return Request(command.verb, command.order, command.key, _payload(command), tuple(heard))


@dataclass
class Clients:
    """All of a run's. ``known`` are the payments' ids that they have been told, by order."""

    world: World
    asked: list[Asked] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    refunds: dict[str, int] = field(default_factory=dict)

    async def all(self) -> None:
        """Every command of the plan, each client's one after another."""
        commands = self.world.schedule.plan.commands
        clients = sorted({command.client for command in commands})
        scripts = [self._client(number, [c for c in commands if c.client == number]) for number in clients]
        await asyncio.gather(*scripts)

    async def _client(self, number: int, commands: list[Command]) -> None:
        turns = Turns(self.world.schedule, f"client-{number}")
        for command in commands:
            if command.after:
                await asyncio.sleep(command.after)
            await turns.take(str(command), SEND)
            if command.verb == "act":
                await self._act(command)
            else:
                await self._asks(turns, command)

    async def _asks(self, turns: Turns, command: Command) -> None:
        for _ in range(0 if command.verb in TAKES_ORDER else UNKNOWN_TRIES):
            if command.order not in self.known:
                await asyncio.sleep(4.0)
        asked = Asked(command)
        self.asked.append(asked)
        for number in range(command.patience + 1):
            told = await self.once(asked, hangs_up=command.hangs_up and number == 0)
            if told is not None and told.status not in AGAIN:
                return
            await asyncio.sleep(1.0 + 2.0 * number)
            if number < command.patience:
                await turns.take(f"{command.id} again", SEND)

    async def once(self, asked: Asked, *, hangs_up: bool = False) -> Told | None:
        """Ask, of any process that is there; None when the line went dead."""
        schedule, command = self.world.schedule, asked.command
        apis = self.world.named("api")
        process = apis[schedule.chance.randrange(len(apis))]
        asking = self.asking(process.payments, asked)
        if asking is None:
            schedule.say(f"{command.id}: knows no payment of {command.order}")
            return None
        schedule.counted["request"] += 1
        serving = process.inside(asking, command.id)
        if hangs_up:
            await asyncio.wait({serving}, timeout=0.01)
            if not serving.done():
                serving.cancel()
        told = await self._heard(process, serving)
        asked.sent.append((schedule.turn, told))
        schedule.say(f"{command.id} was told {told and (told.status, told.body.decode())}")
        self._learn(command, told)
        return told

    @staticmethod
    async def _heard(process: Process, serving: asyncio.Task[Answer]) -> Told | None:
        try:
            return await process.told(serving)
        except Gone:
            return None

    def _learn(self, command: Command, told: Told | None) -> None:
        document = told.document if told else {}
        if isinstance(document.get("payment_id"), int):
            self.known.setdefault(command.order, document["payment_id"])
        by_hand = [refund["refund_id"] for refund in document.get("refunds", ())]
        if by_hand:
            self.refunds[command.order] = max(by_hand)

    def asking(self, payments: Payments, asked: Asked) -> Coroutine[Any, Any, Answer] | None:
        """The request itself; None where the client does not know which payment to name."""
        command = asked.command
        caller = _caller(command, asked.payment or self.known.get(command.order))
        if command.verb in TAKES_ORDER:
            taking = _taking(command)
            return (
                payments.create(caller, taking)
                if isinstance(taking, Create)
                else payments.charge(caller, taking)
            )
        if asked.payment is None:
            asked.payment = self.known.get(command.order)
        if asked.payment is None:
            return None
        return _about(payments, caller, command, PaymentId(asked.payment), self.refunds.get(command.order, 1))

    async def _act(self, command: Command) -> None:
        """The customer chooses on the bank's page, wherever one waits for this order."""
        record = self.world.record
        for entry in record.entries():
            if entry.order_id == command.order and entry.state.value == "action":
                chosen = await record.choose(entry.reference, approved=command.said == "approve")
                self.world.schedule.say(f"{command.id}: {entry.key[:6]} is {chosen and chosen.state}")


def _caller(command: Command, payment: int | None) -> Caller:
    """Who asks; the same request has the same fingerprint, whoever repeats it."""
    path = None if command.verb in TAKES_ORDER else payment
    payload = f"{_payload(command)} {path}"
    name = KeyName(SCOPES[command.verb], command.key)
    claim = KeyClaim(name, hashlib.sha256(payload.encode()).digest())
    return Caller(
        merchant_id=MERCHANT, actor=f"client-{command.client}", claim=claim, correlation_id=command.id
    )


def _payload(command: Command) -> str:
    said = (command.verb, command.order, command.amount_minor, command.currency, command.method, command.said)
    return f"{said} {command.final}"


def _taking(command: Command) -> Charge | Create:
    made = Create if command.verb == "create" else Charge
    return made(
        order_id=OrderId(command.order),
        user_id=UserId("7"),
        amount_minor=command.amount_minor or 0,
        currency=command.currency,
        method=PaymentMethod(command.method),
        capture=command.verb != "authorize",
        reference=f"REF-{command.order}",
    )


def _about(
    payments: Payments, caller: Caller, command: Command, payment: PaymentId, refund: int
) -> Coroutine[Any, Any, Answer]:
    amount = (
        None
        if command.amount_minor is None
        else str(major_units(command.amount_minor, currency(command.currency)))
    )
    match command.verb:
        case "confirm":
            return payments.confirm(caller, Confirm(payment_id=payment))
        case "capture":
            return payments.capture(caller, Capture(payment_id=payment, amount=amount, final=command.final))
        case "refund":
            asked = RefundPayment(payment_id=payment, amount=amount, reason="It came back")
            return payments.refund(caller, asked)
        case "cancel":
            return payments.cancel(caller, Cancel(payment_id=payment))
        case "status":
            status = PaymentStatus(command.said)
            return payments.change_status(
                caller, ChangeStatus(payment_id=payment, status=status, reason=OPERATORS_REASON)
            )
        case "collect":
            refused = command.said == "refused"
            taken = Collect(payment_id=payment, collector="c-1", amount=amount, refused=refused)
            return payments.collect(caller, taken)
        case "remit":
            return payments.remit(caller, Remit(payment_id=payment, remittance="r-1"))
        case "payout":
            return payments.pay_out(caller, payment, RefundId(refund))
        case _:
            raise ValueError(command.verb)
