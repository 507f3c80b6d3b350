"""A dispute: a customer's bank takes a charge back, for the time being or for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from eci_payments.domain.ids import MerchantId, OperationId, PaymentId


class DisputeState(StrEnum):
    """OPEN: the gateway withholds its amount. WON: it came back. LOST: it is gone."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """One chargeback of a charge, named by the gateway's own id of it. ``amount_minor`` in minor units of ``currency``.

    ``told_at`` is when the gateway says that it came to this state: of two ends the later one counts.
    """

    merchant_id: MerchantId
    gateway: str
    reference: str
    payment_id: PaymentId
    operation_id: OperationId
    state: DisputeState
    amount_minor: int
    currency: str
    reason: str
    told_at: datetime
    created_at: datetime
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is not decided."""
        return self.state is DisputeState.OPEN
