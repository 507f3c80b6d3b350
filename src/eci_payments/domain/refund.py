"""A refund: money going back to the customer, whole or in part."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from eci_payments.domain.ids import MerchantId, OperationId, PaymentId, RefundId
from eci_payments.domain.quick import quick

if TYPE_CHECKING:
    from datetime import datetime

    from eci_payments.domain.keys import KeyName
    from eci_payments.domain.payment import Failure


class RefundStatus(StrEnum):
    """AWAITING_APPROVAL reserves its amount until somebody else has decided, PENDING until the gateway, or whoever
    pays it out, has answered.
    """  # noqa: D205 - one sentence

    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class ApprovalStatus(StrEnum):
    """What became of the question whether a large refund may be made."""

    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


REJECTED, EXPIRED = "approval_rejected", "approval_expired"
"""The codes of the failures that a refund without approval ends with."""
_ENDED_AS = {REJECTED: ApprovalStatus.REJECTED, EXPIRED: ApprovalStatus.EXPIRED}


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One refund of a payment. ``operation_id`` is None for money that is paid out by hand (COD, outside).

    A refund that needed a second person's word has ``approval_expires_at``, who asked for it, and ``key``: the
    idempotency key of the request, which gets its answer when the refund has ended. It was decided by another than who
    asked, unless it was withdrawn or its time ran out.

    ``made_elsewhere``: the gateway did it without us (its dashboard); ``gateway_reference`` is its id there.
    """

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
    made_elsewhere: bool = False
    gateway_reference: str | None = None
    requested_by: str | None = None
    approval_expires_at: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None
    key: KeyName | None = None

    @property
    def approval(self) -> ApprovalStatus | None:
        """How its approval stands; None where it needs none."""
        if self.approval_expires_at is None:
            return None
        if self.status is RefundStatus.AWAITING_APPROVAL:
            return ApprovalStatus.AWAITING_APPROVAL
        return _ENDED_AS.get(self.failure.code if self.failure else "", ApprovalStatus.APPROVED)
