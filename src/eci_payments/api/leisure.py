"""Whoever is turned away at the door is answered at leisure: one in each turn of the event loop, behind all else.

A charge takes a dozen turns of the loop, most of them to hear from the database. If each of them also answered every
refusal of a flood, charges would wait for the refusals, although nothing is in their way. So whoever floods waits.
While there is nothing else to do, a turn is over at once and so is the wait.
"""

from __future__ import annotations

import asyncio
from collections import deque

WAITING_MAX = 2000
"""Refusals that wait, as many as requests may run; beyond it they are answered at once."""


class Leisure:
    """The refusals of one process that wait to be answered."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_calling = False

    async def turn(self) -> None:
        """Wait for it, in the order of arrival."""
        if len(self._waiting) >= WAITING_MAX:
            return
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting.append(mine)
        if not self._is_calling:
            self._is_calling = True
            loop.call_soon(self._call, loop)
        await mine

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            called = self._waiting.popleft()
            if not called.done():  # whoever hung up is no longer there
                called.set_result(None)
                break
        self._is_calling = bool(self._waiting)
        if self._is_calling:
            loop.call_soon(self._call, loop)
