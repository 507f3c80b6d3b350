"""Names of random bytes in the letters of base32 (RFC 4648), which people can read out."""

from __future__ import annotations

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LETTERS = bytes(ord(ALPHABET[number % len(ALPHABET)]) for number in range(256))


def drawn(random_bytes: bytes) -> str:
    """A name of as many letters as there are bytes, five random bits in each."""
    return random_bytes.translate(_LETTERS).decode()
