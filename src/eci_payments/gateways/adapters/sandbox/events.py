"""The sandbox's webhooks: verified raw, then read (Standard Webhooks 1.0, "Verifying webhook authenticity")."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from eci_payments.gateways.adapters.sandbox.mapping import read_outcome
from eci_payments.gateways.contract import NeverSeen, Outcome
from eci_payments.gateways.hooks import BadWebhook, GatewayEvent, OperationTold, Subject
from eci_payments.gateways.signatures import event_name, refuse_old, refuse_unsigned, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class SandboxEvent:
    """What the sandbox says became of the operation with our ``key``. Amounts are in minor units."""

    event_id: str
    type: str
    key: str
    kind: str
    transaction_id: str
    amount_minor: int
    currency: str
    outcome: Outcome
    created_at: datetime
    merchant_id: int
    payload: dict[str, Any]


def read_webhook(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float
) -> GatewayEvent:
    """The event in our words. Raises BadWebhook."""
    event = read_event(headers, body, secrets, now_s)
    told = OperationTold(
        about=Subject(key=event.key),
        currency=event.currency,
        outcome=event.outcome,
        amount_minor=event.amount_minor,
    )
    return GatewayEvent(
        event_id=event_name(event.event_id),
        type=type_name(event.type),
        occurred_at=event.created_at,
        told=told,
        payload=event.payload,
        merchant_id=event.merchant_id,
    )


def read_event(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float) -> SandboxEvent:
    """The event in these raw bytes. ``headers`` have lower-case names. Raises BadWebhook."""
    event_id = headers.get("webhook-id", "")
    _verify(headers, event_id, body, secrets, now_s)
    try:
        event = msgspec.json.decode(body)
        return _event(event_id, event)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise BadWebhook("not an event") from None


def _verify(
    headers: Mapping[str, str], event_id: str, body: bytes, secrets: Sequence[str], now_s: float
) -> None:
    timestamp = headers.get("webhook-timestamp", "")
    refuse_old(timestamp, now_s)
    signed = f"{event_id}.{timestamp}.".encode() + body
    given = headers.get("webhook-signature", "").encode("latin-1", "replace").split(b" ")
    expected = [b"v1," + base64.b64encode(hmac.digest(_key(s), signed, hashlib.sha256)) for s in secrets]
    refuse_unsigned(expected, given)


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise BadWebhook("our secret is no whsec_ and base64") from None


def _event(event_id: str, event: dict[str, Any]) -> SandboxEvent:
    data = event["data"]
    outcome = read_outcome(data)
    if event["id"] != event_id or isinstance(outcome, NeverSeen):
        raise ValueError("id")
    return SandboxEvent(
        event_id,
        str(event["type"]),
        str(data["key"]),
        str(data["kind"]),
        str(data["transaction_id"]),
        int(data["amount_minor"]),
        str(data["currency"]),
        outcome,
        datetime.fromisoformat(event["created_at"]),
        int(data["merchant_id"]),
        event,
    )
