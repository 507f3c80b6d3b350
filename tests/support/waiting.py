"""Waiting for something to become true, within a bound."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(true: Callable[[], Any], within_s: float = 20.0, every_s: float = 0.03) -> None:
    """Return when ``true()`` is; it may be a coroutine function. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            answer = true()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(every_s)
