"""What merchants have limited, as one process knows it: never older than `STALE_S`.

A charge must not pay for limits that its merchant does not have, so they are remembered. After `FRESH_S` the next
caller has them looked up again behind its back; after `STALE_S` it waits for that. A change at the command line so
holds everywhere within five seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from eci_payments.store.limits import load_limits

if TYPE_CHECKING:
    from eci_payments.domain.ids import MerchantId
    from eci_payments.domain.limits import Limits
    from eci_payments.store.session import Database

FRESH_S, STALE_S = 2.0, 4.0
"""With the time of a query, a change holds within five seconds, as a revoked key does."""
KNOWN_MAX = 10_000
"""Merchants that are remembered; beyond it the oldest are looked up again."""


@dataclass(frozen=True, slots=True)
class _Known:
    limits: Limits
    asked_at: float


class MerchantLimits:
    """The limits of an installation's merchants."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[MerchantId, _Known] = {}
        self._asking: dict[MerchantId, asyncio.Task[_Known]] = {}

    async def of(self, merchant_id: MerchantId) -> Limits:
        """A merchant's limits. Raises what the database raises when it is away and they are too old."""
        known = self._known.get(merchant_id)
        age_s = STALE_S if known is None else self._clock() - known.asked_at
        if known is not None and age_s < FRESH_S:
            return known.limits
        asking = self._ask(merchant_id)
        if known is not None and age_s < STALE_S:
            return known.limits
        return (await asyncio.shield(asking)).limits

    def _ask(self, merchant_id: MerchantId) -> asyncio.Task[_Known]:
        asking = self._asking.get(merchant_id)
        if asking is None:
            asking = self._asking[merchant_id] = asyncio.create_task(self._look_up(merchant_id))
            asking.add_done_callback(lambda done: self._asked(merchant_id, done))
        return asking

    async def _look_up(self, merchant_id: MerchantId) -> _Known:
        now = self._clock()
        async with self._database.read() as session:
            found = _Known(await load_limits(session, merchant_id), now)
        self._known.pop(merchant_id, None)
        while len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[merchant_id] = found
        return found

    def _asked(self, merchant_id: MerchantId, done: asyncio.Task[_Known]) -> None:
        self._asking.pop(merchant_id, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody did where it was asked behind the back
