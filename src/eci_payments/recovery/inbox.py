"""Webhooks that wait in the inbox: claimed, and applied through the same door as everything else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.operations.ingest.event import claim_events, ingest
from eci_payments.recovery.operations import quietly

if TYPE_CHECKING:
    from collections.abc import Callable

    from eci_payments.operations.ingest.event import Claimed
    from eci_payments.operations.service import Payments

BATCH = 64
"""Events claimed at once: those of different payments are written in one commit."""
LEASE_S = 30.0
"""A round takes tenths of a second; after this its worker has died, and another takes its events."""


def _uncounted(_account: str, _state: str) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True)
class InboxWorker:
    """Any number may run side by side. ``applied`` is told of each event: its account, and how it ended."""

    payments: Payments
    applied: Callable[[str, str], None] = field(default=_uncounted)

    async def run_once(self) -> int:
        """Apply one batch; how many there were."""
        engine = self.payments.engine
        engine.reached("before inbox claim")
        claimed = await claim_events(engine, limit=BATCH, lease_s=LEASE_S)
        engine.reached("after inbox claim")
        await asyncio.gather(*(self._apply(each) for each in claimed))
        return len(claimed)

    async def _apply(self, claimed: Claimed) -> None:
        about: dict[str, object] = {"inbox_id": claimed.row.inbox_id, "gateway": claimed.row.account}
        await quietly(lambda: self._ingest(claimed), about)

    async def _ingest(self, claimed: Claimed) -> None:
        state = await ingest(self.payments.engine, claimed)
        self.applied(claimed.row.account, state)
