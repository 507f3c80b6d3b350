"""Base32 (RFC 4648) without padding, for names that people may have to read out.

Ten bits at a time over a table of pairs, in which the standard library takes longer.
"""

from __future__ import annotations

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_BITS, _PAIR_BITS = 5, 10
_PAIR_MASK = (1 << _PAIR_BITS) - 1


_LETTERS = bytes(ord(ALPHABET[number % len(ALPHABET)]) for number in range(256))


def drawn(random_bytes: bytes) -> str:
    """A name of as many letters as there are bytes, five random bits in each."""
    return random_bytes.translate(_LETTERS).decode()


def base32(data: bytes) -> str:
    """These bytes in capital letters and digits, five bits each."""
    length = -(-len(data) * 8 // _BITS)
    padding = -len(data) * 8 % _PAIR_BITS
    number = int.from_bytes(data) << padding
    first = len(data) * 8 + padding - _PAIR_BITS
    pairs = [_PAIRS[number >> place & _PAIR_MASK] for place in range(first, -1, -_PAIR_BITS)]
    return "".join(pairs)[:length]
