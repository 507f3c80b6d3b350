"""Administrative events are sealed into a hash chain, as the entries of payments are.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

from eci_payments.store.afterwards import ConcurrentIndex

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = (
    # The default is taken once for the rows that are there: they count as written by this migration, and are sealed.
    "ALTER TABLE admin_events ADD COLUMN committed_in xid8 DEFAULT pg_current_xact_id() NOT NULL",
    """
CREATE TABLE admin_seals (
    merchant_id bigint NOT NULL,
    position bigint NOT NULL,
    event_id bigint NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT admin_seals_pkey PRIMARY KEY (merchant_id, position),
    CONSTRAINT admin_seals_merchant_id_event_id_key UNIQUE (merchant_id, event_id)
)
    """,
    """
ALTER TABLE admin_seals SET (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02)
    """,
)
AFTERWARDS = (
    ConcurrentIndex("admin_events_committed_idx", "ON admin_events (merchant_id, committed_in, event_id)"),
)


def upgrade() -> None:
    """Only adds: the release before this one runs on beside it, and its rows are sealed too."""
    connection = op.get_bind()
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Seals are not dropped. Restore a backup instead."""
    raise NotImplementedError("seals are not taken away again; restore a backup instead")
