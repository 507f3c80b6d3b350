"""Card fingerprints: a card recognised again without keeping its number (PCI DSS 4.0.1, 3.5.1.1).

HMAC-SHA-256 over merchant and whole number, under a key that stands outside the database. A number has too few digits
for a hash without a key: whoever had the rows could try them all. What one merchant has tells nothing of another's.

A fingerprint carries the id of its key. New ones are made with the first key; the others are held for looking up what
was made with them before.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field

KEYS_MAX = 4
_KEY = re.compile(r"([a-z0-9]{1,16}):([0-9a-f]{64})", re.ASCII)
_CONSTANT = b"eci-payments card key check 1"


@dataclass(frozen=True, slots=True)
class CardKey:
    """One key: 32 bytes and the id under which rows name it."""

    key_id: str
    key: bytes = field(repr=False)

    def fingerprint(self, merchant_id: int, number: str) -> str:
        """Of a card number, as digits."""
        digest = hmac.digest(self.key, f"{merchant_id}:{number}".encode(), "sha256")
        return f"{self.key_id}:{digest.hex()}"

    @property
    def check_value(self) -> str:
        """What may be noted of the key: the same for the same key, and nothing else can be learned from it."""
        return hmac.digest(self.key, _CONSTANT, "sha256").hex()


@dataclass(frozen=True, slots=True)
class CardKeys:
    """The keys of an installation, the one for new fingerprints first."""

    keys: tuple[CardKey, ...] = ()

    def fingerprints(self, merchant_id: int, number: str) -> tuple[str, ...]:
        """Of a card number under every key, the present one first; none where there is no key."""
        return tuple(key.fingerprint(merchant_id, number) for key in self.keys)


def card_keys(text: str) -> CardKeys:
    """Keys as they are configured: ``id:64 hex digits``, several with commas or spaces between. Raises ValueError."""
    found = [_KEY.fullmatch(part) for part in text.replace(",", " ").split()]
    keys = tuple(CardKey(each[1], bytes.fromhex(each[2])) for each in found if each)
    ids, secrets = {key.key_id for key in keys}, {key.key for key in keys}
    if not 0 < len(found) <= KEYS_MAX or not len(ids) == len(secrets) == len(found):
        raise ValueError("card keys are different pairs of an id and 64 hex digits")
    return CardKeys(keys)
