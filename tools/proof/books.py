"""Everybody's books, read from outside: our tables by SQL, the gateway's record and the peers' journal by SQLite.

Nothing of the service is imported here: what it believes of itself is what is judged.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Row = dict[str, Any]
OURS = (
    "payments",
    "operations",
    "refunds",
    "disputes",
    "ledger_entries",
    "transactions",
    "events",
    "deliveries",
    "idempotency_keys",
    "audit_seals",
    "gateway_inbox",
)
IN, OUT = frozenset({"charge", "capture"}), frozenset({"refund"})
DONE = "approved"


@dataclass(frozen=True, slots=True)
class AtGateway:
    """One operation in the gateway's own record, as it stands now. Amounts in minor units."""

    key: str
    kind: str
    state: str
    transaction_id: str
    root_key: str
    moved_minor: int
    currency: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Disputed:
    """One dispute in the gateway's own record: of which charge, as it was decided last. In minor units."""

    reference: str
    root_key: str
    amount_minor: int
    state: str


@dataclass(frozen=True, slots=True)
class Heard:
    """One call that a peer took: in which place, with which key, what it said, and when, where somebody knows."""

    place: int
    peer: str
    key: str
    body: Row
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """Everything about one merchant: our rows by table, the gateway's operations by our key, what peers took, disputes.

    ``holds_late``: it was chosen that money which comes late is held for a person.
    """

    ours: dict[str, list[Row]]
    gateway: dict[str, AtGateway]
    heard: list[Heard]
    disputed: tuple[Disputed, ...] = ()
    holds_late: bool = False

    def of(self, table: str, payment: Row) -> list[Row]:
        """The rows of one payment."""
        return [row for row in self.ours[table] if row["payment_id"] == payment["payment_id"]]

    def at_gateway(self, payment: Row) -> list[AtGateway]:
        """What the gateway has of one payment."""
        return [each for each in self.gateway.values() if each.transaction_id == payment["transaction_id"]]


async def our_rows(connection: asyncpg.Connection[Any], merchant: int) -> dict[str, list[Row]]:
    """Our tables, in one snapshot."""
    found: dict[str, list[Row]] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for table in OURS:
            rows = await connection.fetch(
                f"SELECT * FROM {table} WHERE merchant_id = $1",  # noqa: S608 - constants
                merchant,
            )
            found[table] = [{name: _decoded(value) for name, value in row.items()} for row in rows]
    for table, by in (("transactions", ("version", "transaction_log_id")), ("events", ("sequence",))):
        found[table].sort(key=lambda row, by=by: [row[name] for name in by])  # type: ignore[misc] # names of columns
    return found


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        return json.loads(value)
    return value


def gateway_record(connection: sqlite3.Connection, merchant: int, now_s: float) -> dict[str, AtGateway]:
    """The simulator's own table, by our key; what turns by itself is read as it stands at this time."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'operations'").fetchone():
        return {}  # it was never asked for anything
    rows = connection.execute(
        "SELECT key, kind, CASE WHEN turns_at_s <= ? THEN turns_into ELSE state END, transaction_id, root_key,"
        " moved_minor, currency, reference FROM operations WHERE merchant_id = ?",
        (now_s, merchant),
    ).fetchall()
    found = {row[0]: AtGateway(*row) for row in rows}
    given_up = {
        each.root_key for each in found.values() if each.kind == "cancel_action" and each.state == "cancelled"
    }
    return {
        key: replace(each, state="cancelled") if each.state == "action" and key in given_up else each
        for key, each in found.items()
    }


def gateway_disputes(connection: sqlite3.Connection, merchant: int) -> tuple[Disputed, ...]:
    """The simulator's own table of disputes, of this merchant's charges."""
    rows = connection.execute(
        "SELECT d.reference, d.root_key, d.amount_minor, d.state FROM disputes d JOIN operations o"
        " ON o.key = d.root_key WHERE o.merchant_id = ? ORDER BY d.rowid",
        (merchant,),
    ).fetchall()
    return tuple(Disputed(*row) for row in rows)


def journal(path: Path) -> list[tuple[int, str, str, str]]:
    """Place, peer, key and body of every call that a stand-in peer took."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT number, peer, idempotency_key, body FROM received WHERE answered < 300 ORDER BY number"
        ).fetchall()


def heard(taken: Sequence[tuple[int, str, str, str]], payments: Sequence[Row]) -> list[Heard]:
    """What the peers took about these payments, told by the transaction id that begins each key."""
    mine = {payment["transaction_id"] for payment in payments}
    calls = [Heard(place, peer, key.strip('"'), json.loads(body)) for place, peer, key, body in taken]
    return [call for call in calls if call.key.partition("-")[0] in mine]


async def read(owner_url: str, merchant: int, record: Path, peers: Path) -> Books:
    """All of it, of one merchant."""
    connection = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        ours = await our_rows(connection, merchant)
    finally:
        await connection.close()
    with closing(sqlite3.connect(record)) as sandbox:
        gateway = gateway_record(sandbox, merchant, time.time())
        disputed = gateway_disputes(sandbox, merchant)
    return Books(ours, gateway, heard(journal(peers), ours["payments"]), disputed)
