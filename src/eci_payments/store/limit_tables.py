"""The tables of what merchants limit."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
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
    Column("amount_minor", BigInteger, nullable=False),
    Column("set_at", TIME, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("merchant_id", "kind", "currency"),
    ForeignKeyConstraint(["merchant_id"], ["merchants.merchant_id"]),
    CheckConstraint("kind IN ('refund_approval')", name="kind"),
    CheckConstraint("amount_minor >= 0", name="amount"),
)
