"""The fingerprint of a request: what tells a repeat of an idempotency key from another use of it.

A keyed hash (HMAC-SHA-256) over the normalised request, as the command that it became: order of keys, white space and
the way of writing a number are gone by then, defaults are filled in, and the path's parameters are part of it. The key
stands outside the database, so that nobody who has the rows can try card numbers against them. Security codes never
enter it.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from eci_payments.domain.methods import Card
from eci_payments.operations.commands import Charge, Confirm


def fingerprint(secret: bytes, scope: str, command: Any) -> bytes:  # noqa: ANN401 - any command, a dataclass
    """32 bytes that are equal for equal requests. ``scope`` is the key's: method and route template."""
    keyed = _keyed(secret).copy()
    keyed.update(canonical(scope, command))
    return keyed.digest()


@lru_cache(maxsize=8)
def _keyed(secret: bytes) -> hmac.HMAC:
    """A hash that has begun with this key, to be copied: half of what each would cost from its beginning."""
    return hmac.new(secret, digestmod="sha256")


def canonical(scope: str, command: Any) -> bytes:  # noqa: ANN401 - any command, a dataclass
    """The request as bytes: JSON with sorted names. Holds a card number where the request did: never store it."""
    if isinstance(command, Charge | Confirm):
        return _encode((scope, type(command.instrument).__name__, _without_code(command)))
    if hasattr(command, "amount"):
        return _encode((scope, replace(command, amount=_exact(command.amount))))
    return _encode((scope, command))


_encode = msgspec.json.Encoder(order="sorted", decimal_format="string").encode


def _without_code(command: Charge | Confirm) -> Charge | Confirm:
    card = command.instrument
    if not isinstance(card, Card):
        return command
    return replace(command, instrument=replace(card, cvc=""))


def _exact(amount: int | str | Decimal | None) -> str | None:
    """One way of writing an amount: 1.5, "1.50" and "1.5" are equal."""
    if amount is None:
        return None
    return f"{Decimal(amount).normalize():f}"
