"""The hash chain over audit rows: one encoding of a row, and the hash that binds it to every row sealed before.

``hash(n) = SHA-256(hash(n-1) || encoding(row n))``, where hash(0) is `GENESIS`. The encoding is unambiguous: every
column in a fixed order, a null as one byte, anything else as a byte, its length and its text. All columns count but
``committed_in``, which says where a row lies in this cluster and changes when a dump is restored into another.

Does not cover: somebody who can rewrite the seals too can make a new chain from any row on. Against that an earlier
hash has to be kept elsewhere and compared.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

GENESIS = sha256(b"eci-payments audit seals, 1").digest()
"""What stands before the first row, and says which encoding is used."""

COLUMNS = (
    "merchant_id", "transaction_log_id", "payment_id", "operation_id", "version", "transaction_type", "amount_minor",
    "currency", "status", "description", "before", "after", "actor", "reason", "correlation_id", "origin", "created_at",
)  # fmt: skip
"""Every column of ``transactions`` that is sealed, in the order in which it is encoded."""

_EXPRESSIONS = {
    "before": "t.before::text",
    "after": "t.after::text",
    "created_at": "(extract(epoch FROM t.created_at) * 1000000)::bigint",
}
SELECTED = ", ".join(f"{_EXPRESSIONS.get(name, f't.{name}')} AS {name}" for name in COLUMNS)
"""How a statement selects a row for `row_hash`: JSON as PostgreSQL writes it, times in microseconds since 1970."""


def row_hash(previous: bytes, row: Any) -> bytes:
    """The hash of this row after the one before it. ``row`` has the attributes that `SELECTED` names."""
    digest = sha256(previous)
    for name in COLUMNS:
        value = getattr(row, name)
        if value is None:
            digest.update(b"\x00")
        else:
            encoded = str(value).encode()
            digest.update(b"\x01" + len(encoded).to_bytes(8) + encoded)
    return digest.digest()
