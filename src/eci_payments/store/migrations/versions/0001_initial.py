"""The first schema: merchants, payments and what belongs to them, the audit trail, the ledger, events, readers' places.

Written out, not made from the metadata: what a migration does must not change when the tables do.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = (
    "CREATE SEQUENCE payment_ids AS bigint INCREMENT BY 64",
    "CREATE SEQUENCE operation_ids AS bigint INCREMENT BY 64",
    "CREATE SEQUENCE refund_ids AS bigint INCREMENT BY 64",
    "CREATE SEQUENCE transaction_log_ids AS bigint INCREMENT BY 64",
    "CREATE SEQUENCE ledger_entry_ids AS bigint INCREMENT BY 64",
    "CREATE SEQUENCE event_ids AS bigint INCREMENT BY 64",
    "CREATE SEQUENCE delivery_ids AS bigint",
    """
CREATE TABLE merchants (
    merchant_id bigint NOT NULL,
    name text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT merchants_pkey PRIMARY KEY (merchant_id)
)
    """,
    """
CREATE TABLE payments (
    merchant_id bigint NOT NULL,
    payment_id bigint NOT NULL,
    order_id text NOT NULL,
    user_id text NOT NULL,
    transaction_id text NOT NULL,
    status text NOT NULL,
    payment_method text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    amount_authorized_minor bigint NOT NULL,
    amount_captured_minor bigint NOT NULL,
    amount_refunded_minor bigint NOT NULL,
    amount_refund_pending_minor bigint NOT NULL,
    amount_unapplied_minor bigint NOT NULL,
    reference text NOT NULL,
    capture boolean NOT NULL,
    version bigint NOT NULL,
    attempt integer NOT NULL,
    event_sequence bigint NOT NULL,
    gateway text,
    gateway_response text,
    authorization_code text,
    charge_operation_id bigint,
    open_operation_id bigint,
    processing_reason text,
    failure jsonb,
    next_action jsonb,
    return_url text,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    completed_at timestamptz,
    captured_at timestamptz,
    expires_at timestamptz,
    CONSTRAINT payments_pkey PRIMARY KEY (merchant_id, payment_id),
    CONSTRAINT payments_merchant_id_order_id_key UNIQUE (merchant_id, order_id),
    CONSTRAINT payments_merchant_id_transaction_id_key UNIQUE (merchant_id, transaction_id),
    CONSTRAINT payments_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants (merchant_id),
    CONSTRAINT payments_amount_check CHECK (amount_minor > 0),
    CONSTRAINT payments_captured_within_authorized_check CHECK (amount_captured_minor BETWEEN 0
        AND amount_authorized_minor),
    CONSTRAINT payments_refunds_within_captured_check CHECK (amount_refunded_minor >= 0
        AND amount_refund_pending_minor >= 0
        AND amount_refunded_minor + amount_refund_pending_minor <= amount_captured_minor),
    CONSTRAINT payments_unapplied_check CHECK (amount_unapplied_minor >= 0),
    CONSTRAINT payments_status_check CHECK (status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION',
        'AUTHORIZED', 'COMPLETED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'FAILED', 'CANCELLED'))
)
    """,
    "CREATE INDEX payments_expiry_idx ON payments (expires_at) WHERE expires_at IS NOT NULL",
    "CREATE INDEX payments_newest_idx ON payments (merchant_id, created_at DESC, payment_id DESC)",
    """
CREATE INDEX payments_reason_idx ON payments (merchant_id, processing_reason, created_at DESC,
    payment_id DESC) WHERE processing_reason IS NOT NULL
    """,
    "CREATE INDEX payments_status_idx ON payments (merchant_id, status, created_at DESC, payment_id DESC)",
    "CREATE INDEX payments_user_idx ON payments (merchant_id, user_id, created_at DESC, payment_id DESC)",
    """
CREATE TABLE operations (
    merchant_id bigint NOT NULL,
    operation_id bigint NOT NULL,
    payment_id bigint NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    attempt integer NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    payment_method text NOT NULL,
    gateway text NOT NULL,
    gateway_key text NOT NULL,
    gateway_reference text,
    lease_epoch bigint NOT NULL,
    due_at timestamptz,
    parent_id bigint,
    parent_key text,
    parent_reference text,
    refund_id bigint,
    final boolean NOT NULL,
    inquiries integer NOT NULL,
    inquired_at timestamptz,
    key_scope text,
    key text,
    outcome jsonb,
    late_amount_minor bigint NOT NULL,
    actor text NOT NULL,
    correlation_id text,
    traceparent text,
    created_at timestamptz NOT NULL,
    concluded_at timestamptz,
    CONSTRAINT operations_pkey PRIMARY KEY (merchant_id, operation_id),
    CONSTRAINT operations_merchant_id_gateway_key_key UNIQUE (merchant_id, gateway_key),
    CONSTRAINT operations_merchant_id_payment_id_fkey FOREIGN KEY (merchant_id,
        payment_id) REFERENCES payments (merchant_id, payment_id),
    CONSTRAINT operations_amount_check CHECK (amount_minor > 0),
    CONSTRAINT operations_state_check CHECK (state IN ('STARTED', 'PENDING', 'REQUIRES_ACTION', 'UNKNOWN',
        'APPROVED', 'DECLINED', 'CANCELLED', 'NOT_SENT'))
)
    """,
    "CREATE INDEX operations_due_idx ON operations (due_at) WHERE due_at IS NOT NULL",
    """
CREATE UNIQUE INDEX operations_one_open_key ON operations (merchant_id, payment_id) WHERE kind IN ('CHARGE',
    'AUTHORIZE', 'CAPTURE', 'VOID') AND state IN ('STARTED', 'PENDING', 'REQUIRES_ACTION', 'UNKNOWN')
    """,
    "CREATE INDEX operations_payment_idx ON operations (merchant_id, payment_id, operation_id)",
    """
CREATE TABLE refunds (
    merchant_id bigint NOT NULL,
    refund_id bigint NOT NULL,
    payment_id bigint NOT NULL,
    operation_id bigint,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    failure jsonb,
    created_at timestamptz NOT NULL,
    completed_at timestamptz,
    CONSTRAINT refunds_pkey PRIMARY KEY (merchant_id, refund_id),
    CONSTRAINT refunds_merchant_id_payment_id_fkey FOREIGN KEY (merchant_id,
        payment_id) REFERENCES payments (merchant_id, payment_id),
    CONSTRAINT refunds_amount_check CHECK (amount_minor > 0),
    CONSTRAINT refunds_status_check CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED'))
)
    """,
    "CREATE INDEX refunds_payment_idx ON refunds (merchant_id, payment_id, refund_id)",
    """
CREATE TABLE transactions (
    merchant_id bigint NOT NULL,
    transaction_log_id bigint NOT NULL,
    payment_id bigint NOT NULL,
    operation_id bigint,
    version bigint NOT NULL,
    transaction_type text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    description text NOT NULL,
    before jsonb,
    after jsonb NOT NULL,
    actor text NOT NULL,
    reason text,
    correlation_id text,
    origin text,
    created_at timestamptz NOT NULL,
    committed_in xid8 DEFAULT pg_current_xact_id() NOT NULL,
    CONSTRAINT transactions_pkey PRIMARY KEY (merchant_id, transaction_log_id),
    CONSTRAINT transactions_merchant_id_payment_id_fkey FOREIGN KEY (merchant_id,
        payment_id) REFERENCES payments (merchant_id, payment_id)
)
    """,
    "CREATE INDEX transactions_committed_idx ON transactions (merchant_id, committed_in, transaction_log_id)",
    "CREATE INDEX transactions_payment_idx ON transactions (merchant_id, payment_id, version, transaction_log_id)",
    """
CREATE TABLE ledger_entries (
    merchant_id bigint NOT NULL,
    entry_id bigint NOT NULL,
    payment_id bigint NOT NULL,
    operation_id bigint,
    version bigint NOT NULL,
    movement text NOT NULL,
    debit_account text NOT NULL,
    credit_account text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT ledger_entries_pkey PRIMARY KEY (merchant_id, entry_id),
    CONSTRAINT ledger_entries_merchant_id_payment_id_fkey FOREIGN KEY (merchant_id,
        payment_id) REFERENCES payments (merchant_id, payment_id),
    CONSTRAINT ledger_entries_amount_check CHECK (amount_minor > 0),
    CONSTRAINT ledger_entries_two_accounts_check CHECK (debit_account <> credit_account)
)
    """,
    "CREATE INDEX ledger_entries_payment_idx ON ledger_entries (merchant_id, payment_id)",
    """
CREATE TABLE events (
    merchant_id bigint NOT NULL,
    event_id bigint NOT NULL,
    payment_id bigint NOT NULL,
    sequence bigint NOT NULL,
    event_type text NOT NULL,
    data jsonb NOT NULL,
    correlation_id text,
    traceparent text,
    created_at timestamptz NOT NULL,
    committed_in xid8 DEFAULT pg_current_xact_id() NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (merchant_id, event_id),
    CONSTRAINT events_merchant_id_payment_id_sequence_key UNIQUE (merchant_id, payment_id, sequence),
    CONSTRAINT events_merchant_id_payment_id_fkey FOREIGN KEY (merchant_id,
        payment_id) REFERENCES payments (merchant_id, payment_id)
)
    """,
    "CREATE INDEX events_committed_idx ON events (merchant_id, committed_in, event_id)",
    """
CREATE TABLE deliveries (
    merchant_id bigint NOT NULL,
    delivery_id bigint DEFAULT nextval('delivery_ids') NOT NULL,
    event_id bigint NOT NULL,
    payment_id bigint NOT NULL,
    sequence bigint NOT NULL,
    destination text NOT NULL,
    state text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamptz,
    lease_epoch bigint DEFAULT 0 NOT NULL,
    leased_until timestamptz,
    last_status smallint,
    last_error text,
    created_at timestamptz DEFAULT now() NOT NULL,
    first_attempt_at timestamptz,
    concluded_at timestamptz,
    CONSTRAINT deliveries_pkey PRIMARY KEY (merchant_id, delivery_id),
    CONSTRAINT deliveries_merchant_id_event_id_destination_key UNIQUE (merchant_id, event_id, destination),
    CONSTRAINT deliveries_merchant_id_event_id_fkey FOREIGN KEY (merchant_id,
        event_id) REFERENCES events (merchant_id, event_id),
    CONSTRAINT deliveries_state_check CHECK (state IN ('PENDING', 'DELIVERED', 'PARKED', 'SUPERSEDED'))
)
    """,
    "CREATE INDEX deliveries_due_idx ON deliveries (destination, due_at) WHERE state = 'PENDING'",
    """
CREATE INDEX deliveries_order_idx ON deliveries (merchant_id, payment_id, destination, sequence)
    WHERE state = 'PENDING'
    """,
    "CREATE INDEX deliveries_parked_idx ON deliveries (merchant_id, delivery_id) WHERE state = 'PARKED'",
    """
CREATE TABLE idempotency_keys (
    merchant_id bigint NOT NULL,
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    operation_id bigint,
    payment_id bigint,
    response_status smallint,
    response_body bytea,
    created_at timestamptz DEFAULT now() NOT NULL,
    completed_at timestamptz,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (merchant_id, scope, key)
)
    """,
    "CREATE INDEX idempotency_keys_completed_idx ON idempotency_keys (completed_at) WHERE completed_at IS NOT NULL",
    """
CREATE TABLE cursors (
    merchant_id bigint NOT NULL,
    reader text NOT NULL,
    committed_in xid8 DEFAULT '0'::xid8 NOT NULL,
    position bigint DEFAULT 0 NOT NULL,
    CONSTRAINT cursors_pkey PRIMARY KEY (merchant_id, reader)
)
    """,
    """
CREATE TABLE audit_seals (
    merchant_id bigint NOT NULL,
    position bigint NOT NULL,
    transaction_log_id bigint NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT audit_seals_pkey PRIMARY KEY (merchant_id, position),
    CONSTRAINT audit_seals_merchant_id_transaction_log_id_key UNIQUE (merchant_id, transaction_log_id)
)
    """,
    """
CREATE TABLE business_sums (
    merchant_id bigint NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    value bigint NOT NULL,
    CONSTRAINT business_sums_pkey PRIMARY KEY (merchant_id, name, label)
)
    """,
    """
CREATE TABLE installation (
    merchant_id bigint NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    CONSTRAINT installation_pkey PRIMARY KEY (merchant_id, name)
)
    """,
)

# Updated rows find room on their own page, so that a row's versions stay together and most pages need no vacuum
# between two updates; where no indexed column changes, the update is heap-only.
CHANGED = "fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02"
# Rows that are never changed: vacuum only freezes and keeps the visibility map, in small steps rather than in one big.
GROWING = "autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02"
# A few rows that are written over and over: cleaned by count, never by share.
COUNTERS = "fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500"

STORAGE = {
    "payments": CHANGED,
    "operations": CHANGED,
    "refunds": CHANGED,
    "idempotency_keys": CHANGED,
    "deliveries": CHANGED,
    "transactions": GROWING,
    "ledger_entries": GROWING,
    "events": GROWING,
    "audit_seals": GROWING,
    "cursors": COUNTERS,
    "business_sums": COUNTERS,
}

FIRST_MERCHANT = "INSERT INTO merchants (merchant_id, name) VALUES (1, 'default')"


def upgrade() -> None:
    """Make everything, and the one merchant of a single shop."""
    connection = op.get_bind()
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)
    for table, parameters in STORAGE.items():
        connection.exec_driver_sql(f"ALTER TABLE {table} SET ({parameters})")
    connection.exec_driver_sql(FIRST_MERCHANT)


def downgrade() -> None:
    """There is no way back from the first schema: money's history is not dropped. Restore a backup instead."""
    raise NotImplementedError("the first schema is not taken away again; restore a backup instead")
