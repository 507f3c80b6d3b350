"""The core of the service on a fresh database, with a scripted gateway, seeded ids and a way to let time pass."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec

from eci_payments.domain.card_fingerprints import CardKeys
from eci_payments.domain.errors import Refusal
from eci_payments.domain.ids import SINGLE_SHOP, OrderId, PaymentId, UserId
from eci_payments.domain.keys import KeyClaim, KeyName
from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.accounts import Account
from eci_payments.gateways.routing import Gateways
from eci_payments.operations.commands import Caller, Charge
from eci_payments.operations.engine import Engine
from eci_payments.operations.rules import Rules
from eci_payments.operations.service import NO_KEYS, Payments
from eci_payments.recovery.expiry import PaymentExpiry
from eci_payments.recovery.operations import OperationRecovery
from eci_payments.store import verify
from eci_payments.store.ids import Ids
from eci_payments.store.lane import Lane
from eci_payments.store.reads import PaymentView, find_payment
from eci_payments.store.session import Database, run

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from eci_payments.domain.change import Answer
    from support.gateway import ScriptedGateway

SCOPES = {
    "charge": "POST /v1/payments/charge",
    "create": "POST /v1/payments",
    "confirm": "POST /v1/payments/{payment_id}/confirm",
    "capture": "POST /v1/payments/{payment_id}/capture",
    "refund": "POST /v1/payments/{payment_id}/refund",
    "cancel": "DELETE /v1/payments/{payment_id}",
    "approve": "POST /v1/approvals/{approval_id}",
    "status": "PATCH /v1/payments/{payment_id}/status",
}


class Crash(BaseException):
    """The process dies here; nothing of ours catches it."""


@dataclass
class Watch:
    """Crashes at a named point, once, when told to; remembers the points that were passed."""

    crash_at: str | None = None
    passed: list[str] = field(default_factory=list)

    def __call__(self, point: str) -> None:
        self.passed.append(point)
        if point == self.crash_at:
            self.crash_at = None
            raise Crash(point)


@dataclass
class House:
    """One process: its connections, lane and engine. Several may stand over one database and one gateway."""

    database: Database
    lane: Lane
    payments: Payments
    gateway: ScriptedGateway
    watch: Watch

    async def close(self) -> None:
        await self.payments.drain()
        await self.lane.drain()
        await self.database.close()

    @property
    def rules(self) -> Rules:
        return self.payments.engine.rules

    async def view(self, payment_id: int) -> PaymentView:
        async with self.database.read() as session:
            found = await find_payment(session, SINGLE_SHOP, "payment_id", payment_id)
        assert found is not None
        return found

    async def view_of_order(self, order: str) -> PaymentView | None:
        async with self.database.read() as session:
            return await find_payment(session, SINGLE_SHOP, "order_id", order)

    async def query(self, sql: str, *values: object) -> list[Any]:
        async with self.database.write() as session:
            return list(await run(session, sql, *values))

    async def events(self, payment_id: int) -> list[str]:
        found = await self.query(
            "SELECT event_type FROM events WHERE payment_id = $1 ORDER BY sequence", payment_id
        )
        return [row.event_type for row in found]

    async def ledger(self, payment_id: int) -> list[str]:
        found = await self.query(
            "SELECT movement, amount_minor FROM ledger_entries WHERE payment_id = $1 ORDER BY entry_id",
            payment_id,
        )
        return [f"{row.movement}:{row.amount_minor}" for row in found]

    async def key(self, scope: str, key: str) -> Any:
        """The key's row; None when it is free."""
        found = await self.query(
            "SELECT * FROM idempotency_keys WHERE scope = $1 AND key = $2", SCOPES[scope], key
        )
        return found[0] if found else None

    async def later(self, seconds: float, payment_id: int | None = None) -> None:
        """Let time pass for what stands in the database, of one payment or of all."""
        async with self.database.write() as session:
            for table, columns in _TIMES.items():
                moved = ", ".join(f"{c} = {c} - make_interval(secs => $1)" for c in columns)
                await run(
                    session,
                    f"UPDATE {table} SET {moved} WHERE $2::bigint IS NULL OR payment_id = $2",
                    float(seconds),
                    payment_id,
                )

    async def recover(self) -> int:
        """One worker's rounds until nothing is due; how many operations were resumed."""
        recovery, resumed = OperationRecovery(self.payments), 0
        while done := await recovery.run_once():
            resumed += done
        return resumed

    async def expire(self) -> int:
        return await PaymentExpiry(self.payments).run_once()

    async def broken(self, payment_id: int | None = None) -> list[str]:
        """What a verification finds, of one payment or of all; and where the gateway's record is not the ledger."""
        found = await self.findings(payment_id)
        return found + await self._differences(payment_id)

    async def findings(self, payment_id: int | None) -> list[str]:
        """What a verification finds."""
        if payment_id is None:
            report = await verify.verify(self.database)
            return [f"{f.check}: {f.where} {f.what}" for f in report.findings]
        found: list[str] = []
        async with self.database.read() as session:
            for check in verify.RANGE_CHECKS:
                rows = await run(session, check.sql, SINGLE_SHOP, payment_id - 1, payment_id)
                found.extend(f"{check.name}: {row.place} {row.what}" for row in rows)
        return found

    async def _differences(self, payment_id: int | None) -> list[str]:
        account = f"gateway:{self.gateway.name}:receivable"
        rows = await self.query(_HELD, account, payment_id)
        booked = {(row.transaction_id, row.currency): int(row.held) for row in rows if row.held}
        ours = None
        if payment_id is not None:
            ours = (await self.view(payment_id)).payment.transaction_id
        held = {k: v for k, v in self.gateway.net().items() if ours in {None, k[0]}}
        return [
            f"gateway holds {held.get(place, 0)}, ledger says {booked.get(place, 0)} of {place}"
            for place in held.keys() | booked.keys()
            if held.get(place, 0) != booked.get(place, 0)
        ]


_TIMES = {
    "operations": ("created_at", "due_at", "inquired_at", "concluded_at"),
    "payments": ("created_at", "updated_at", "expires_at", "completed_at", "captured_at"),
    "refunds": ("created_at", "completed_at", "approval_expires_at", "decided_at"),
    "idempotency_keys": ("created_at", "completed_at"),
}
_HELD = """
SELECT p.transaction_id, e.currency,
       sum(CASE $1 WHEN e.debit_account THEN e.amount_minor WHEN e.credit_account THEN -e.amount_minor END) AS held
FROM ledger_entries e JOIN payments p USING (merchant_id, payment_id)
WHERE $1 IN (e.debit_account, e.credit_account) AND ($2::bigint IS NULL OR p.payment_id = $2)
GROUP BY p.transaction_id, e.currency
"""


def open_house(
    url: str,
    gateway: ScriptedGateway | Account,
    *,
    seed: int = 1,
    batch_max: int = 64,
    queue_max: int = 1000,
    pool_size: int = 8,
    others: Sequence[Account | ScriptedGateway] = (),
    cards: CardKeys = NO_KEYS,
    **rules: Any,
) -> House:
    """A process over this database. ``rules`` replace the defaults, which wait for nothing long."""
    first = cast("ScriptedGateway", gateway.gateway) if isinstance(gateway, Account) else gateway
    database = Database(url, pool_size=pool_size)
    ids = Ids(database, random.Random(seed).randbytes)
    lane = Lane(database, ids, batch_max=batch_max, queue_max=queue_max, key_window_h=24)
    chosen = Rules(**({"key_wait_s": 0.5} | rules))
    watch = Watch()
    engine = Engine(database, lane, ids, Gateways([gateway, *others]), chosen, reached=watch)
    return House(database, lane, Payments(engine, cards), first, watch)


def caller(
    scope: str = "charge", key: str | None = None, fingerprint: bytes = b"same", **fields: Any
) -> Caller:
    """A client; with a key of its own where one is named."""
    claim = KeyClaim(KeyName(SCOPES[scope], key), fingerprint) if key else None
    return Caller(merchant_id=SINGLE_SHOP, actor="client", claim=claim, **fields)


def charging(order: object, amount_minor: int = 10000, **fields: Any) -> Charge:
    """A charge of 100 INR by UPI."""
    values: dict[str, Any] = {"user_id": UserId("7"), "currency": "INR", "method": PaymentMethod.UPI}
    return Charge(order_id=OrderId(str(order)), amount_minor=amount_minor, **(values | fields))


@dataclass(frozen=True)
class Told:
    """What a caller was told: a status and a body, or a refusal's code."""

    status: int
    body: bytes = b""
    code: str = ""
    replayed: bool = False

    @property
    def document(self) -> dict[str, Any]:
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        return decoded

    @property
    def payment_id(self) -> PaymentId:
        return PaymentId(self.document["payment_id"])


async def told(asking: Coroutine[Any, Any, Answer]) -> Told:
    """What came of it; a refusal has status 0."""
    try:
        answer = await asking
    except Refusal as refusal:
        return Told(0, code=refusal.code.value)
    code = msgspec.json.decode(answer.body).get("code", "")
    return Told(answer.status, answer.body, code, answer.replayed)


async def crashed(asking: Coroutine[Any, Any, Answer]) -> None:
    """It must have died on the way."""
    try:
        await asking
    except Crash:
        return
    raise AssertionError("it did not crash")


async def all_told(*asking: Coroutine[Any, Any, Answer]) -> list[Told]:
    """All at once."""
    return list(await asyncio.gather(*(told(each) for each in asking)))
