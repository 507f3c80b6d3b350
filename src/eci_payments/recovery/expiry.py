"""Payments whose time has run out: never charged, awaiting a customer who does not act, reserved and never captured."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.domain.ids import PaymentId
from eci_payments.observability.context import trace
from eci_payments.observability.spans import going_on
from eci_payments.operations.cancel import EXPIRY
from eci_payments.operations.commands import Caller
from eci_payments.recovery.operations import quietly
from eci_payments.store.reads import expired_payments

if TYPE_CHECKING:
    from eci_payments.domain.ids import MerchantId
    from eci_payments.operations.service import Payments

BATCH = 32
"""Payments given up at once; more are found in the next round."""
REST_S = 60.0
"""How long a payment that could not be given up is left alone: what failed now fails in a second, too."""


@dataclass(frozen=True, slots=True)
class PaymentExpiry:
    """Gives up what has expired. Several may run side by side: only one change of a payment lands."""

    payments: Payments
    resting: dict[tuple[MerchantId, int], float] = field(default_factory=dict)
    """Payments that could not be given up, and until when (the event loop's clock) they do not hold up the others."""

    async def run_once(self) -> int:
        """Give up one batch; how many were. One that is refused is tried again after a rest."""
        now = asyncio.get_running_loop().time()
        for place in [place for place, until in self.resting.items() if until <= now]:
            del self.resting[place]
        async with self.payments.engine.database.read() as session:
            expired = await expired_payments(session, limit=BATCH + len(self.resting))
        given_up = 0
        for merchant, payment in [place for place in expired if place not in self.resting][:BATCH]:
            done = await self._give_up(merchant, PaymentId(payment))
            given_up += done
            if not done:
                self.resting[merchant, payment] = now + REST_S
        return given_up

    async def _give_up(self, merchant_id: MerchantId, payment_id: PaymentId) -> bool:
        with going_on("expire", correlation=None, traceparent=None, merchant=merchant_id):
            own = trace.get()
            caller = Caller(
                merchant_id=merchant_id, actor=EXPIRY, traceparent=own.traceparent if own else None
            )
            return await quietly(
                lambda: self.payments.give_up_expired(caller, payment_id), {"payment_id": payment_id}
            )
