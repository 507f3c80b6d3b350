"""Large refunds await another's approval; what merchants limit.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

from eci_payments.store.afterwards import ConcurrentIndex, Validation

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = (
    """
CREATE TABLE merchant_limits (
    merchant_id bigint NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    set_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT merchant_limits_pkey PRIMARY KEY (merchant_id, kind, currency),
    CONSTRAINT merchant_limits_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants (merchant_id),
    CONSTRAINT merchant_limits_kind_check CHECK (kind IN ('refund_approval')),
    CONSTRAINT merchant_limits_amount_check CHECK (amount_minor >= 0)
)
    """,
    """
ALTER TABLE refunds
    ADD COLUMN requested_by text,
    ADD COLUMN approval_expires_at timestamptz,
    ADD COLUMN decided_by text,
    ADD COLUMN decided_at timestamptz,
    ADD COLUMN decision_reason text,
    ADD COLUMN key_scope text,
    ADD COLUMN key text,
    DROP CONSTRAINT refunds_status_check,
    ADD CONSTRAINT refunds_status_check
        CHECK (status IN ('AWAITING_APPROVAL', 'PENDING', 'SUCCEEDED', 'FAILED')) NOT VALID,
    ADD CONSTRAINT refunds_awaiting_check CHECK (status <> 'AWAITING_APPROVAL'
        OR (approval_expires_at IS NOT NULL AND decided_by IS NULL AND operation_id IS NULL)) NOT VALID,
    ADD CONSTRAINT refunds_approved_by_another_check CHECK (approval_expires_at IS NULL
        OR status IN ('AWAITING_APPROVAL', 'FAILED')
        OR coalesce(decided_by <> requested_by, false)) NOT VALID
    """,
)

AFTERWARDS = (
    Validation("refunds", "refunds_status_check"),
    Validation("refunds", "refunds_awaiting_check"),
    Validation("refunds", "refunds_approved_by_another_check"),
    ConcurrentIndex(
        "refunds_approval_idx", "ON refunds (merchant_id, refund_id) WHERE approval_expires_at IS NOT NULL"
    ),
    ConcurrentIndex(
        "refunds_awaiting_idx", "ON refunds (approval_expires_at) WHERE status = 'AWAITING_APPROVAL'"
    ),
)


def upgrade() -> None:
    """The release before this one runs on beside it, as long as no merchant has a threshold for approvals yet."""
    connection = op.get_bind()
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Who approved what is not dropped. Restore a backup instead."""
    raise NotImplementedError("approvals are not taken away again; restore a backup instead")
