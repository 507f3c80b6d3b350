"""What each endpoint expects of a call, as the real services would check it."""

from __future__ import annotations

from typing import Any

SIX = ("PENDING", "PROCESSING", "COMPLETED", "FAILED", "REFUNDED", "CANCELLED")
"""The payment states that peers of the seed know."""
NOTIFICATIONS = ("PAYMENT_SUCCESS", "PAYMENT_FAILED", "PAYMENT_REFUNDED")


def payment_status(body: dict[str, Any]) -> str | None:
    """Order, seed shape: what is wrong with the body, if anything."""
    if not isinstance(body.get("payment_id"), int):
        return "payment_id must be an integer"
    return _status(body)


def order_status(body: dict[str, Any]) -> str | None:
    """Order, sibling shape."""
    return _missing(body, "status") or _status(body)


def release(body: dict[str, Any]) -> str | None:
    """Inventory, both shapes."""
    return _missing(body, "order_id", "reason")


def notification(body: dict[str, Any]) -> str | None:
    """Notification, seed shape."""
    if body.get("type") not in NOTIFICATIONS or body.get("channel") != "EMAIL":
        return "type or channel is unknown"
    return _missing(body, "user_id", "message")


def notification_event(body: dict[str, Any]) -> str | None:
    """Notification, sibling shape."""
    return _missing(body, "event_type", "order_id", "customer_id")


def _status(body: dict[str, Any]) -> str | None:
    return None if body.get("payment_status") in SIX else "payment_status must be one of the six"


def _missing(body: dict[str, Any], *names: str) -> str | None:
    return next((f"{name} is missing" for name in names if body.get(name) in (None, "")), None)
