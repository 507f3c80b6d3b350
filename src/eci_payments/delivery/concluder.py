"""Writes conclusions, as many in one transaction as have gathered while the last one was written."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from eci_payments.store.delivery_claims import conclude

if TYPE_CHECKING:
    from eci_payments.domain.ids import DeliveryId
    from eci_payments.store.delivery_claims import Conclusion
    from eci_payments.store.session import Database

log = logging.getLogger(__name__)

TRIES = 5
"""Then the conclusions are given up: their leases end, and the deliveries are sent again."""
FIRST_PAUSE_S = 0.1
CLOSE_S = 2.0
"""A process that is told to stop is gone within 10 s, and most of them went into waiting for peers."""

Waiting = tuple["Conclusion", "asyncio.Future[bool]"]


class Concluder:
    """Shared by all couriers of a process. Its queue is bounded by how many deliveries they have on their way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def conclude(self, conclusion: Conclusion) -> bool:
        """Whether it landed: False when the lease had been lost, or the database did not take it in time."""
        landed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((conclusion, landed))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await landed

    async def close(self) -> None:
        """Wait for what is being written; nobody may conclude any more."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=CLOSE_S)

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            landed = await self._written([conclusion for conclusion, _ in batch])
            for conclusion, waits in batch:
                if not waits.done():
                    waits.set_result(conclusion.claimed.delivery_id in landed)
        self._writing = None

    async def _written(self, conclusions: list[Conclusion]) -> frozenset[DeliveryId]:
        for attempt in range(TRIES):
            try:
                async with self._database.write() as session:
                    return await conclude(session, conclusions)
            except Exception:
                log.exception("conclusions of %d deliveries could not be written", len(conclusions))
                await asyncio.sleep(FIRST_PAUSE_S * 2**attempt)
        return frozenset()
