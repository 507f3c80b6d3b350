"""Waiting until a reader of a growing table has walked to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from eci_payments.store.session import Database, WriteSession

PATIENCE_S = 20.0
"""Readers stop at the oldest transaction of the whole server, and other tests have theirs."""


async def walk_to_end(
    database: Database,
    walk: Callable[[WriteSession], Awaitable[int]],
    behind: Callable[[WriteSession], Awaitable[int]],
) -> int:
    """Walk until nothing is left; how many rows there were."""
    walked = 0
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with database.write() as session:
                walked += await walk(session)
                left = await behind(session)
            if not left:
                return walked
            await asyncio.sleep(0.01)
