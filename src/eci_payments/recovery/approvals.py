"""Refunds that nobody approved in time: their amount is given free again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.operations.cancel import EXPIRY
from eci_payments.operations.commands import Caller
from eci_payments.recovery.expiry import BATCH, REST_S
from eci_payments.recovery.operations import quietly
from eci_payments.store.approvals import expired_approvals

if TYPE_CHECKING:
    from eci_payments.domain.ids import MerchantId, PaymentId, RefundId
    from eci_payments.operations.service import Payments

Place = tuple["MerchantId", "PaymentId", "RefundId"]


@dataclass(frozen=True, slots=True)
class ApprovalExpiry:
    """Gives up what has expired. Several may run side by side: only one change of a payment lands."""

    payments: Payments
    resting: dict[Place, float] = field(default_factory=dict)
    """Refunds that could not be given up, and until when (the event loop's clock) they do not hold up the others."""

    async def run_once(self) -> int:
        """Give up one batch; how many were. One that is refused is tried again after a rest."""
        now = asyncio.get_running_loop().time()
        for place in [place for place, until in self.resting.items() if until <= now]:
            del self.resting[place]
        async with self.payments.engine.database.read() as session:
            expired = await expired_approvals(session, limit=BATCH + len(self.resting))
        given_up = 0
        for place in [place for place in expired if place not in self.resting][:BATCH]:
            done = await self._give_up(place)
            given_up += done
            if not done:
                self.resting[place] = now + REST_S
        return given_up

    async def _give_up(self, place: Place) -> bool:
        merchant_id, payment_id, refund_id = place
        caller = Caller(merchant_id=merchant_id, actor=EXPIRY)
        return await quietly(
            lambda: self.payments.expire_approval(caller, payment_id, refund_id),
            {"payment_id": payment_id, "refund_id": refund_id},
        )
