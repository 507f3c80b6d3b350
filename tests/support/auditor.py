"""An auditor who trusts nobody: our books, the gateway's record and the peers' journal, compared from outside."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg

from eci_payments.delivery.peers import WANTED
from eci_payments.delivery.shapes import PeerName
from eci_payments.domain.events import EventType
from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord

if TYPE_CHECKING:
    from pathlib import Path

    from eci_payments.gateways.adapters.simulator.movements import Totals

S = PaymentStatus
UNDER_WAY = """
SELECT EXISTS (SELECT FROM operations WHERE state IN ('STARTED', 'PENDING', 'REQUIRES_ACTION', 'UNKNOWN'))
    OR EXISTS (SELECT FROM deliveries WHERE state = 'PENDING')
    OR EXISTS (SELECT FROM events e WHERE e.event_type = ANY ($1::text[]) AND NOT EXISTS (
        SELECT FROM deliveries d WHERE d.merchant_id = e.merchant_id AND d.event_id = e.event_id))
"""
"""One statement, so one moment: what moves from one of these places to the next is never between them."""


@dataclass(slots=True)
class Auditor:
    """Reads as the owner of the database; asks no code of ours but the simulator's own for its record."""

    connection: Any
    record: Path
    journal: Path
    gateway: str
    """The account at the gateway whose record it is."""

    async def drained(self) -> bool:
        """Whether nothing is under way any more."""
        always = [kind.value for kind, status in WANTED[PeerName.ORDER] if status is None]
        return not await self.connection.fetchval(UNDER_WAY, always)

    def moved(self) -> dict[str, Totals]:
        """What the gateway says it moved, by transaction id."""
        record = SimulatorRecord(self.record)
        try:
            return record.charges_by_transaction()
        finally:
            record.close()

    async def payments(self) -> list[Any]:
        """Every payment, with what our ledger says of the gateway's account."""
        return list(await self.connection.fetch(_PAYMENTS, f"gateway:{self.gateway}:receivable"))

    async def wrong_money(self) -> list[str]:
        """Payments of which the gateway and our ledger do not say the same, or whose state is not true."""
        moved, wrong = self.moved(), []
        payments = await self.payments()
        for payment in payments:
            there = moved.pop(payment["transaction_id"], None)
            taken, refunded = (there.taken_minor, there.refunded_minor) if there else (0, 0)
            ours = (payment["taken"], payment["given_back"])
            if ours != (taken, refunded):
                wrong.append(f"{_named(payment)}: ours {ours}, the gateway's {(taken, refunded)}")
            if payment["capture"] and there is not None and there.takings > 1:
                wrong.append(f"{_named(payment)}: taken {there.takings} times")
            if not _is_true(payment, taken, refunded):
                wrong.append(f"{_named(payment)}: not true of {(taken, refunded)}")
        return wrong + [f"{transaction}: unknown to us" for transaction in moved]

    async def wrong_deliveries(self) -> list[str]:
        """Events that a peer was not told although it should have been, or not in order."""
        taken = self._taken()
        superseded = {
            (row["event_id"], row["destination"])
            for row in await self.connection.fetch(
                "SELECT event_id, destination FROM deliveries WHERE state = 'SUPERSEDED'"
            )
        }
        wrong, before = [], defaultdict[tuple[int, str], int](int)
        for event in await self.connection.fetch(_EVENTS):
            for peer in PeerName:
                if not _wants(peer, event) or (event["event_id"], peer.value) in superseded:
                    continue
                name = f"{event['transaction_id']}-{event['sequence']}-{peer}"
                first = taken.get(name)
                if first is None:
                    wrong.append(f"{name} ({event['event_type']}) was never told")
                    continue
                place = (event["payment_id"], peer.value)
                if first < before[place]:
                    wrong.append(f"{name} was told before an earlier one")
                before[place] = first
        return wrong

    async def stock_of_paid(self) -> list[str]:
        """Orders that are paid and whose stock was released when or after they were."""
        paid = {
            row["order_id"]: row["completed_at"]
            for row in await self.connection.fetch(
                "SELECT order_id, completed_at FROM payments WHERE status IN ('COMPLETED', 'PARTIALLY_REFUNDED')"
            )
        }
        with sqlite3.connect(self.journal) as journal:
            released = journal.execute(
                "SELECT order_id, received_at FROM received WHERE peer = 'inventory' AND answered < 300"
            ).fetchall()
        return [
            order for order, at in released if order in paid and datetime.fromisoformat(at) >= paid[order]
        ]

    def _taken(self) -> dict[str, int]:
        """The place in the journal at which each key was first taken."""
        with sqlite3.connect(self.journal) as journal:
            rows = journal.execute(
                "SELECT idempotency_key, min(number) FROM received WHERE answered < 300 GROUP BY idempotency_key"
            )
            return {key.strip(chr(34)): number for key, number in rows.fetchall()}


def _wants(peer: PeerName, event: Any) -> bool:
    kind, status = EventType(event["event_type"]), S(event["status"])
    return (kind, None) in WANTED[peer] or (kind, status) in WANTED[peer]


def _is_true(payment: Any, taken: int, refunded: int) -> bool:
    net = taken - refunded
    match S(payment["status"]):
        case S.COMPLETED:
            return bool(net == payment["amount_captured_minor"] > 0)
        case S.PARTIALLY_REFUNDED:
            return bool(0 < net < payment["amount_captured_minor"])
        case S.REFUNDED:
            return taken > 0 == net
        case S.FAILED | S.CANCELLED | S.PENDING | S.AUTHORIZED:
            return net == 0
        case _:
            return False  # nothing stays under way


def _named(payment: Any) -> str:
    return f"payment {payment['payment_id']} of {payment['order_id']} ({payment['status']})"


_PAYMENTS = """
SELECT p.*, coalesce(sum(l.amount_minor) FILTER (WHERE l.debit_account = $1), 0)::bigint AS taken,
       coalesce(sum(l.amount_minor) FILTER (WHERE l.credit_account = $1), 0)::bigint AS given_back
FROM payments p LEFT JOIN ledger_entries l ON l.merchant_id = p.merchant_id AND l.payment_id = p.payment_id
GROUP BY p.merchant_id, p.payment_id
"""
_EVENTS = """
SELECT e.event_id, e.payment_id, e.sequence, e.event_type, e.data ->> 'status' AS status, p.transaction_id
FROM events e JOIN payments p ON p.merchant_id = e.merchant_id AND p.payment_id = e.payment_id
ORDER BY e.payment_id, e.sequence
"""


async def auditor(owner_url: str, record: Path, journal: Path, gateway: str = "simulator") -> Auditor:
    """An auditor with a connection of their own; whoever asked closes it."""
    return Auditor(await asyncpg.connect(owner_url.replace("+asyncpg", "")), record, journal, gateway)
