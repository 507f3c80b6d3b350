"""The hash chains over audit rows: one encoding of a row, and the hash that binds it to every row sealed before.

``hash(n) = SHA-256(hash(n-1) || encoding(row n))``, where hash(0) is the chain's genesis. The encoding is unambiguous:
every column in a fixed order, a null as one byte, anything else as a byte, its length and its text. All columns count
but ``committed_in``, which says where a row lies in this cluster and changes when a dump is restored into another.

Does not cover: somebody who can rewrite the seals too can make a new chain from any row on. Against that an earlier
hash has to be kept elsewhere and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from eci_payments.store.trail import TRANSACTIONS, Grown


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One chain per merchant over ``rows``, in the order of their commits.

    ``reader`` names the cursor of the walk that seals; ``seals`` is the table of hashes, which names each row by the
    same column as ``rows`` does. ``columns`` are sealed in this order; ``expressions`` say how a statement selects
    those that are not taken as they are. ``noun`` is what people call a row.
    """

    rows: Grown
    seals: str
    reader: str
    noun: str
    genesis: bytes
    columns: tuple[str, ...]
    expressions: Mapping[str, str]

    @property
    def selected(self) -> str:
        """How a statement selects a row ``t`` for `row_hash`."""
        return ", ".join(f"{self.expressions.get(name, f't.{name}')} AS {name}" for name in self.columns)


PAYMENTS = Chain(
    rows=TRANSACTIONS,
    seals="audit_seals",
    reader="seals",
    noun="audit entry",
    genesis=sha256(b"eci-payments audit seals, 1").digest(),
    columns=(
        "merchant_id", "transaction_log_id", "payment_id", "operation_id", "version", "transaction_type",
        "amount_minor", "currency", "status", "description", "before", "after", "actor", "reason", "correlation_id",
        "origin", "created_at",
    ),
    expressions={
        "before": "t.before::text",
        "after": "t.after::text",
        "created_at": "(extract(epoch FROM t.created_at) * 1000000)::bigint",
    },
)  # fmt: skip
"""What happened to payments. JSON is sealed as PostgreSQL writes it, times in microseconds since 1970."""

ACTS = Chain(
    rows=Grown("admin_events", "event_id", "occurred_at"),
    seals="admin_seals",
    reader="act_seals",
    noun="administrative event",
    genesis=sha256(b"eci-payments seals of administrative events, 1").digest(),
    columns=(
        "merchant_id", "event_id", "occurred_at", "actor", "action", "subject", "result", "origin", "correlation_id",
        "times",
    ),
    expressions={"occurred_at": "(extract(epoch FROM t.occurred_at) * 1000000)::bigint"},
)  # fmt: skip
"""Administrative acts, operators' moves and refused access."""

CHAINS = (PAYMENTS, ACTS)


def row_hash(chain: Chain, previous: bytes, row: Any) -> bytes:
    """The hash of this row after the one before it. ``row`` has the attributes that the chain's columns name."""
    digest = sha256(previous)
    for name in chain.columns:
        value = getattr(row, name)
        if value is None:
            digest.update(b"\x00")
        else:
            encoded = str(value).encode()
            digest.update(b"\x01" + len(encoded).to_bytes(8) + encoded)
    return digest.digest()
