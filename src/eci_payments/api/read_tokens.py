"""Read tokens: what a page shows to follow one payment, and nothing else, until it expires.

``eci_read_{merchant}_{payment}_{end, seconds since 1970}_{HMAC-SHA-256 of these, base64url}``. Nothing of a token is
stored. It cannot be taken back by itself: it ends by its time, and all of a key's tokens with the key. Several keys
may hold at once, so that a new one can take over: the first signs, every one is believed.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from time import time

from eci_payments.domain.ids import MerchantId, PaymentId

PREFIX = "eci_read_"
"""No API key begins like this; masking knows it as one of ours."""
_FORM = re.compile(
    r"eci_read_([1-9][0-9]{0,15})_([1-9][0-9]{0,15})_([1-9][0-9]{0,10})_([A-Za-z0-9_-]{43})", re.ASCII
)
_PURPOSE = b"eci-payments read token 1\n"
DEFAULT_LIFE_S = 3600


@dataclass(frozen=True, slots=True)
class ReadToken:
    """What a token opens: one payment of one merchant, until ``ends_at_s`` (seconds since 1970)."""

    merchant_id: MerchantId
    payment_id: PaymentId
    ends_at_s: int


class ReadTokens:
    """Hands tokens out and knows its own again. ``keys``: the first signs. ``clock`` is seconds since 1970."""

    def __init__(
        self, keys: Sequence[bytes], life_s: int = DEFAULT_LIFE_S, clock: Callable[[], float] = time
    ) -> None:
        self._keys = tuple(keys)
        self._life_s = life_s
        self._clock = clock

    @classmethod
    def of_nobody_else(cls) -> ReadTokens:
        """With a key that only this object has."""
        return cls([secrets.token_bytes(32)])

    @classmethod
    def derived(cls, secret: bytes, life_s: int) -> ReadTokens:
        """With a key made of a secret that has another use, which this one tells nothing about."""
        return cls([hmac.digest(secret, _PURPOSE, sha256)], life_s)

    def issue(self, merchant_id: MerchantId, payment_id: PaymentId) -> tuple[str, ReadToken]:
        """A token for this payment, from now on, and what it opens."""
        token = ReadToken(merchant_id, payment_id, int(self._clock()) + self._life_s)
        said = f"{merchant_id}_{payment_id}_{token.ends_at_s}"
        return f"{PREFIX}{said}_{_signature(self._keys[0], said)}", token

    def read(self, text: str) -> ReadToken | None:
        """What this text opens now; None for what we did not sign or what has ended."""
        found = _FORM.fullmatch(text)
        if found is None:
            return None
        said = "_".join(found.groups()[:3])
        signatures = [hmac.compare_digest(_signature(key, said), found[4]) for key in self._keys]
        token = ReadToken(MerchantId(int(found[1])), PaymentId(int(found[2])), int(found[3]))
        return token if any(signatures) and self.left_s(token) > 0 else None

    @staticmethod
    def ends_at(token: ReadToken) -> datetime:
        """When it ends."""
        return datetime.fromtimestamp(token.ends_at_s, UTC)

    def left_s(self, token: ReadToken) -> float:
        """Seconds until it ends."""
        return token.ends_at_s - self._clock()


def _signature(key: bytes, said: str) -> str:
    digest = hmac.digest(key, _PURPOSE + said.encode(), sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
