"""Razorpay's webhooks: verified raw (Razorpay's documentation, "Validate and test webhooks"), then read.

Neither a time nor the event's id is signed: an old event can be sent again under another id. So what an event says is
applied once, whatever its id.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from eci_payments.domain.dispute import DisputeState
from eci_payments.gateways.adapters.razorpay.mapping import refund_outcome
from eci_payments.gateways.contract import Approved, Pending, Unknown
from eci_payments.gateways.hooks import (
    BadWebhook,
    DisputeTold,
    GatewayEvent,
    OperationTold,
    RefundTold,
    Subject,
    Told,
    Unread,
)
from eci_payments.gateways.signatures import (
    decoded,
    event_name,
    hex_hmac,
    moment,
    refuse_unsigned,
    type_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OPEN = frozenset({"open", "under_review", "action_required"})
_TAKEN = frozenset({"captured", "refunded"})


def read_webhook(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> GatewayEvent:
    """The event in these raw bytes. Raises BadWebhook."""
    given = headers.get("x-razorpay-signature", "").encode("latin-1", "replace")
    refuse_unsigned((hex_hmac(secret, body) for secret in secrets), [given])
    event = decoded(body)
    try:
        told = _told(str(event["event"]), event["payload"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadWebhook("not an event") from None
    return GatewayEvent(
        event_id=event_name(headers.get("x-razorpay-event-id") or sha256(body).hexdigest()),
        type=type_name(event["event"]),
        occurred_at=moment(event.get("created_at")),
        told=told,
        payload=event,
    )


def _told(kind: str, payload: dict[str, Any]) -> Told:
    if kind.startswith("payment.dispute."):
        return _dispute(payload["dispute"]["entity"])
    if kind.startswith("refund."):
        return _refund(payload["refund"]["entity"])
    if kind.startswith("payment.") or kind == "order.paid":
        return _payment(payload["payment"]["entity"])
    return Unread(why=f"{type_name(kind)} changes no payment")


def _payment(payment: dict[str, Any]) -> Told:
    """One payment of an order; of the order's others it knows nothing, so that a failed one decides nothing."""
    reference, status, amount = str(payment["id"]), payment.get("status"), int(payment["amount"])
    charges = tuple(str(name) for name in (reference, payment.get("order_id")) if name)
    about, currency = Subject(charges=charges), str(payment["currency"])
    code = (payment.get("acquirer_data") or {}).get("auth_code")
    was_released = status == "refunded" and payment.get("captured") is False
    if not was_released and (status in _TAKEN or status == "authorized"):
        return OperationTold(
            about=about,
            currency=currency,
            outcome=Approved(reference, amount, authorization_code=code),
            captures=status in _TAKEN,
            reserves=status == "authorized",
        )
    if status == "created":
        return OperationTold(about=about, currency=currency, outcome=Pending(reference), amount_minor=amount)
    return OperationTold(
        about=about,
        currency=currency,
        outcome=Unknown("a payment of the order is in a state that is not known"),
    )


def _refund(refund: dict[str, Any]) -> Told:
    receipt = refund.get("receipt")
    return RefundTold(
        about=Subject(key=str(receipt) if receipt else None, charges=(str(refund["payment_id"]),)),
        reference=str(refund["id"]),
        amount_minor=int(refund["amount"]),
        currency=str(refund["currency"]),
        outcome=refund_outcome(refund),
    )


def _dispute(dispute: dict[str, Any]) -> Told:
    status = str(dispute.get("status"))
    state = _state(status, int(dispute.get("amount_deducted") or 0))
    if state is None:
        return Unread(why=f"a dispute in state {status!r}")
    return DisputeTold(
        about=Subject(charges=(str(dispute["payment_id"]),)),
        reference=str(dispute["id"]),
        state=state,
        amount_minor=int(dispute["amount"]),
        currency=str(dispute["currency"]),
        reason=str(dispute.get("reason_code") or "not said"),
    )


def _state(status: str, deducted: int) -> DisputeState | None:
    """``closed`` says only that it is over; whether money was taken says how it ended."""
    if status in _OPEN:
        return DisputeState.OPEN
    if status == "closed":
        return DisputeState.LOST if deducted else DisputeState.WON
    return {"won": DisputeState.WON, "lost": DisputeState.LOST}.get(status)
