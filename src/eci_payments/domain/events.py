"""Events: what has happened to a payment, as it is told to others. Past tense, complete in themselves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from eci_payments.domain.ids import EventId, MerchantId, PaymentId, shown_id
from eci_payments.domain.money import Currency, currency, major_units
from eci_payments.domain.payment import Payment, PaymentStatus
from eci_payments.domain.quick import quick

if TYPE_CHECKING:
    from datetime import datetime


class EventType(StrEnum):
    """Stable names of events."""

    CREATED = "payment.created"
    PROCESSING = "payment.processing"
    REQUIRES_ACTION = "payment.requires_action"
    AUTHORIZED = "payment.authorized"
    CAPTURED = "payment.captured"
    COMPLETED = "payment.completed"
    FAILED = "payment.failed"
    CANCELLED = "payment.cancelled"
    REFUNDED = "payment.refunded"
    REFUND_AWAITING = "refund.awaiting_approval"
    REFUND_FAILED = "refund.failed"
    LATE_SUCCESS = "payment.late_success"
    LATE_RETURNED = "payment.late_success_returned"
    LATE_REFUND = "refund.late_success"
    MISMATCH = "payment.gateway_mismatch"
    DISPUTE_OPENED = "payment.dispute_opened"
    DISPUTE_WON = "payment.dispute_won"
    DISPUTE_LOST = "payment.dispute_lost"
    EXCEEDED = "payment.exceeds_captured"


ENTERED: dict[PaymentStatus, EventType] = {
    PaymentStatus.PENDING: EventType.CREATED,
    PaymentStatus.PROCESSING: EventType.PROCESSING,
    PaymentStatus.REQUIRES_ACTION: EventType.REQUIRES_ACTION,
    PaymentStatus.AUTHORIZED: EventType.AUTHORIZED,
    PaymentStatus.COMPLETED: EventType.COMPLETED,
    PaymentStatus.FAILED: EventType.FAILED,
    PaymentStatus.CANCELLED: EventType.CANCELLED,
    PaymentStatus.PARTIALLY_REFUNDED: EventType.REFUNDED,
    PaymentStatus.REFUNDED: EventType.REFUNDED,
}
"""The event that tells of a payment entering a state."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of ``events``; ``sequence`` counts from 1 per payment, without gaps."""

    merchant_id: MerchantId
    event_id: EventId
    payment_id: PaymentId
    sequence: int
    type: EventType
    data: dict[str, Any]
    correlation_id: str | None
    traceparent: str | None
    created_at: datetime


def event_data(before: Payment | None, after: Payment, reason: str | None) -> dict[str, Any]:
    """What an event says: the payment after the change, in plain JSON values; amounts as decimal strings."""
    unit = currency(after.currency)
    return {
        **dict(zip(_AMOUNTS, [_text(minor, unit) for minor in _amounts_of(after)], strict=True)),
        "payment_id": after.payment_id,
        "order_id": shown_id(after.order_id),
        "user_id": shown_id(after.user_id),
        "transaction_id": after.transaction_id,
        "reference": after.reference,
        "status": str(after.status),
        "previous_status": str(before.status) if before else None,
        "processing_reason": str(after.processing_reason) if after.processing_reason else None,
        "payment_method": str(after.method),
        "currency": after.currency,
        "amount_minor": after.amount_minor,
        "gateway": after.gateway,
        "attempt": after.attempt,
        "reason": reason,
        "failure_code": after.failure.code if after.failure else None,
        "metadata": after.metadata,
    }


_AMOUNTS = (
    "amount", "amount_authorized", "amount_captured", "amount_refunded", "amount_refund_pending", "amount_disputed",
    "amount_charged_back", "amount_exceeding",
)  # fmt: skip
_amounts_of = attrgetter(*(f"{name}_minor" for name in _AMOUNTS))


@lru_cache(maxsize=4096)
def _text(amount_minor: int, unit: Currency) -> str:
    return str(major_units(amount_minor, unit))
