"""The sandbox's webhooks: verified raw, then read (Standard Webhooks 1.0, "Verifying webhook authenticity")."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eci_payments.domain.dispute import DisputeState
from eci_payments.domain.ids import MAX_SAFE_INTEGER
from eci_payments.gateways.adapters.sandbox.mapping import read_outcome
from eci_payments.gateways.contract import NeverSeen, Outcome
from eci_payments.gateways.hooks import (
    BadWebhook,
    DisputeTold,
    GatewayEvent,
    OperationTold,
    RefundTold,
    Subject,
    Told,
)
from eci_payments.gateways.signatures import decoded, event_name, refuse_old, refuse_unsigned, type_name

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


def read_webhook(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float
) -> GatewayEvent:
    """The event in our words. Raises BadWebhook."""
    event = _verified(headers, body, secrets, now_s)
    try:
        return GatewayEvent(
            event_id=event_name(event["id"]),
            type=type_name(event["type"]),
            occurred_at=_moment(event["created_at"]),
            told=_told(event["data"]),
            payload=event,
            merchant_id=_merchant(event["data"]["merchant_id"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadWebhook("not an event") from None


def read_event(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float) -> SandboxEvent:
    """The event about an operation in these raw bytes. ``headers`` have lower-case names. Raises BadWebhook."""
    event = _verified(headers, body, secrets, now_s)
    try:
        return _event(event["id"], event)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadWebhook("not an event") from None


def _verified(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float
) -> dict[str, Any]:
    event_id = headers.get("webhook-id", "")
    _verify(headers, event_id, body, secrets, now_s)
    event = decoded(body)
    if event.get("id") != event_id:
        raise BadWebhook("not an event")
    return event


def _merchant(number: object) -> int:
    if type(number) is not int or not 1 <= number <= MAX_SAFE_INTEGER:
        raise ValueError("no number of a merchant")
    return number


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _told(data: dict[str, Any]) -> Told:
    amount, currency = int(data["amount_minor"]), str(data["currency"])
    if data["kind"] == "dispute":
        return DisputeTold(
            about=Subject(charge_key=str(data["parent_key"])),
            reference=str(data["reference"]),
            state=DisputeState(str(data["state"]).upper()),
            amount_minor=amount,
            currency=currency,
            reason=str(data["reason"]),
        )
    outcome = _outcome(data)
    if data["kind"] == "refund":
        return RefundTold(
            about=Subject(key=str(data["key"]), charge_key=str(data["parent_key"])),
            reference=str(data.get("reference") or data["key"]),
            amount_minor=amount,
            currency=currency,
            outcome=outcome,
        )
    about = Subject(key=str(data["key"]))
    return OperationTold(about=about, currency=currency, outcome=outcome, amount_minor=amount)


def _outcome(data: dict[str, Any]) -> Outcome:
    outcome = read_outcome(data)
    if isinstance(outcome, NeverSeen):
        raise ValueError("never seen")  # noqa: TRY004 - an event that makes no sense
    return outcome


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
    return SandboxEvent(
        event_id,
        str(event["type"]),
        str(data["key"]),
        str(data["kind"]),
        str(data["transaction_id"]),
        int(data["amount_minor"]),
        str(data["currency"]),
        _outcome(data),
    )
