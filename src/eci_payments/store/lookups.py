"""Look-ups of single payments: callers' questions join one snapshot while the one before is being read.

As with the lane of writers there is no timer: a batch is what arrived meanwhile, and under no load a question waits for
nobody. Questions that wait are bounded; beyond that callers are told to come back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.store.reads import find_payments

if TYPE_CHECKING:
    from eci_payments.domain.ids import MerchantId
    from eci_payments.store.reads import PaymentView
    from eci_payments.store.session import Database

BATCH_MAX = 64
"""A bound on the work of one snapshot, so that who comes next does not wait long."""


@dataclass(slots=True)
class _Asked:
    merchant_id: MerchantId
    column: str
    value: object
    found: asyncio.Future[PaymentView | None]


class Lookups:
    """One queue and one reader. ``waiting_max`` counts questions."""

    def __init__(self, database: Database, waiting_max: int) -> None:
        self._database = database
        self._waiting_max = waiting_max
        self._waiting: deque[_Asked] = deque()
        self._reader: asyncio.Task[None] | None = None

    async def find(self, merchant_id: MerchantId, column: str, value: object) -> PaymentView | None:
        """The payment whose ``payment_id``, ``order_id`` or ``transaction_id`` this is, as callers are shown it.

        Raises Refusal BUSY, and what the database raises when it is away.
        """
        if len(self._waiting) >= self._waiting_max:
            raise Refusal(
                RefusalCode.BUSY, "The service is at its limit; try again shortly.", retry_after_s=1
            )
        asked = _Asked(merchant_id, column, value, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_all(), name="lookups")
        return await asked.found

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                count = min(BATCH_MAX, len(self._waiting))
                await self._read([self._waiting.popleft() for _ in range(count)])
        finally:
            self._reader = None

    async def _read(self, batch: list[_Asked]) -> None:
        wanted = [(asked.merchant_id, asked.column, asked.value) for asked in batch]
        try:
            async with self._database.read() as session:
                found = await find_payments(session, wanted)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' answer
            for asked in batch:
                if not asked.found.done():
                    asked.found.set_exception(error)
            return
        for asked, view in zip(batch, found, strict=True):
            if not asked.found.done():
                asked.found.set_result(view)
