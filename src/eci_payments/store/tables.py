"""The tables, as metadata that the migrations are held against.

Every key holds ``merchant_id``, so that the whole schema can be distributed on that column. Amounts are integers
of minor units. ``committed_in`` is the transaction that wrote a row: readers that walk a growing table stop at the
oldest transaction still running, so that a row which commits late is never skipped.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from eci_payments.store import limit_tables as _limit_tables  # noqa: F401 - it adds its tables to the metadata
from eci_payments.store.inbox_tables import within_captured
from eci_payments.store.table_parts import NOW, TIME, TransactionNumber, committed_in, merchant, metadata

__all__ = ["ID_BLOCK", "INSERT_ONLY", "TransactionNumber", "metadata"]

ID_BLOCK = 64
"""How many ids one call of a sequence hands to a process, which then counts on by itself."""


def _sequence(name: str) -> Sequence:
    return Sequence(name, metadata=metadata, data_type=BigInteger, increment=ID_BLOCK)


PAYMENT_IDS = _sequence("payment_ids")
OPERATION_IDS = _sequence("operation_ids")
REFUND_IDS = _sequence("refund_ids")
AUDIT_IDS = _sequence("transaction_log_ids")
ENTRY_IDS = _sequence("ledger_entry_ids")
EVENT_IDS = _sequence("event_ids")
DELIVERY_IDS = Sequence("delivery_ids", metadata=metadata, data_type=BigInteger)
ADMIN_EVENT_IDS = Sequence("admin_event_ids", metadata=metadata, data_type=BigInteger)


_NEWEST_FIRST = (text("created_at DESC"), text("payment_id DESC"))

merchants = Table(
    "merchants",
    metadata,
    merchant(),
    Column("name", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("merchant_id"),
)

payments = Table(
    "payments",
    metadata,
    merchant(),
    Column("payment_id", BigInteger, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("amount_authorized_minor", BigInteger, nullable=False),
    Column("amount_captured_minor", BigInteger, nullable=False),
    Column("amount_refunded_minor", BigInteger, nullable=False),
    Column("amount_refund_pending_minor", BigInteger, nullable=False),
    Column("amount_unapplied_minor", BigInteger, nullable=False),
    Column("amount_refunded_elsewhere_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("amount_disputed_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("amount_charged_back_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("amount_exceeding_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("dispute_count", Integer, nullable=False, server_default=text("0")),
    Column("reference", Text, nullable=False),
    Column("capture", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("event_sequence", BigInteger, nullable=False),
    Column("gateway", Text),
    Column("gateway_response", Text),
    Column("authorization_code", Text),
    Column("charge_operation_id", BigInteger),
    Column("open_operation_id", BigInteger),
    Column("processing_reason", Text),
    Column("failure", JSONB),
    Column("next_action", JSONB),
    Column("return_url", Text),
    Column("metadata", JSONB, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("updated_at", TIME, nullable=False),
    Column("completed_at", TIME),
    Column("captured_at", TIME),
    Column("expires_at", TIME),
    PrimaryKeyConstraint("merchant_id", "payment_id"),
    UniqueConstraint("merchant_id", "order_id"),
    UniqueConstraint("merchant_id", "transaction_id"),
    ForeignKeyConstraint(["merchant_id"], ["merchants.merchant_id"]),
    CheckConstraint("amount_minor > 0", name="amount"),
    CheckConstraint(
        "amount_captured_minor BETWEEN 0 AND amount_authorized_minor", name="captured_within_authorized"
    ),
    *within_captured(),
    CheckConstraint("amount_unapplied_minor >= 0", name="unapplied"),
    CheckConstraint(
        "status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED', 'COMPLETED',"
        " 'PARTIALLY_REFUNDED', 'REFUNDED', 'FAILED', 'CANCELLED')",
        name="status",
    ),
    Index("payments_newest_idx", "merchant_id", *_NEWEST_FIRST),
    Index("payments_status_idx", "merchant_id", "status", *_NEWEST_FIRST),
    Index("payments_method_idx", "merchant_id", "payment_method", *_NEWEST_FIRST),
    Index("payments_user_idx", "merchant_id", "user_id", *_NEWEST_FIRST),
    Index(
        "payments_reason_idx",
        "merchant_id",
        "processing_reason",
        *_NEWEST_FIRST,
        postgresql_where=text("processing_reason IS NOT NULL"),
    ),
    Index(
        "payments_exceeding_idx",
        "merchant_id",
        "payment_id",
        postgresql_where=text("amount_exceeding_minor > 0"),
    ),
    Index("payments_expiry_idx", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
)

operations = Table(
    "operations",
    metadata,
    merchant(),
    Column("operation_id", BigInteger, nullable=False),
    Column("payment_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("gateway", Text, nullable=False),
    Column("gateway_key", Text, nullable=False),
    Column("gateway_reference", Text),
    Column("lease_epoch", BigInteger, nullable=False),
    Column("due_at", TIME),
    Column("parent_id", BigInteger),
    Column("parent_key", Text),
    Column("parent_reference", Text),
    Column("refund_id", BigInteger),
    Column("final", Boolean, nullable=False),
    Column("inquiries", Integer, nullable=False),
    Column("inquired_at", TIME),
    Column("key_scope", Text),
    Column("key", Text),
    Column("outcome", JSONB),
    Column("card_fingerprint", Text),
    Column("late_amount_minor", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("correlation_id", Text),
    Column("traceparent", Text),
    Column("created_at", TIME, nullable=False),
    Column("concluded_at", TIME),
    PrimaryKeyConstraint("merchant_id", "operation_id"),
    UniqueConstraint("merchant_id", "gateway_key"),
    ForeignKeyConstraint(["merchant_id", "payment_id"], ["payments.merchant_id", "payments.payment_id"]),
    CheckConstraint("amount_minor > 0", name="amount"),
    CheckConstraint(
        "state IN ('STARTED', 'PENDING', 'REQUIRES_ACTION', 'UNKNOWN', 'APPROVED', 'DECLINED', 'CANCELLED',"
        " 'NOT_SENT')",
        name="state",
    ),
    Index("operations_payment_idx", "merchant_id", "payment_id", "operation_id"),
    Index("operations_due_idx", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index(
        "operations_reference_idx",
        "merchant_id",
        "gateway_reference",
        postgresql_where=text("gateway_reference IS NOT NULL AND kind IN ('CHARGE', 'AUTHORIZE')"),
    ),
    Index(
        "operations_one_open_key",
        "merchant_id",
        "payment_id",
        unique=True,
        postgresql_where=text(
            "kind IN ('CHARGE', 'AUTHORIZE', 'CAPTURE', 'VOID')"
            " AND state IN ('STARTED', 'PENDING', 'REQUIRES_ACTION', 'UNKNOWN')"
        ),
    ),
)

refunds = Table(
    "refunds",
    metadata,
    merchant(),
    Column("refund_id", BigInteger, nullable=False),
    Column("payment_id", BigInteger, nullable=False),
    Column("operation_id", BigInteger),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("failure", JSONB),
    Column("created_at", TIME, nullable=False),
    Column("completed_at", TIME),
    Column("requested_by", Text),
    Column("approval_expires_at", TIME),
    Column("decided_by", Text),
    Column("decided_at", TIME),
    Column("decision_reason", Text),
    Column("key_scope", Text),
    Column("key", Text),
    Column("made_elsewhere", Boolean, nullable=False, server_default=text("false")),
    Column("gateway_reference", Text),
    PrimaryKeyConstraint("merchant_id", "refund_id"),
    ForeignKeyConstraint(["merchant_id", "payment_id"], ["payments.merchant_id", "payments.payment_id"]),
    CheckConstraint("amount_minor > 0", name="amount"),
    CheckConstraint("status IN ('AWAITING_APPROVAL', 'PENDING', 'SUCCEEDED', 'FAILED')", name="status"),
    CheckConstraint(
        "status <> 'AWAITING_APPROVAL'"
        " OR (approval_expires_at IS NOT NULL AND decided_by IS NULL AND operation_id IS NULL)",
        name="awaiting",
    ),
    CheckConstraint(
        "approval_expires_at IS NULL OR status IN ('AWAITING_APPROVAL', 'FAILED')"
        " OR coalesce(decided_by <> requested_by, false)",
        name="approved_by_another",
    ),
    Index(
        "refunds_elsewhere_key",
        "merchant_id",
        "payment_id",
        "gateway_reference",
        unique=True,
        postgresql_where=text("gateway_reference IS NOT NULL"),
    ),
    Index("refunds_payment_idx", "merchant_id", "payment_id", "refund_id"),
    Index(
        "refunds_approval_idx",
        "merchant_id",
        "refund_id",
        postgresql_where=text("approval_expires_at IS NOT NULL"),
    ),
    Index(
        "refunds_awaiting_idx", "approval_expires_at", postgresql_where=text("status = 'AWAITING_APPROVAL'")
    ),
)

transactions = Table(
    "transactions",
    metadata,
    merchant(),
    Column("transaction_log_id", BigInteger, nullable=False),
    Column("payment_id", BigInteger, nullable=False),
    Column("operation_id", BigInteger),
    Column("version", BigInteger, nullable=False),
    Column("transaction_type", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("before", JSONB),
    Column("after", JSONB, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("correlation_id", Text),
    Column("origin", Text),
    Column("created_at", TIME, nullable=False),
    committed_in(),
    PrimaryKeyConstraint("merchant_id", "transaction_log_id"),
    ForeignKeyConstraint(["merchant_id", "payment_id"], ["payments.merchant_id", "payments.payment_id"]),
    Index("transactions_payment_idx", "merchant_id", "payment_id", "version", "transaction_log_id"),
    Index("transactions_committed_idx", "merchant_id", "committed_in", "transaction_log_id"),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    merchant(),
    Column("entry_id", BigInteger, nullable=False),
    Column("payment_id", BigInteger, nullable=False),
    Column("operation_id", BigInteger),
    Column("version", BigInteger, nullable=False),
    Column("movement", Text, nullable=False),
    Column("debit_account", Text, nullable=False),
    Column("credit_account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
    PrimaryKeyConstraint("merchant_id", "entry_id"),
    ForeignKeyConstraint(["merchant_id", "payment_id"], ["payments.merchant_id", "payments.payment_id"]),
    CheckConstraint("amount_minor > 0", name="amount"),
    CheckConstraint("debit_account <> credit_account", name="two_accounts"),
    Index("ledger_entries_payment_idx", "merchant_id", "payment_id"),
)

events = Table(
    "events",
    metadata,
    merchant(),
    Column("event_id", BigInteger, nullable=False),
    Column("payment_id", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("correlation_id", Text),
    Column("traceparent", Text),
    Column("created_at", TIME, nullable=False),
    committed_in(),
    PrimaryKeyConstraint("merchant_id", "event_id"),
    UniqueConstraint("merchant_id", "payment_id", "sequence"),
    ForeignKeyConstraint(["merchant_id", "payment_id"], ["payments.merchant_id", "payments.payment_id"]),
    Index("events_committed_idx", "merchant_id", "committed_in", "event_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    merchant(),
    Column("delivery_id", BigInteger, DELIVERY_IDS, server_default=DELIVERY_IDS.next_value(), nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("payment_id", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("destination", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("due_at", TIME),
    Column("lease_epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("leased_until", TIME),
    Column("last_status", SmallInteger),
    Column("last_error", Text),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("first_attempt_at", TIME),
    Column("concluded_at", TIME),
    PrimaryKeyConstraint("merchant_id", "delivery_id"),
    UniqueConstraint("merchant_id", "event_id", "destination"),
    ForeignKeyConstraint(["merchant_id", "event_id"], ["events.merchant_id", "events.event_id"]),
    CheckConstraint("state IN ('PENDING', 'DELIVERED', 'PARKED', 'SUPERSEDED')", name="state"),
    Index("deliveries_due_idx", "destination", "due_at", postgresql_where=text("state = 'PENDING'")),
    Index(
        "deliveries_order_idx",
        "merchant_id",
        "payment_id",
        "destination",
        "sequence",
        postgresql_where=text("state = 'PENDING'"),
    ),
    Index("deliveries_parked_idx", "merchant_id", "delivery_id", postgresql_where=text("state = 'PARKED'")),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    merchant(),
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("operation_id", BigInteger),
    Column("payment_id", BigInteger),
    Column("response_status", SmallInteger),
    Column("response_body", LargeBinary),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("completed_at", TIME),
    PrimaryKeyConstraint("merchant_id", "scope", "key"),
    Index(
        "idempotency_keys_completed_idx", "completed_at", postgresql_where=text("completed_at IS NOT NULL")
    ),
)

cursors = Table(
    "cursors",
    metadata,
    merchant(),
    Column("reader", Text, nullable=False),
    Column("committed_in", TransactionNumber(), nullable=False, server_default=text("'0'::xid8")),
    Column("position", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("merchant_id", "reader"),
)

audit_seals = Table(
    "audit_seals",
    metadata,
    merchant(),
    Column("position", BigInteger, nullable=False),
    Column("transaction_log_id", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("sealed_at", TIME, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("merchant_id", "position"),
    UniqueConstraint("merchant_id", "transaction_log_id"),
)

business_sums = Table(
    "business_sums",
    metadata,
    merchant(),
    Column("name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("value", BigInteger, nullable=False),
    PrimaryKeyConstraint("merchant_id", "name", "label"),
)

installation = Table(
    "installation",
    metadata,
    merchant(),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("merchant_id", "name"),
)

api_keys = Table(
    "api_keys",
    metadata,
    merchant(),
    Column("key_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("expires_at", TIME),
    Column("revoked_at", TIME),
    Column("last_used_at", TIME),
    Column("rate_per_second", Integer),
    PrimaryKeyConstraint("merchant_id", "key_id"),
    ForeignKeyConstraint(["merchant_id"], ["merchants.merchant_id"]),
    CheckConstraint("octet_length(hash) = 32", name="hash"),
    CheckConstraint(
        "cardinality(scopes) > 0 AND scopes <@ ARRAY['charge', 'refund', 'read', 'operate', 'admin']",
        name="scopes",
    ),
    CheckConstraint("rate_per_second BETWEEN 1 AND 1000000", name="rate"),
)

admin_events = Table(
    "admin_events",
    metadata,
    merchant(),
    Column(
        "event_id", BigInteger, ADMIN_EVENT_IDS, server_default=ADMIN_EVENT_IDS.next_value(), nullable=False
    ),
    Column("occurred_at", TIME, nullable=False, server_default=NOW),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("origin", Text),
    Column("correlation_id", Text),
    Column("times", BigInteger, nullable=False, server_default=text("1")),
    committed_in(),
    PrimaryKeyConstraint("merchant_id", "event_id"),
    ForeignKeyConstraint(["merchant_id"], ["merchants.merchant_id"]),
    Index("admin_events_committed_idx", "merchant_id", "committed_in", "event_id"),
)

admin_seals = Table(
    "admin_seals",
    metadata,
    merchant(),
    Column("position", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("sealed_at", TIME, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("merchant_id", "position"),
    UniqueConstraint("merchant_id", "event_id"),
)

rate_windows = Table(
    "rate_windows",
    metadata,
    merchant(),
    Column("subject", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    PrimaryKeyConstraint("merchant_id", "subject", "number"),
    Index("rate_windows_number_idx", "number"),
)

INSERT_ONLY = ("transactions", "ledger_entries", "events", "audit_seals", "admin_events", "admin_seals")
"""Tables that the service's role may read and add to, never change (law 9)."""
