"""What a stream says: messages of Server-Sent Events (WHATWG HTML, 9.2), without anything that a customer may not see.

A message tells how the payment stands: as an event left it, or (``payment.status``) as it was when the stream began.
Its id is the payment's sequence of events.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from eci_payments.domain.money import currency, major_units
from eci_payments.domain.payment import Payment, PaymentStatus
from eci_payments.operations.answers import encode, when

if TYPE_CHECKING:
    from eci_payments.store.following import Followed

AS_IT_STANDS = "payment.status"
_AMOUNTS = ("amount", "amount_captured", "amount_refunded")
S = PaymentStatus
_SETTLED = frozenset({S.COMPLETED, S.PARTIALLY_REFUNDED, S.REFUNDED, S.FAILED, S.CANCELLED})
HEARTBEAT = b":\n\n"


@dataclass(frozen=True, slots=True)
class Message:
    """``settled``: nothing is under way with the payment after it, so that nobody needs to wait."""

    sequence: int
    settled: bool
    text: bytes


def of_payment(payment: Payment) -> Message:
    """The payment as it stands."""
    unit = currency(payment.currency)
    amounts = {name: major_units(getattr(payment, f"{name}_minor"), unit) for name in _AMOUNTS}
    said = {
        "payment_id": payment.payment_id,
        "sequence": payment.event_sequence,
        "type": AS_IT_STANDS,
        "status": payment.status,
        "previous_status": None,
        "processing_reason": payment.processing_reason,
        "currency": payment.currency,
        **amounts,
        "failure_code": payment.failure.code if payment.failure else None,
        "occurred_at": when(payment.updated_at),
    }
    return Message(payment.event_sequence, is_settled(payment), _text(payment.event_sequence, said))


def of_event(event: Followed) -> Message:
    """The payment as this event left it. Of the event's data only what is named here is told."""
    data = event.data
    said = {
        "payment_id": event.payment_id,
        "sequence": event.sequence,
        "type": event.type,
        "status": data["status"],
        "previous_status": data["previous_status"],
        "processing_reason": data["processing_reason"],
        "currency": data["currency"],
        **{name: Decimal(data[name]) for name in _AMOUNTS},
        "failure_code": data["failure_code"],
        "occurred_at": when(event.created_at),
    }
    settled = (
        data["status"] in _SETTLED
        and data["processing_reason"] is None
        and Decimal(data["amount_refund_pending"]) == 0
    )
    return Message(event.sequence, settled, _text(event.sequence, said))


def is_settled(payment: Payment) -> bool:
    """Whether nothing is under way with it: it ended, and no refund runs."""
    is_moving = payment.open_operation_id is not None or payment.amount_refund_pending_minor > 0
    return payment.status in _SETTLED and not is_moving


def ended(reason: str) -> bytes:
    """The last message of a stream."""
    return b"event: end\ndata: " + encode({"reason": reason}) + b"\n\n"


def retry(wait_ms: int) -> bytes:
    """How long a browser waits before it opens the stream again."""
    return f"retry: {wait_ms}\n\n".encode()


def _text(sequence: int, said: dict[str, Any]) -> bytes:
    return f"id: {sequence}\ndata: ".encode() + encode(said) + b"\n\n"
