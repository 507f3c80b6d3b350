"""What gateways tell by webhook, kept until it is applied; charges found by the gateway's own id.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

from eci_payments.store.afterwards import ConcurrentIndex

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = (
    "CREATE SEQUENCE inbox_ids AS bigint",
    """
CREATE TABLE gateway_inbox (
    merchant_id bigint NOT NULL,
    inbox_id bigint DEFAULT nextval('inbox_ids') NOT NULL,
    account text NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz DEFAULT now() NOT NULL,
    waiting_since timestamptz DEFAULT now() NOT NULL,
    told jsonb NOT NULL,
    payload jsonb NOT NULL,
    state text DEFAULT 'PENDING' NOT NULL,
    why text,
    payment_id bigint,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamptz DEFAULT now(),
    lease_epoch bigint DEFAULT 0 NOT NULL,
    concluded_at timestamptz,
    CONSTRAINT gateway_inbox_pkey PRIMARY KEY (merchant_id, inbox_id),
    CONSTRAINT gateway_inbox_merchant_id_account_event_id_key UNIQUE (merchant_id, account, event_id),
    CONSTRAINT gateway_inbox_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants (merchant_id),
    CONSTRAINT gateway_inbox_state_check CHECK (state IN ('PENDING', 'APPLIED', 'IGNORED', 'MISMATCH', 'PARKED')),
    CONSTRAINT gateway_inbox_due_check CHECK ((state = 'PENDING') = (due_at IS NOT NULL)),
    CONSTRAINT gateway_inbox_concluded_check CHECK ((state = 'PENDING') = (concluded_at IS NULL))
)
    """,
    "CREATE INDEX gateway_inbox_due_idx ON gateway_inbox (due_at) WHERE state = 'PENDING'",
    """
CREATE INDEX gateway_inbox_held_idx ON gateway_inbox (merchant_id, inbox_id) WHERE state IN ('MISMATCH', 'PARKED')
    """,
    """
CREATE INDEX gateway_inbox_concluded_idx ON gateway_inbox (concluded_at) WHERE state IN ('APPLIED', 'IGNORED')
    """,
)
AFTERWARDS = (
    ConcurrentIndex(
        "operations_reference_idx",
        "ON operations (merchant_id, gateway_reference)"
        " WHERE gateway_reference IS NOT NULL AND kind IN ('CHARGE', 'AUTHORIZE')",
    ),
)


def upgrade() -> None:
    """Only adds: the release before this one runs on beside it."""
    connection = op.get_bind()
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """What gateways told is not dropped. Restore a backup instead."""
    raise NotImplementedError("what gateways told is not taken away again; restore a backup instead")
