"""Operations that are due: whose process died, whose outcome is unknown or pending, whose money may come late."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.domain.errors import Refusal
from eci_payments.observability.context import trace
from eci_payments.observability.spans import going_on
from eci_payments.operations.commands import Caller
from eci_payments.store.leases import Share, claim_due

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from eci_payments.domain.operation import Operation
    from eci_payments.operations.service import Payments

log = logging.getLogger(__name__)

ACTOR = "recovery"
BATCH = 32
"""Operations claimed at once: each waits for a gateway."""
PER_GATEWAY = 8
"""Inquiries at one gateway at once. What had to wait behind a slow one until its lease may not be used any more is
left to the next claim."""


@dataclass(frozen=True, slots=True)
class OperationRecovery:
    """Claims what is due and resumes it. Any number may run side by side: a claim raises the lease epoch."""

    payments: Payments
    share: Share = field(default_factory=Share)
    """Whose operations: a gateway that lets us wait holds up only its own."""
    gates: defaultdict[str, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(PER_GATEWAY))
    )

    async def run_once(self) -> int:
        """Resume one batch; how many there were."""
        engine = self.payments.engine
        engine.reached("before claim")
        claimed_at = asyncio.get_running_loop().time()
        async with engine.database.write() as session:
            claimed = await claim_due(session, limit=BATCH, lease_s=engine.rules.lease_s, share=self.share)
        engine.reached("after claim")
        send_before = claimed_at + engine.rules.lease_s - engine.rules.gateway_timeout_s
        await asyncio.gather(*(self._resume(operation, send_before) for operation in claimed))
        return len(claimed)

    async def _resume(self, operation: Operation, send_before: float) -> None:
        async with self.gates[operation.gateway]:
            if asyncio.get_running_loop().time() > send_before:
                return
            with going_on(
                "resume",
                correlation=operation.correlation_id,
                traceparent=operation.traceparent,
                merchant=operation.merchant_id,
            ):
                await self._go_on(operation, send_before)

    async def _go_on(self, operation: Operation, send_before: float) -> None:
        own = trace.get()
        caller = Caller(
            merchant_id=operation.merchant_id,
            actor=ACTOR,
            correlation_id=operation.correlation_id,
            traceparent=own.traceparent if own else operation.traceparent,
        )
        await quietly(
            lambda: self.payments.resume(
                caller,
                operation.payment_id,
                operation.operation_id,
                lease_epoch=operation.lease_epoch,
                send_before=send_before,
            ),
            {"operation_id": operation.operation_id, "payment_id": operation.payment_id},
        )


def shares(accounts: Sequence[str]) -> dict[str, Share]:
    """One share for each account by its name, and one for whatever is left of accounts that are gone."""
    each = {name: Share((name,), others=False) for name in accounts}
    return each | {"accounts that are gone": Share(tuple(accounts))}


async def quietly(work: Callable[[], Awaitable[object]], about: dict[str, object]) -> bool:
    """Do it; a refusal is normal here (somebody else was quicker), anything else is logged and left for later."""
    try:
        await work()
    except Refusal as refusal:
        log.info("not resumed", extra=about | {"code": refusal.code.value})
    except Exception:
        log.exception("could not be resumed; it stays due", extra=about)
    else:
        return True
    return False
