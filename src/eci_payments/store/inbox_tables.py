"""The tables of what gateways tell by themselves."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from eci_payments.store.table_parts import NOW, TIME, merchant, metadata

INBOX_IDS = Sequence("inbox_ids", metadata=metadata, data_type=BigInteger)

gateway_inbox = Table(
    "gateway_inbox",
    metadata,
    merchant(),
    Column("inbox_id", BigInteger, INBOX_IDS, server_default=INBOX_IDS.next_value(), nullable=False),
    Column("account", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("occurred_at", TIME, nullable=False),
    Column("received_at", TIME, nullable=False, server_default=NOW),
    Column("waiting_since", TIME, nullable=False, server_default=NOW),
    Column("told", JSONB, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'PENDING'")),
    Column("why", Text),
    Column("payment_id", BigInteger),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("due_at", TIME, server_default=NOW),
    Column("lease_epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("concluded_at", TIME),
    PrimaryKeyConstraint("merchant_id", "inbox_id"),
    UniqueConstraint("merchant_id", "account", "event_id"),
    ForeignKeyConstraint(["merchant_id"], ["merchants.merchant_id"]),
    CheckConstraint("state IN ('PENDING', 'APPLIED', 'IGNORED', 'MISMATCH', 'PARKED')", name="state"),
    CheckConstraint("(state = 'PENDING') = (due_at IS NOT NULL)", name="due"),
    CheckConstraint("(state = 'PENDING') = (concluded_at IS NULL)", name="concluded"),
    Index("gateway_inbox_due_idx", "due_at", postgresql_where=text("state = 'PENDING'")),
    Index(
        "gateway_inbox_held_idx",
        "merchant_id",
        "inbox_id",
        postgresql_where=text("state IN ('MISMATCH', 'PARKED')"),
    ),
    Index(
        "gateway_inbox_concluded_idx",
        "concluded_at",
        postgresql_where=text("state IN ('APPLIED', 'IGNORED')"),
    ),
)
