"""Webhooks that wait in the inbox: claimed, and applied through the same door as everything else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.operations.ingest.event import ingest
from eci_payments.recovery.operations import quietly
from eci_payments.store.inbox import claim_inbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from eci_payments.operations.service import Payments
    from eci_payments.store.inbox import InboxRow

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
        async with engine.database.write() as session:
            rows = await claim_inbox(session, limit=BATCH, lease_s=LEASE_S)
        engine.reached("after inbox claim")
        await asyncio.gather(*(self._apply(row) for row in rows))
        return len(rows)

    async def _apply(self, row: InboxRow) -> None:
        about: dict[str, object] = {"inbox_id": row.inbox_id, "gateway": row.account}
        await quietly(lambda: self._ingest(row), about)

    async def _ingest(self, row: InboxRow) -> None:
        state = await ingest(self.payments.engine, row)
        self.applied(row.account, state)
