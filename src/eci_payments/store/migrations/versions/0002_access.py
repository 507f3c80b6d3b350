"""Who may come in, and what is remembered of it: API keys, the trail of administrative acts, counts for rate limits.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = (
    """
CREATE TABLE api_keys (
    merchant_id bigint NOT NULL,
    key_id text NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (merchant_id, key_id),
    CONSTRAINT api_keys_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants (merchant_id),
    CONSTRAINT api_keys_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT api_keys_scopes_check CHECK (cardinality(scopes) > 0
        AND scopes <@ ARRAY['charge', 'refund', 'read', 'operate', 'admin'])
)
    """,
    "CREATE SEQUENCE admin_event_ids AS bigint",
    """
CREATE TABLE admin_events (
    merchant_id bigint NOT NULL,
    event_id bigint DEFAULT nextval('admin_event_ids') NOT NULL,
    occurred_at timestamptz DEFAULT now() NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    result text NOT NULL,
    origin text,
    correlation_id text,
    times bigint DEFAULT 1 NOT NULL,
    CONSTRAINT admin_events_pkey PRIMARY KEY (merchant_id, event_id),
    CONSTRAINT admin_events_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants (merchant_id)
)
    """,
    """
CREATE TABLE rate_windows (
    merchant_id bigint NOT NULL,
    subject text NOT NULL,
    number bigint NOT NULL,
    used bigint NOT NULL,
    CONSTRAINT rate_windows_pkey PRIMARY KEY (merchant_id, subject, number)
)
    """,
    "CREATE INDEX rate_windows_number_idx ON rate_windows (number)",
    # A few rows that are written over and over: cleaned by count, never by share.
    """
ALTER TABLE rate_windows SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)
    """,
    """
ALTER TABLE admin_events SET (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02)
    """,
)


def upgrade() -> None:
    """Only adds: the release before this one runs on beside it."""
    connection = op.get_bind()
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """The trail of administrative acts is not dropped. Restore a backup instead."""
    raise NotImplementedError("keys and their trail are not taken away again; restore a backup instead")
