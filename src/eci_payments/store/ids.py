"""Ids for new rows, and the random names that nobody may guess: one of the two seams that tests replace.

A process takes numbers from the database's sequences in blocks and counts on by itself, so that a row's id is known
before its transaction begins. Numbers may be left out; they are never used twice.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.domain.base32 import drawn
from eci_payments.domain.errors import BrokenInvariant
from eci_payments.domain.ids import (
    AuditId,
    EntryId,
    EventId,
    GatewayKey,
    OperationId,
    PaymentId,
    RefundId,
    TransactionId,
)
from eci_payments.store.session import run
from eci_payments.store.tables import ID_BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eci_payments.store.session import Database, WriteSession

LEAST_BLOCKS = 16
"""A thousand ids: some hundreds of charges go by between two look-ups, which are a transaction each."""
RANDOM_LETTERS = 26
"""Of five bits: the 128 bits that OWASP ASVS 11.5.1 asks of a value that must not be guessed, and two more."""
RANDOM_BYTES = 16
_REFERENCE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_REFERENCE_LENGTH = 12
_PAIRS = [second + first for first in _REFERENCE_ALPHABET for second in _REFERENCE_ALPHABET]
_REFERENCES = len(_REFERENCE_ALPHABET) ** _REFERENCE_LENGTH


@dataclass(slots=True)
class _Numbers:
    sequence: str
    per_unit: int
    """The most ids of this kind that one unit of work can use."""
    free: list[int] = field(default_factory=list)

    def take(self) -> int:
        if not self.free:
            raise BrokenInvariant(f"the pool of {self.sequence} ran dry inside a transaction")
        return self.free.pop()


def _wanting(pools: Sequence[_Numbers], units: int) -> list[_Numbers]:
    return [pool for pool in pools if len(pool.free) < units * pool.per_unit]


async def _block(session: WriteSession, pool: _Numbers, units: int) -> list[int]:
    blocks = max(LEAST_BLOCKS, -(-units * pool.per_unit // ID_BLOCK))
    rows = await run(
        session, "SELECT nextval($1::regclass) FROM generate_series(1, $2)", pool.sequence, blocks
    )
    return [first + offset for (first,) in rows for offset in range(ID_BLOCK)]


class Ids:
    """The ids of one process. ``random_bytes`` is the source of randomness, replaced by seeded tests."""

    def __init__(self, database: Database, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._database = database
        self._random = random_bytes
        self._filling = asyncio.Lock()
        self._payments = _Numbers("payment_ids", 1)
        self._operations = _Numbers("operation_ids", 2)
        self._refunds = _Numbers("refund_ids", 1)
        self._audit = _Numbers("transaction_log_ids", 3)
        self._entries = _Numbers("ledger_entry_ids", 3)
        self._events = _Numbers("event_ids", 2)
        self._begun = _Numbers("operation_ids", 1)
        self._pools = (
            self._payments,
            self._operations,
            self._refunds,
            self._audit,
            self._entries,
            self._events,
        )

    async def reserve(self, units: int) -> None:
        """Make sure that so many units of work find every id they may need, before their transaction begins."""
        await self._fill(self._pools, units)

    async def new_operation(self) -> OperationId:
        """The id of an operation that a caller is about to begin; taken apart from what transactions reserved."""
        if not self._begun.free:
            await self._fill((self._begun,), 1)
        return OperationId(self._begun.take())

    async def _fill(self, pools: Sequence[_Numbers], units: int) -> None:
        """Nothing is awaited between the last look at the pools and the return: nobody else takes what was found."""
        while _wanting(pools, units):
            async with self._filling:  # callers who find a pool empty together do not each take a block
                await self._fetch(_wanting(pools, units), units)

    async def _fetch(self, wanting: Sequence[_Numbers], units: int) -> None:
        if not wanting:
            return
        async with self._database.write() as session:
            fetched = [await _block(session, pool, units) for pool in wanting]
        for pool, fresh in zip(wanting, fetched, strict=True):
            pool.free = sorted(pool.free + fresh, reverse=True)

    def payment(self) -> PaymentId:
        """A new payment's id."""
        return PaymentId(self._payments.take())

    def operation(self) -> OperationId:
        """A new operation's id."""
        return OperationId(self._operations.take())

    def refund(self) -> RefundId:
        """A new refund's id."""
        return RefundId(self._refunds.take())

    def audit(self) -> AuditId:
        """A new audit entry's id."""
        return AuditId(self._audit.take())

    def entry(self) -> EntryId:
        """A new ledger entry's id."""
        return EntryId(self._entries.take())

    def event(self) -> EventId:
        """A new event's id."""
        return EventId(self._events.take())

    def transaction(self) -> TransactionId:
        """A payment's public id: ``TXN`` and 130 random bits in base32."""
        return TransactionId("TXN" + self._letters())

    def gateway_key(self) -> GatewayKey:
        """Our name for one operation at its gateway: 130 random bits in base32."""
        return GatewayKey(self._letters())

    def reference(self) -> str:
        """A reference for a caller that brought none: ``REF`` and 12 characters of ``A-Z 0-9``."""
        number = int.from_bytes(self._random(RANDOM_BYTES)) % _REFERENCES
        letters = ["REF"]
        for _ in range(_REFERENCE_LENGTH // 2):
            number, place = divmod(number, len(_PAIRS))
            letters.append(_PAIRS[place])
        return "".join(letters)

    def _letters(self) -> str:
        return drawn(self._random(RANDOM_LETTERS))
