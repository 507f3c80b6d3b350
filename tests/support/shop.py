"""Payments and events put straight into the database, as the writers leave them, for tests of whoever reads them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eci_payments.domain.events import ENTERED, Event, EventType, event_data
from eci_payments.domain.ids import EventId, MerchantId, OrderId, PaymentId, TransactionId, UserId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import Payment, PaymentStatus
from eci_payments.store.rows import EVENTS, PAYMENTS
from eci_payments.store.session import Database, WriteSession, run

if TYPE_CHECKING:
    from collections.abc import Sequence

MERCHANT = MerchantId(1)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def payment(number: int = 1, **fields: Any) -> Payment:
    """A payment of 149.50 INR; ``number`` is its id and its order's."""
    values: dict[str, Any] = {
        "merchant_id": MERCHANT,
        "payment_id": PaymentId(number),
        "order_id": OrderId(str(number)),
        "user_id": UserId("7"),
        "transaction_id": TransactionId(f"TXN{number:026d}"),
        "status": PaymentStatus.PENDING,
        "method": PaymentMethod.UPI,
        "currency": "INR",
        "amount_minor": 14950,
        "amount_authorized_minor": 14950,
        "reference": "REFAAAABBBBCCCC",
        "capture": True,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Payment(**(values | fields))


def event(of: Payment, sequence: int = 1, event_id: int = 1, kind: EventType | None = None) -> Event:
    """The event that tells of ``of`` having entered its state."""
    return Event(
        merchant_id=of.merchant_id,
        event_id=EventId(event_id),
        payment_id=of.payment_id,
        sequence=sequence,
        type=kind or ENTERED[of.status],
        data=event_data(None, of, None),
        correlation_id="corr-1",
        traceparent=TRACEPARENT,
        created_at=NOW,
    )


class Shop:
    """Writes payments and their events; ids are counted here."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._payments: dict[PaymentId, Payment] = {}
        self._event_ids = itertools.count(1)
        self._numbers = itertools.count(1)

    async def told(self, *statuses: PaymentStatus, payments: int = 1) -> list[Payment]:
        """New payments that go through these states, with an event for each, in one commit."""
        made = [payment(next(self._numbers), status=statuses[-1]) for _ in range(payments)]
        events = [
            self._event(replace(each, status=status), sequence)
            for each in made
            for sequence, status in enumerate(statuses, 1)
        ]
        async with self.database.write() as session:
            await run(session, PAYMENTS.insert(1), *PAYMENTS.values(made))
            await self.tell(session, events)
        self._payments |= {each.payment_id: replace(each, event_sequence=len(statuses)) for each in made}
        return made

    async def goes_on(self, payment_id: PaymentId, status: PaymentStatus, **fields: Any) -> Event:
        """The payment enters another state and an event tells so, in one commit."""
        async with self.database.write() as session:
            return await self.moves(session, payment_id, status, **fields)

    async def moves(
        self, session: WriteSession, payment_id: PaymentId, status: PaymentStatus, **fields: Any
    ) -> Event:
        """The same in a transaction of the caller's."""
        before = self._payments[payment_id]
        after = replace(before, status=status, event_sequence=before.event_sequence + 1, **fields)
        self._payments[payment_id] = after
        sql = PAYMENTS.update(1, ("merchant_id", "payment_id"), "true", ("created_at",))
        await run(session, sql, *PAYMENTS.values([after]))
        told = self._event(after, after.event_sequence)
        await self.tell(session, [told])
        return told

    async def tell(self, session: WriteSession, events: Sequence[Event]) -> None:
        """Write the events."""
        await run(session, EVENTS.insert(1), *EVENTS.values(list(events)))

    async def becomes(self, payment_id: int, **columns: object) -> None:
        """Change columns of a payment without an event."""
        sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 3))
        async with self.database.write() as session:
            await run(
                session,
                f"UPDATE payments SET {sets} WHERE merchant_id = $1 AND payment_id = $2",
                MERCHANT,
                payment_id,
                *columns.values(),
            )

    def _event(self, after: Payment, sequence: int) -> Event:
        return event(after, sequence, next(self._event_ids))
