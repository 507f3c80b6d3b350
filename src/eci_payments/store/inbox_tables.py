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


def within_captured() -> tuple[CheckConstraint, CheckConstraint]:
    """What holds the line between what we start and what gateways did: for the table of payments."""
    return (
        CheckConstraint(
            "amount_refunded_elsewhere_minor BETWEEN 0 AND amount_refunded_minor"
            " AND amount_refund_pending_minor >= 0"
            " AND amount_refunded_minor - amount_refunded_elsewhere_minor + amount_refund_pending_minor"
            " <= amount_captured_minor",
            name="refunds_within_captured",
        ),
        CheckConstraint(
            "amount_disputed_minor >= 0 AND amount_charged_back_minor >= 0"
            " AND amount_exceeding_minor"
            " <= amount_refunded_elsewhere_minor + amount_disputed_minor + amount_charged_back_minor"
            " AND amount_exceeding_minor = GREATEST(0, amount_refunded_minor + amount_refund_pending_minor"
            " + amount_disputed_minor + amount_charged_back_minor - amount_captured_minor)",
            name="exceeding",
        ),
    )


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

disputes = Table(
    "disputes",
    metadata,
    merchant(),
    Column("gateway", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("payment_id", BigInteger, nullable=False),
    Column("operation_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("told_at", TIME, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("closed_at", TIME),
    PrimaryKeyConstraint("merchant_id", "gateway", "reference"),
    ForeignKeyConstraint(["merchant_id", "payment_id"], ["payments.merchant_id", "payments.payment_id"]),
    CheckConstraint("amount_minor > 0", name="amount"),
    CheckConstraint("state IN ('OPEN', 'WON', 'LOST')", name="state"),
    CheckConstraint("(state = 'OPEN') = (closed_at IS NULL)", name="closed"),
    Index("disputes_payment_idx", "merchant_id", "payment_id"),
)
