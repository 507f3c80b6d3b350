"""What a customer is told, in words for people. Never card data: an event holds none. Pure."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from eci_payments.domain.payment import PaymentStatus

if TYPE_CHECKING:
    from eci_payments.domain.events import Event


class NotificationType(StrEnum):
    """The seed's three."""

    PAYMENT_SUCCESS = "PAYMENT_SUCCESS"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    PAYMENT_REFUNDED = "PAYMENT_REFUNDED"


TYPE_OF: dict[PaymentStatus, NotificationType] = {
    PaymentStatus.COMPLETED: NotificationType.PAYMENT_SUCCESS,
    PaymentStatus.FAILED: NotificationType.PAYMENT_FAILED,
    PaymentStatus.PARTIALLY_REFUNDED: NotificationType.PAYMENT_REFUNDED,
    PaymentStatus.REFUNDED: NotificationType.PAYMENT_REFUNDED,
}
"""Which states a customer hears of, and as what."""

FAILURE_WORDS: dict[str, str] = {
    "authentication_failed": "the payment could not be authenticated",
    "cancelled_at_gateway": "it was cancelled",
    "ended_by_operator": "it could not be completed",
    "expired_card": "the card has expired",
    "failed_by_operator": "it could not be completed",
    "gateway_misconfigured": "it could not be processed, and nothing was charged",
    "gateway_refused": "it could not be processed, and nothing was charged",
    "gateway_unreachable": "it could not be sent, and nothing was charged",
    "incorrect_cvc": "the card's security code is wrong",
    "insufficient_funds": "the account does not hold enough money",
    "invalid_card_number": "the card number is wrong",
    "issuer_unavailable": "the bank could not be reached",
    "limit_exceeded": "a limit of the card or account is exceeded",
    "not_received": "it did not arrive, and nothing was charged",
    "processing_error": "it could not be processed",
}
"""Declines that help the payer, and what nobody declined. Every other one, and above all a lost card or a suspicion, is
a plain decline."""


def message(event: Event) -> str | None:
    """The sentence for this event, with amount, currency and order; None where the customer hears nothing."""
    status = PaymentStatus(event.data["status"])
    kind = TYPE_OF.get(status)
    match kind:
        case None:
            return None
        case NotificationType.PAYMENT_SUCCESS:
            return f"Your payment of {_paid(event)} for order {event.data['order_id']} was successful."
        case NotificationType.PAYMENT_FAILED:
            return (
                f"Your payment of {_money(event, 'amount')} for order {event.data['order_id']} failed:"
                f" {_failure(event)}. You can try to pay again."
            )
        case NotificationType.PAYMENT_REFUNDED:
            return _refunded(event, whole=status is PaymentStatus.REFUNDED)


def _refunded(event: Event, *, whole: bool) -> str:
    refunded, order = _money(event, "amount_refunded"), event.data["order_id"]
    if whole:
        return f"Your payment for order {order} has been refunded in full: {refunded}."
    return f"Part of your payment for order {order} has been refunded: {refunded} of {_paid(event)} so far."


def _failure(event: Event) -> str:
    return FAILURE_WORDS.get(event.data.get("failure_code") or "", "it was declined")


def _paid(event: Event) -> str:
    captured = Decimal(event.data["amount_captured"])
    return _money(event, "amount_captured" if captured else "amount")


def _money(event: Event, name: str) -> str:
    return f"{event.data[name]} {event.data['currency']}"
