"""API keys as text: ``eci_{merchant}_{12 characters: the key's id}{at least 32 characters: the secret}``.

The id is no secret: it stands in lists, logs and the audit trail. The rest has at least 128 random bits (OWASP ASVS
11.5.1; those that we make have 256), so that a plain SHA-256 of the whole is safe to store: nobody guesses what it
was made of, and what is not guessable needs no slow hash.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from eci_payments.domain.ids import MerchantId

ID_LENGTH = 12
SECRET_BYTES = 40
"""64 characters of base32: 12 for the id, and 52 for the secret, which are 260 bits."""
_FORM = re.compile(r"eci_([1-9][0-9]{0,15})_([A-Za-z0-9]{12})([A-Za-z0-9]{32,128})", re.ASCII)


class Scope(StrEnum):
    """What a key may do. None holds another."""

    CHARGE = "charge"
    REFUND = "refund"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"


EVERY_SCOPE = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as it was presented: whose it says it is, and the hash to hold against the stored one."""

    merchant_id: MerchantId
    key_id: str
    hash: bytes = field(repr=False)

    @property
    def prefix(self) -> str:
        """What may be shown of it."""
        return prefix(self.merchant_id, self.key_id)


def presented(text: str) -> PresentedKey | None:
    """The key that this text is; None for anything else."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    return PresentedKey(MerchantId(int(found[1])), found[2], sha256(text.encode()).digest())


def new_key(merchant_id: MerchantId, random_bytes: bytes) -> str:
    """A key of this merchant, of `SECRET_BYTES` random bytes."""
    if len(random_bytes) != SECRET_BYTES:
        raise ValueError("an API key is made of exactly SECRET_BYTES random bytes")
    return f"eci_{merchant_id}_{base64.b32encode(random_bytes).decode().lower()}"


def prefix(merchant_id: MerchantId, key_id: str) -> str:
    """How a key begins: enough to tell which one it is, and nothing of its secret."""
    return f"eci_{merchant_id}_{key_id}"
