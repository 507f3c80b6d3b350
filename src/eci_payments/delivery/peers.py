"""Who is told what: which destination wants which event, and the request that tells it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from eci_payments.delivery import templates
from eci_payments.delivery.messages import TYPE_OF, message
from eci_payments.delivery.shapes import SHAPES, PeerName, Shape
from eci_payments.delivery.templates import InvalidTemplate, Json, Template, Value
from eci_payments.domain.events import ENTERED, EventType
from eci_payments.domain.payment import UNPAID, PaymentStatus
from eci_payments.store.fan_out import Subscription

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eci_payments.domain.events import Event

S = PaymentStatus
SEED_STATUS: dict[PaymentStatus, PaymentStatus] = {
    S.PENDING: S.PENDING,
    S.PROCESSING: S.PROCESSING,
    S.REQUIRES_ACTION: S.PROCESSING,
    S.AUTHORIZED: S.PROCESSING,
    S.COMPLETED: S.COMPLETED,
    S.PARTIALLY_REFUNDED: S.COMPLETED,
    S.REFUNDED: S.REFUNDED,
    S.FAILED: S.FAILED,
    S.CANCELLED: S.CANCELLED,
}
"""Every state in the six words that peers of the seed know (contract)."""

ORDER_STATUS: dict[PaymentStatus, str] = {
    S.PENDING: "CREATED",
    S.PROCESSING: "CREATED",
    S.REQUIRES_ACTION: "CREATED",
    S.AUTHORIZED: "CREATED",
    S.COMPLETED: "CONFIRMED",
    S.PARTIALLY_REFUNDED: "CONFIRMED",
    S.REFUNDED: "REFUNDED",
    S.FAILED: "PAYMENT_FAILED",
    S.CANCELLED: "CANCELLED",
}
"""The order's own status that the sibling shape carries. What an order is called is its service's affair: where these
words do not fit, the body is configured without them."""

RELEASE_REASON: dict[PaymentStatus, str] = {
    S.FAILED: "Payment failed",
    S.CANCELLED: "Payment cancelled",
    S.REFUNDED: "Payment refunded",
}
"""Why stock is given back: exactly the states in which the order is not paid."""

LATE: dict[EventType, str] = {
    EventType.LATE_SUCCESS: "LATE_SUCCESS",
    EventType.LATE_RETURNED: "LATE_SUCCESS_RETURNED",
}
"""Money that came for an order which does not count it, and its way back: no change of status, and the order service is
told all the same. These words stand where else the exact status stands."""

WANTED: dict[PeerName, frozenset[tuple[EventType, PaymentStatus | None]]] = {
    PeerName.ORDER: frozenset((kind, None) for kind in {*ENTERED.values(), *LATE}),
    PeerName.INVENTORY: frozenset((ENTERED[status], status) for status in UNPAID),
    PeerName.NOTIFICATION: frozenset((ENTERED[status], status) for status in TYPE_OF),
}
"""The events that each peer is told of, and the status they must carry (None: any)."""

GUARDED = frozenset({PeerName.INVENTORY})
"""Destinations whose deliveries hold only while the payment is unpaid: judged in the commit that claims them."""

NAMES = frozenset(
    {
        "amount",
        "amount_captured",
        "amount_minor",
        "amount_refunded",
        "currency",
        "event_type",
        "message",
        "notification_type",
        "occurred_at",
        "order_id",
        "order_status",
        "payment_id",
        "payment_method",
        "payment_status",
        "reference",
        "release_reason",
        "status_detail",
        "transaction_id",
        "user_id",
    }
)
"""What a template may name, beside ``metadata.x``."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One service that is told, where it stands, and how it wants to be told."""

    name: PeerName
    base_url: str
    template: Template


@dataclass(frozen=True, slots=True)
class PeerRequest:
    """One call, complete but for the headers of the attempt."""

    verb: str
    url: str
    body: bytes
    idempotency_key: str


def peer(
    name: PeerName,
    base_url: str,
    shape: Shape = Shape.SEED,
    *,
    verb: str | None = None,
    path: str | None = None,
    body: Mapping[str, Json] | None = None,
) -> Peer:
    """A peer as it is configured: a shape, and whatever of it is told otherwise. Raises InvalidTemplate."""
    template = SHAPES[shape][name]
    configured = replace(
        template,
        verb=(verb or template.verb).upper(),
        path=path or template.path,
        body=template.body if body is None else body,
    )
    return Peer(name, _address(base_url), templates.check(configured, NAMES))


def subscription(peer: Peer) -> Subscription:
    """What the fan-out needs to know of this peer."""
    return Subscription(peer.name, WANTED[peer.name])


def request(peer: Peer, event: Event) -> PeerRequest:
    """The call that tells this peer of this event."""
    values = told(event)
    return PeerRequest(
        verb=peer.template.verb,
        url=peer.base_url + templates.path(peer.template, values),
        body=msgspec.json.encode(templates.body(peer.template, values)),
        idempotency_key=idempotency_key(peer.name, event),
    )


def idempotency_key(name: PeerName, event: Event) -> str:
    """The same for every try of one event at one peer, and never another's.

    Made of the transaction id (128 random bits, one per payment) and the event's place in that payment, not of row
    ids: a second installation over the same peers repeats those.
    """
    return f"{event.data['transaction_id']}-{event.sequence}-{name}"


def told(event: Event) -> dict[str, Value]:
    """Every value that a template can name, from one event."""
    data, status = event.data, PaymentStatus(event.data["status"])
    metadata: dict[str, str] = data.get("metadata") or {}
    values: dict[str, Value] = {f"{templates.METADATA}{key}": value for key, value in metadata.items()}
    return values | {
        **{name: data[name] for name in _COPIED},
        "event_type": event.type,
        "occurred_at": event.created_at.isoformat(),
        "payment_status": SEED_STATUS[status],
        "status_detail": LATE.get(event.type, status),
        "order_status": ORDER_STATUS[status],
        "release_reason": RELEASE_REASON.get(status),
        "notification_type": TYPE_OF.get(status),
        "message": message(event),
    }


def _address(base_url: str) -> str:
    address = urlsplit(base_url)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise InvalidTemplate("url", "the address must begin with http:// or https:// and name a host")
    if address.query or address.fragment or address.username or address.password:
        raise InvalidTemplate("url", "the address must hold no query, fragment, user or password")
    return base_url.rstrip("/")


_COPIED = (
    "amount",
    "amount_captured",
    "amount_minor",
    "amount_refunded",
    "currency",
    "order_id",
    "payment_id",
    "payment_method",
    "reference",
    "transaction_id",
    "user_id",
)
