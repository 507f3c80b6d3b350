"""A type for each id, and the two rules that callers' own ids keep."""

from __future__ import annotations

import re
from typing import NewType

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8259, section 6)."""

MerchantId = NewType("MerchantId", int)
PaymentId = NewType("PaymentId", int)
OperationId = NewType("OperationId", int)
RefundId = NewType("RefundId", int)
AuditId = NewType("AuditId", int)
EntryId = NewType("EntryId", int)
EventId = NewType("EventId", int)
DeliveryId = NewType("DeliveryId", int)
TransactionId = NewType("TransactionId", str)
GatewayKey = NewType("GatewayKey", str)
"""Our name for one operation at its gateway: 128 random bits, never made of row ids."""
OrderId = NewType("OrderId", str)
UserId = NewType("UserId", str)

SINGLE_SHOP = MerchantId(1)
"""The merchant of an installation that serves one shop."""

_SHAPE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_CANONICAL_INTEGER = re.compile(r"[1-9][0-9]*", re.ASCII)
_DIGITS = re.compile(r"[0-9]+", re.ASCII)


class InvalidId(ValueError):
    """An order or user id that breaks the rule; the message says which and never repeats the value."""


def external_id(value: object) -> str:
    """The canonical text of a caller's order or user id.

    A positive integer below 2^53, or 1 to 64 characters of ``A-Z a-z 0-9 . _ -`` that start and end with
    a letter or digit. ``42`` and ``"42"`` are one id. Raises InvalidId.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidId("must be a positive integer below 2^53 or a string of 1 to 64 characters")
    if isinstance(value, int):
        return _integer_id(value)
    if not _SHAPE.fullmatch(value):
        raise InvalidId(
            "must be 1 to 64 characters of A-Z a-z 0-9 . _ - that start and end with a letter or digit"
        )
    if _DIGITS.fullmatch(value) and int(value) > MAX_SAFE_INTEGER:
        raise InvalidId("a string of digits must be below 2^53")
    return value


def shown_id(text: str) -> int | str:
    """An external id as callers see it: canonical positive integers come back as integers."""
    return int(text) if _CANONICAL_INTEGER.fullmatch(text) else text


def _integer_id(value: int) -> str:
    if not 0 < value <= MAX_SAFE_INTEGER:
        raise InvalidId("must be a positive integer below 2^53")
    return str(value)
