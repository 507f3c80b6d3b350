"""The tables of what merchants limit, whom they block, and what counts towards the limits."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from eci_payments.store.table_parts import NOW, TIME, merchant, metadata

merchant_limits = Table(
    "merchant_limits",
    metadata,
    merchant(),
    Column("kind", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("set_at", TIME, nullable=False, server_default=NOW),
    Column("charges", Integer),
    Column("window_s", Integer),
    PrimaryKeyConstraint("merchant_id", "kind", "currency"),
    ForeignKeyConstraint(["merchant_id"], ["merchants.merchant_id"]),
    CheckConstraint("kind IN ('refund_approval', 'charge', 'user', 'card')", name="kind"),
    CheckConstraint("amount_minor >= 0", name="amount"),
    CheckConstraint(
        "CASE WHEN kind IN ('user', 'card')"
        " THEN window_s BETWEEN 1 AND 2678400 AND coalesce(charges >= 0, amount_minor IS NOT NULL)"
        " ELSE amount_minor IS NOT NULL AND charges IS NULL AND window_s IS NULL END",
        name="window",
    ),
)

blocks = Table(
    "blocks",
    metadata,
    merchant(),
    Column("subject", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("added_at", TIME, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("merchant_id", "subject"),
    ForeignKeyConstraint(["merchant_id"], ["merchants.merchant_id"]),
    CheckConstraint("kind IN ('user', 'card', 'bin', 'upi')", name="kind"),
)

limit_uses = Table(
    "limit_uses",
    metadata,
    merchant(),
    Column("subject", Text, nullable=False),
    Column("payment_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("begun_at", TIME, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("merchant_id", "subject", "payment_id", "attempt"),
    Index("limit_uses_window_idx", "merchant_id", "subject", "begun_at"),
    Index("limit_uses_begun_idx", "begun_at"),
)
