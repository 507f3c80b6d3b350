"""How a loop rests: not at all while there is work, longer and longer while there is none, and until it is woken."""

from __future__ import annotations

import asyncio

SHORTEST_S = 0.02
"""The first rest after work: a busy queue is looked at again almost at once, an idle one costs few queries."""
ERROR_FIRST_S = 0.5
ERROR_LONGEST_S = 10.0
"""A database that is away is asked again within this time; each time leaves one line in the log."""


class Pause:
    """``longest_s`` is the most that a loop rests while nothing wakes it."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._idle_s = SHORTEST_S
        self._error_s = ERROR_FIRST_S
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()

    def wake(self) -> None:
        """There may be something to do: end this rest, or the next one."""
        self._woken.set()

    def end(self) -> None:
        """The loop is to stop: no rest any more."""
        self._ended.set()
        self._woken.set()

    async def rest(self, *, found: bool, more: bool, at_least_s: float = 0.0) -> None:
        """Rest until woken or until it is time to look again; not at all while there is ``more``.

        ``found`` says that there was something to do, and keeps the rests short. ``at_least_s`` lengthens them.
        """
        self._error_s = ERROR_FIRST_S
        self._idle_s = SHORTEST_S if found else min(self._idle_s * 2, self._longest_s)
        await _until(self._woken, max(0.0 if more else self._idle_s, at_least_s))
        self._woken.clear()

    async def after_error(self) -> None:
        """Rest for longer each time, woken or not."""
        await _until(self._ended, self._error_s)
        self._error_s = min(self._error_s * 2, ERROR_LONGEST_S)


async def _until(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
