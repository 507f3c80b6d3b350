"""Whether the database answers, within a bound that holds however it is away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

PULSE_TIMEOUT_S = 1.5
"""Most who probe give up after 2 s; the rest is for the way there and back."""


class Pulse:
    """Pings for everybody who asks, one at a time: a database that hangs costs one connection, not one per probe."""

    def __init__(self, ping: Callable[[], Awaitable[None]]) -> None:
        self._ping = ping
        self._pinging: asyncio.Task[bool] | None = None

    async def beats(self) -> bool:
        """Whether a ping came back in time.

        The answer does not wait for a ping that is given up: closing the connection of a server that has stopped
        answering takes the driver seconds more.
        """
        pinging = self._pinging
        if pinging is None or pinging.done():
            pinging = self._pinging = asyncio.create_task(self._came_back())
        done, _ = await asyncio.wait({pinging}, timeout=PULSE_TIMEOUT_S)
        if not done:
            log.warning("the database does not answer", extra={"waited_s": PULSE_TIMEOUT_S})
        return bool(done) and pinging.result()

    async def _came_back(self) -> bool:
        try:
            async with asyncio.timeout(PULSE_TIMEOUT_S):
                await self._ping()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from answering
            log.warning("the database does not answer", extra={"error": type(error).__name__})
            return False
        return True
