"""What clients, couriers, operators, customers and workers do, each as one act upon a house."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from eci_payments.domain.errors import Refusal
from eci_payments.domain.ids import MerchantId, OrderId, PaymentId, RefundId, UserId
from eci_payments.domain.keys import KeyClaim, KeyName
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.contract import Approved
from eci_payments.gateways.hooks import GatewayEvent, OperationTold, Subject, Unread
from eci_payments.gateways.hooks import Told as Hooked
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
from eci_payments.operations.ingest.receive import receive
from eci_payments.store.lane import DatabaseAway
from proof.auditor import OPERATORS_REASON
from proof.house import LEASE_S, account
from proof.mail import open_box
from proof.servers import API_KEY
from proof.watch import PHASE

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from eci_payments.domain.change import Answer
    from proof.house import House

Told = dict[str, Any]
ORDER, USER = OrderId("order-1"), UserId("7")
AMOUNT_MINOR, DISPUTED_MINOR = 10000, 4000
DECLINED, ACTION, PENDING, UNSAID, DENIED_UNSAID, LATE = 5, 35, 26, 23, 24, 29
"""Endings of amounts that steer the sandbox."""
SCOPES = {
    "charge": "POST /v1/payments/charge",
    "create": "POST /v1/payments",
    "confirm": "POST /v1/payments/{payment_id}/confirm",
    "capture": "POST /v1/payments/{payment_id}/capture",
    "refund": "POST /v1/payments/{payment_id}/refund",
    "cancel": "DELETE /v1/payments/{payment_id}",
    "status": "PATCH /v1/payments/{payment_id}/status",
    "collect": "POST /v1/payments/{payment_id}/collect",
    "remit": "POST /v1/payments/{payment_id}/remit",
    "paid": "POST /v1/payments/{payment_id}/refunds/{refund_id}/paid",
}


def by(house: House, scope: str, key: str) -> Caller:
    """A client of this merchant, with an idempotency key."""
    claim = KeyClaim(KeyName(SCOPES[scope], key), hashlib.sha256(key.encode()).digest())
    return Caller(merchant_id=MerchantId(house.merchant), actor="client", claim=claim)


async def told(asking: Coroutine[Any, Any, Answer]) -> Told:
    """What the client was told: status, the document's own words, or the refusal's code."""
    try:
        answer = await asking
    except Refusal as refusal:
        return {"status": 409, "code": refusal.code.value}
    except DatabaseAway:
        return {"status": 503, "code": "database_away"}
    document = msgspec.json.decode(answer.body)
    kept = ("code", "transaction_id", "amount_captured_minor", "amount_refunded_minor")
    return {"status": answer.status, "is": document.get("status")} | {
        name: document.get(name) for name in kept
    }


async def payment_of(house: House) -> PaymentId:
    """The payment of the one order there is; 0 when there is none yet."""
    found = await house.owner.fetchval(
        "SELECT payment_id FROM payments WHERE merchant_id = $1 AND order_id = $2", house.merchant, ORDER
    )
    return PaymentId(found or 0)


@dataclass(frozen=True)
class Charging:
    """A charge; ``ending`` steers it, ``capture`` false only reserves."""

    ending: int = 0
    method: PaymentMethod = PaymentMethod.UPI
    capture: bool = True
    key: str = "charge"

    async def __call__(self, house: House) -> Told:
        """Ask for it."""
        command = Charge(
            order_id=ORDER,
            user_id=USER,
            amount_minor=AMOUNT_MINOR + self.ending,
            currency="INR",
            method=self.method,
            capture=self.capture,
        )
        return await told(house.payments.charge(by(house, "charge", self.key), command))


async def limit_users(house: House) -> None:
    """The merchant limits what one user is charged in a day."""
    await house.owner.execute(
        "INSERT INTO merchant_limits (merchant_id, kind, currency, amount_minor, window_s)"
        " VALUES ($1, 'user', 'INR', $2, 86400)",
        house.merchant,
        10 * AMOUNT_MINOR,
    )


async def create(house: House) -> Told:
    """Register a payment."""
    command = Create(
        order_id=ORDER, user_id=USER, amount_minor=AMOUNT_MINOR, currency="INR", method=PaymentMethod.UPI
    )
    return await told(house.payments.create(by(house, "create", "create"), command))


async def confirm(house: House) -> Told:
    """Charge what was registered, or ask about what waits for the customer."""
    command = Confirm(payment_id=await payment_of(house))
    return await told(house.payments.confirm(by(house, "confirm", "confirm"), command))


async def pay_online(house: House) -> Told:
    """Pay by another method what was to be paid in cash."""
    command = Confirm(payment_id=await payment_of(house), method=PaymentMethod.UPI)
    return await told(house.payments.confirm(by(house, "confirm", "online"), command))


async def cancel(house: House) -> Told:
    """Give it up."""
    command = Cancel(payment_id=await payment_of(house))
    return await told(house.payments.cancel(by(house, "cancel", "cancel"), command))


@dataclass(frozen=True)
class Capturing:
    """A capture of all, or of a part."""

    amount: str | None = None
    final: bool = True
    key: str = "capture"

    async def __call__(self, house: House) -> Told:
        """Ask for it."""
        command = Capture(payment_id=await payment_of(house), amount=self.amount, final=self.final)
        return await told(house.payments.capture(by(house, "capture", self.key), command))


@dataclass(frozen=True)
class Refunding:
    """A refund of all, or of a part."""

    amount: str | None = None
    key: str = "refund"

    async def __call__(self, house: House) -> Told:
        """Ask for it."""
        command = RefundPayment(payment_id=await payment_of(house), amount=self.amount, reason="It came back")
        return await told(house.payments.refund(by(house, "refund", self.key), command))


async def pay_out(house: House) -> Told:
    """Say that the refund by hand was paid."""
    payment = await payment_of(house)
    refund = await house.owner.fetchval(
        "SELECT max(refund_id) FROM refunds WHERE merchant_id = $1 AND payment_id = $2",
        house.merchant,
        payment,
    )
    return await told(house.payments.pay_out(by(house, "paid", "paid"), payment, RefundId(refund or 0)))


@dataclass(frozen=True)
class Collecting:
    """The courier's word."""

    amount: str | None = None
    refused: bool = False

    async def __call__(self, house: House) -> Told:
        """Say it."""
        command = Collect(
            payment_id=await payment_of(house), collector="c-1", amount=self.amount, refused=self.refused
        )
        return await told(house.payments.collect(by(house, "collect", "collect"), command))


async def remit(house: House) -> Told:
    """The carrier hands over the cash."""
    command = Remit(payment_id=await payment_of(house), remittance="r-1")
    return await told(house.payments.remit(by(house, "remit", "remit"), command))


@dataclass(frozen=True)
class Saying:
    """An operator's word on the status."""

    status: PaymentStatus

    async def __call__(self, house: House) -> Told:
        """Say it."""
        command = ChangeStatus(
            payment_id=await payment_of(house), status=self.status, reason=OPERATORS_REASON
        )
        return await told(house.payments.change_status(by(house, "status", "status"), command))


async def customer_approves(house: House) -> None:
    """The customer says yes on the bank's page."""
    url = await house.owner.fetchval(
        "SELECT next_action ->> 'url' FROM payments WHERE merchant_id = $1", house.merchant
    )
    async with httpx.AsyncClient(trust_env=False) as client:
        (await client.post(url, data={"choice": "approve"})).raise_for_status()


async def money_comes_late(house: House) -> None:
    """The sandbox does after all what it had never seen: its time is moved on, in its own record."""
    with closing(sqlite3.connect(house.place.record, timeout=20)) as record, record:
        record.execute("UPDATE operations SET turns_at_s = 0 WHERE merchant_id = ?", (house.merchant,))


@dataclass(frozen=True)
class Losing:
    """This act, at a gateway that cuts the line before it has done anything."""

    act: Charging

    async def __call__(self, house: House) -> Told:
        """Ask for it."""
        hears, cuts = house.gateway.inner, account(house.place.sandbox_url, fault="refuse")
        house.gateway.inner = cuts
        try:
            return await self.act(house)
        finally:
            house.gateway.inner = hears
            await cuts.close()


async def arrives_after_all(house: House) -> None:
    """The request for the charge, which was lost, comes to the gateway long after."""
    (lost,) = await house.owner.fetch(
        "SELECT o.*, o.payment_method AS method, p.transaction_id, p.order_id FROM operations o"
        " JOIN payments p USING (merchant_id, payment_id) WHERE o.merchant_id = $1",
        house.merchant,
    )
    names = ("merchant_id", "transaction_id", "order_id", "amount_minor", "currency", "method")
    body = {"key": lost["gateway_key"]} | {name: lost[name] for name in names}
    async with httpx.AsyncClient(base_url=house.place.sandbox_url, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        path = f"/v1/operations/{lost['kind'].lower()}"
        (await client.post(path, json=body, headers=headers)).raise_for_status()


async def recover(house: House) -> None:
    """A worker resumes what is due, until nothing is."""
    while await house.recover():
        pass


@dataclass(frozen=True)
class Waiting:
    """Nothing happens for so long."""

    seconds: float

    async def __call__(self, house: House) -> None:
        """Wait."""
        await house.later(self.seconds)


async def return_late_money(house: House) -> None:
    """The watch finds late money, and a worker gives it back."""
    await recover(house)
    await house.later(LEASE_S)
    await recover(house)


async def expire(house: House) -> None:
    """A worker gives up what has run out of time."""
    PHASE.set("loop expiry")
    await house.round("expiry")


async def deliver(house: House) -> None:
    """The relay tells the peers, until nothing is left to tell."""
    while await house.deliver():
        pass


@dataclass(frozen=True)
class Looping:
    """A worker's loop, until it has nothing to do."""

    name: str

    async def __call__(self, house: House) -> None:
        """Go round."""
        async with asyncio.timeout(20):
            while not await house.round(self.name):  # noqa: ASYNC110 - it stops at the oldest transaction
                await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Hook:
    """The gateway tells of the charge, ``times`` over; of ``more`` money than it was, or of nothing that we read."""

    times: int = 1
    more: int = 0
    unread: bool = False

    async def __call__(self, house: House) -> None:
        """Take it in, and have a worker apply it."""
        ((key, currency, amount),) = await house.owner.fetch(
            "SELECT gateway_key, currency, amount_minor FROM operations WHERE merchant_id = $1",
            house.merchant,
        )
        outcome = Approved(_reference(house, key), amount + self.more)
        hooked: Hooked = OperationTold(about=Subject(key=key), currency=currency, outcome=outcome)
        for number in range(2 * self.times):
            event = GatewayEvent(
                event_id=f"event-{number // 2}",
                type="proof",
                occurred_at=datetime.now(UTC),
                told=Unread(why="nothing of ours") if self.unread else hooked,
                payload={},
                merchant_id=house.merchant,
            )
            PHASE.set("webhook")
            await receive(house.payments.engine, house.gateway.name, event)
        while await house.round("inbox"):
            pass


def _reference(house: House, key: str) -> str:
    with closing(sqlite3.connect(house.place.record, timeout=20)) as record:
        return str(record.execute("SELECT reference FROM operations WHERE key = ?", (key,)).fetchone()[0])


async def refund_elsewhere(house: House) -> None:
    """Somebody gives a part of the money back in the gateway's dashboard."""
    (charge,) = await house.owner.fetch(
        "SELECT gateway_reference FROM operations WHERE merchant_id = $1", house.merchant
    )
    await _at_the_gateway(
        house, "POST", "/refunds", {"charge": charge["gateway_reference"], "amount_minor": 3000}
    )


async def dispute_elsewhere(house: House) -> None:
    """The customer's bank takes a part of the money back."""
    (charge,) = await house.owner.fetch(
        "SELECT gateway_reference FROM operations WHERE merchant_id = $1 AND kind = 'CHARGE'", house.merchant
    )
    await _at_the_gateway(
        house, "POST", "/disputes", {"charge": charge["gateway_reference"], "amount_minor": DISPUTED_MINOR}
    )


@dataclass(frozen=True)
class Deciding:
    """The bank decides the dispute."""

    state: str

    async def __call__(self, house: House) -> None:
        """Say how."""
        with closing(sqlite3.connect(house.place.record, timeout=20)) as record:
            ((reference,),) = record.execute(
                "SELECT d.reference FROM disputes d JOIN operations o ON o.key = d.root_key WHERE o.merchant_id = ?",
                (house.merchant,),
            ).fetchall()
        await _at_the_gateway(house, "PUT", f"/disputes/{reference}", {"state": self.state})


async def _at_the_gateway(house: House, verb: str, path: str, body: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=house.place.sandbox_url, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        (await client.request(verb, f"/v1/dashboard{path}", json=body, headers=headers)).raise_for_status()


async def open_the_post(house: House) -> None:
    """All that the gateway tells is taken in and applied."""
    await open_box(house, wait=True)


@dataclass(frozen=True)
class Dying:
    """Another process that begins this act and is killed at a point of it: what it leaves is the setup."""

    act: Any
    at: str
