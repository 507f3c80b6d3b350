"""The audit trail: one entry for each thing that happened to a payment, by whom and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from eci_payments.domain.ids import AuditId, MerchantId, OperationId, PaymentId
from eci_payments.domain.quick import quick

if TYPE_CHECKING:
    from datetime import datetime


class TransactionType(StrEnum):
    """PAYMENT and REFUND as in the seed; the rest is what real gateways add."""

    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    AUTHORIZATION = "AUTHORIZATION"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    CHARGEBACK = "CHARGEBACK"
    SETTLEMENT = "SETTLEMENT"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One row of ``transactions``. ``version`` is the payment's after the change that wrote it.

    ``before`` and ``after`` are the payment's state and amounts; ``origin`` is where the request came from.
    """

    merchant_id: MerchantId
    audit_id: AuditId
    payment_id: PaymentId
    operation_id: OperationId | None
    version: int
    type: TransactionType
    amount_minor: int
    currency: str
    status: str
    description: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    actor: str
    reason: str | None
    correlation_id: str | None
    origin: str | None
    created_at: datetime
