"""Stripe's webhooks: verified raw (Stripe's documentation, "Verify webhook signatures manually"), then read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.domain.dispute import DisputeState
from eci_payments.gateways.adapters.stripe.amounts import from_stripe
from eci_payments.gateways.adapters.stripe.mapping import intent_outcome, refund_outcome
from eci_payments.gateways.contract import Approved, NeverSeen
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
    refuse_old,
    refuse_unsigned,
    type_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SCHEME = "v1"
KEY_FIELD = "eci_key"
"""Where our key stands in the metadata of what we make at Stripe."""
_OPEN = frozenset({"needs_response", "under_review"})
_ENDED = {"won": DisputeState.WON, "lost": DisputeState.LOST}


def read_webhook(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float
) -> GatewayEvent:
    """The event in these raw bytes. Raises BadWebhook."""
    _verify(headers.get("stripe-signature", ""), body, secrets, now_s)
    event = decoded(body)
    try:
        told = _told(str(event["type"]), event["data"]["object"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadWebhook("not an event") from None
    return GatewayEvent(
        event_id=event_name(event.get("id")),
        type=type_name(event["type"]),
        occurred_at=moment(event.get("created")),
        told=told,
        payload=event,
    )


def _verify(header: str, body: bytes, secrets: Sequence[str], now_s: float) -> None:
    parts = [part.strip().partition("=") for part in header.split(",")]
    timestamp = next((value for name, _, value in parts if name == "t"), "")
    refuse_old(timestamp, now_s)
    given = [value.encode("latin-1", "replace") for name, _, value in parts if name == SCHEME]
    signed = timestamp.encode() + b"." + body
    refuse_unsigned((hex_hmac(secret, signed) for secret in secrets), given)


def _told(kind: str, thing: dict[str, Any]) -> Told:
    read = next((read for prefix, read in _READERS if kind.startswith(prefix)), None)
    return Unread(why=f"{type_name(kind)} changes no payment") if read is None else read(thing)


def _intent(intent: dict[str, Any]) -> Told:
    currency = str(intent["currency"]).upper()
    outcome = intent_outcome(intent, currency)
    if isinstance(outcome, NeverSeen):
        return Unread(why=f"a PaymentIntent in state {intent.get('status')!r} is not decided")
    about = Subject(key=_key(intent), charges=(str(intent["id"]),))
    captured = intent.get("status") == "succeeded" and intent.get("capture_method") == "manual"
    if captured and isinstance(outcome, Approved):
        received = from_stripe(int(intent["amount_received"]), currency)
        return OperationTold(
            about=about, currency=currency, outcome=Approved(outcome.reference, received), captures=True
        )
    amount = from_stripe(int(intent["amount"]), currency)
    return OperationTold(about=about, currency=currency, outcome=outcome, amount_minor=amount)


def _refund(refund: dict[str, Any]) -> Told:
    if refund.get("reason") == "expired_uncaptured_charge":
        return Unread(why="the release of an authorization that ran out, which Stripe calls a refund")
    currency = str(refund["currency"]).upper()
    return RefundTold(
        about=Subject(key=_key(refund), charges=_names(refund)),
        reference=str(refund["id"]),
        amount_minor=from_stripe(int(refund["amount"]), currency),
        currency=currency,
        outcome=refund_outcome(refund, currency),
        may_be_release=True,
    )


def _charge_refunded(charge: dict[str, Any]) -> Told:
    if not charge.get("captured"):
        return Unread(why="the release of an authorization, which Stripe calls a refund")
    newest = ((charge.get("refunds") or {}).get("data") or [None])[0]
    if not isinstance(newest, dict):
        return Unread(why="the refund is told by an event of its own")
    return _refund({"payment_intent": charge.get("payment_intent"), "charge": charge.get("id")} | newest)


def _dispute(dispute: dict[str, Any]) -> Told:
    status, currency = str(dispute.get("status")), str(dispute["currency"]).upper()
    state = DisputeState.OPEN if status in _OPEN else _ENDED.get(status)
    if state is None:
        return Unread(why=f"a dispute in state {status!r}, for which nothing is withheld")
    return DisputeTold(
        about=Subject(charges=_names(dispute)),
        reference=str(dispute["id"]),
        state=state,
        amount_minor=from_stripe(int(dispute["amount"]), currency),
        currency=currency,
        reason=str(dispute.get("reason") or "not said"),
    )


def _key(thing: dict[str, Any]) -> str | None:
    key = (thing.get("metadata") or {}).get(KEY_FIELD)
    return None if key is None else str(key)


def _names(thing: dict[str, Any]) -> tuple[str, ...]:
    """The ids of the charge: we know it by its PaymentIntent."""
    intent = thing.get("payment_intent")
    named = intent.get("id") if isinstance(intent, dict) else intent
    return (str(named),) if named else ()


_READERS: tuple[tuple[str, Callable[[dict[str, Any]], Told]], ...] = (
    ("payment_intent.", _intent),
    ("charge.refunded", _charge_refunded),
    ("charge.refund.", _refund),
    ("refund.", _refund),
    ("charge.dispute.", _dispute),
)
