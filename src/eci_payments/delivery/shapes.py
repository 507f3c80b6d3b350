"""The requests that the known peers expect, as data: the seed's peers, and those of its sibling services."""

from __future__ import annotations

from enum import StrEnum

from eci_payments.delivery.templates import Template


class PeerName(StrEnum):
    """The three services that are told; also the destination of their rows in ``deliveries``."""

    ORDER = "order"
    INVENTORY = "inventory"
    NOTIFICATION = "notification"


class Shape(StrEnum):
    """Which family of peers stands there (contract, "What the service tells the others")."""

    SEED = "seed"
    SIBLING = "sibling"


SHAPES: dict[Shape, dict[PeerName, Template]] = {
    Shape.SEED: {
        PeerName.ORDER: Template(
            "PATCH",
            "/v1/orders/{order_id}/payment-status",
            {
                "payment_id": "{payment_id}",
                "payment_status": "{payment_status}",
                "status_detail": "{status_detail}",
            },
        ),
        PeerName.INVENTORY: Template(
            "POST", "/v1/inventory/release", {"order_id": "{order_id}", "reason": "{release_reason}"}
        ),
        PeerName.NOTIFICATION: Template(
            "POST",
            "/v1/notifications",
            {
                "user_id": "{user_id}",
                "type": "{notification_type}",
                "message": "{message}",
                "channel": "EMAIL",
            },
        ),
    },
    Shape.SIBLING: {
        PeerName.ORDER: Template(
            "PATCH",
            "/v1/orders/{order_id}/status",
            {
                "status": "{order_status}",
                "payment_status": "{payment_status}",
                "status_detail": "{status_detail}",
            },
        ),
        PeerName.INVENTORY: Template(
            "POST",
            "/v1/inventory/release",
            {
                "order_id": "{order_id}",
                "reason": "{release_reason}",
                "reservation_id": "{metadata.reservation_id}",
            },
        ),
        PeerName.NOTIFICATION: Template(
            "POST",
            "/v1/notifications/events",
            {"event_type": "{notification_type}", "order_id": "{order_id}", "customer_id": "{user_id}"},
        ),
    },
}
