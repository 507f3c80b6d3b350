"""A refund: money going back to the customer, whole or in part."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from eci_payments.domain.ids import MerchantId, OperationId, PaymentId, RefundId

if TYPE_CHECKING:
    from datetime import datetime

    from eci_payments.domain.payment import Failure


class RefundStatus(StrEnum):
    """PENDING reserves its amount until the gateway, or whoever pays it out, has answered."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One refund of a payment. ``operation_id`` is None for money that is paid out by hand (COD, outside)."""

    merchant_id: MerchantId
    refund_id: RefundId
    payment_id: PaymentId
    operation_id: OperationId | None
    amount_minor: int
    currency: str
    status: RefundStatus
    reason: str
    created_at: datetime
    failure: Failure | None = None
    completed_at: datetime | None = None
