"""A loop that works while there is work, rests while there is none, and survives the database going away."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

FAILURE_REST_S = 2.0
"""How long a loop rests after a failure: long enough not to flood the log while the database is away."""


@dataclass(frozen=True, slots=True)
class Loop:
    """``work`` does one bounded batch and says how much it did. ``rest_s`` is the pause when it did nothing."""

    name: str
    work: Callable[[], Awaitable[int]]
    rest_s: float

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set; the batch at hand is finished first."""
        while not stopping.is_set():
            if not await self._once():
                await _rest(stopping, self.rest_s)

    async def _once(self) -> int:
        try:
            return await self.work()
        except Exception:
            log.exception("loop failed; it goes on", extra={"loop": self.name})
            await asyncio.sleep(FAILURE_REST_S)
            return 0


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
