"""What gateways did without us: disputes, refunds that were made elsewhere, and by how much they exceed.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

from eci_payments.store.afterwards import ConcurrentIndex, Validation

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEMA = (
    """
CREATE TABLE disputes (
    merchant_id bigint NOT NULL,
    gateway text NOT NULL,
    reference text NOT NULL,
    payment_id bigint NOT NULL,
    operation_id bigint NOT NULL,
    state text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    told_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    CONSTRAINT disputes_pkey PRIMARY KEY (merchant_id, gateway, reference),
    CONSTRAINT disputes_merchant_id_payment_id_fkey FOREIGN KEY (merchant_id, payment_id)
        REFERENCES payments (merchant_id, payment_id),
    CONSTRAINT disputes_amount_check CHECK (amount_minor > 0),
    CONSTRAINT disputes_state_check CHECK (state IN ('OPEN', 'WON', 'LOST')),
    CONSTRAINT disputes_closed_check CHECK ((state = 'OPEN') = (closed_at IS NULL))
)
    """,
    "CREATE INDEX disputes_payment_idx ON disputes (merchant_id, payment_id)",
    """
ALTER TABLE payments
    ADD COLUMN amount_refunded_elsewhere_minor bigint DEFAULT 0 NOT NULL,
    ADD COLUMN amount_disputed_minor bigint DEFAULT 0 NOT NULL,
    ADD COLUMN amount_charged_back_minor bigint DEFAULT 0 NOT NULL,
    ADD COLUMN amount_exceeding_minor bigint DEFAULT 0 NOT NULL,
    ADD COLUMN dispute_count integer DEFAULT 0 NOT NULL
    """,
    "ALTER TABLE payments DROP CONSTRAINT payments_refunds_within_captured_check",
    """
ALTER TABLE payments ADD CONSTRAINT payments_refunds_within_captured_check CHECK (
    amount_refunded_elsewhere_minor BETWEEN 0 AND amount_refunded_minor
    AND amount_refund_pending_minor >= 0
    AND amount_refunded_minor - amount_refunded_elsewhere_minor + amount_refund_pending_minor <= amount_captured_minor
) NOT VALID
    """,
    """
ALTER TABLE payments ADD CONSTRAINT payments_exceeding_check CHECK (
    amount_disputed_minor >= 0 AND amount_charged_back_minor >= 0
    AND amount_exceeding_minor <= amount_refunded_elsewhere_minor + amount_disputed_minor + amount_charged_back_minor
    AND amount_exceeding_minor = GREATEST(0, amount_refunded_minor + amount_refund_pending_minor
        + amount_disputed_minor + amount_charged_back_minor - amount_captured_minor)
) NOT VALID
    """,
    """
ALTER TABLE refunds
    ADD COLUMN made_elsewhere boolean DEFAULT false NOT NULL,
    ADD COLUMN gateway_reference text
    """,
)
AFTERWARDS = (
    Validation("payments", "payments_refunds_within_captured_check"),
    Validation("payments", "payments_exceeding_check"),
    ConcurrentIndex(
        "payments_exceeding_idx", "ON payments (merchant_id, payment_id) WHERE amount_exceeding_minor > 0"
    ),
    ConcurrentIndex(
        "refunds_elsewhere_key",
        "ON refunds (merchant_id, payment_id, gateway_reference) WHERE gateway_reference IS NOT NULL",
        unique=True,
    ),
)


def upgrade() -> None:
    """Only adds, and puts a wider check in the place of one: the release before this one runs on beside it."""
    connection = op.get_bind()
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """What gateways did is not dropped. Restore a backup instead."""
    raise NotImplementedError("disputes are not taken away again; restore a backup instead")
