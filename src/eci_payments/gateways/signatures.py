"""What the adapters' signatures have in common: secrets in constant time, times within a tolerance, JSON after that."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eci_payments.gateways.hooks import MAX_EVENT_ID, BadWebhook
from eci_payments.gateways.objects import json_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TOLERANCE_S = 300
"""How far a webhook's own time may be from ours: five minutes, as Standard Webhooks and Stripe have it."""
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_EVENT_ID = re.compile(r"[\x21-\x7e]{1,%d}" % MAX_EVENT_ID)  # noqa: UP031 - braces of the pattern itself
MAX_TYPE = 100


def refuse_old(timestamp: str, now_s: float) -> None:
    """Raises BadWebhook for a time that is none, or not near ours."""
    if not _SECONDS.fullmatch(timestamp):
        raise BadWebhook("no timestamp")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise BadWebhook("too old, or from the future")


def refuse_unsigned(expected: Iterable[bytes], given: Sequence[bytes]) -> None:
    """Raises BadWebhook unless one of what we expect was given. Every pair is compared, in constant time."""
    found = False
    for one in expected:
        for other in given:
            found |= hmac.compare_digest(one, other)
    if not found:
        raise BadWebhook("the signature is not the gateway's")


def hex_hmac(secret: str, signed: bytes) -> bytes:
    """HMAC-SHA-256 in hexadecimal digits, the secret being the key as it is written."""
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object of a body that was verified. Raises BadWebhook."""
    found = json_object(body)
    if found is None:
        raise BadWebhook("not an event")
    return found


def event_name(event_id: object) -> str:
    """The gateway's id of an event. Raises BadWebhook for one that is none."""
    if not isinstance(event_id, str) or not _EVENT_ID.fullmatch(event_id):
        raise BadWebhook("no id of an event")
    return event_id


def moment(seconds: object) -> datetime:
    """A time that a gateway gives in seconds since 1970. Raises BadWebhook."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)  # type: ignore[call-overload] # what it cannot take, it refuses
    except (TypeError, ValueError, OverflowError, OSError):
        raise BadWebhook("no time of an event") from None


def type_name(name: object) -> str:
    """The gateway's name of what happened, in bounded length."""
    return str(name)[:MAX_TYPE]
