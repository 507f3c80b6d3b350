"""Limits of charges, of users and of cards in a window; the block list; card fingerprints.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

from eci_payments.store.afterwards import Validation

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SCHEMA = (
    """
ALTER TABLE merchant_limits
    ALTER COLUMN amount_minor DROP NOT NULL,
    ADD COLUMN charges integer,
    ADD COLUMN window_s integer,
    DROP CONSTRAINT merchant_limits_kind_check,
    ADD CONSTRAINT merchant_limits_kind_check
        CHECK (kind IN ('refund_approval', 'charge', 'user', 'card')) NOT VALID,
    ADD CONSTRAINT merchant_limits_window_check CHECK (CASE WHEN kind IN ('user', 'card')
        THEN window_s BETWEEN 1 AND 2678400 AND coalesce(charges >= 0, amount_minor IS NOT NULL)
        ELSE amount_minor IS NOT NULL AND charges IS NULL AND window_s IS NULL END) NOT VALID
    """,
    """
CREATE TABLE blocks (
    merchant_id bigint NOT NULL,
    subject text NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    added_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT blocks_pkey PRIMARY KEY (merchant_id, subject),
    CONSTRAINT blocks_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants (merchant_id),
    CONSTRAINT blocks_kind_check CHECK (kind IN ('user', 'card', 'bin', 'upi'))
)
    """,
    """
CREATE TABLE limit_uses (
    merchant_id bigint NOT NULL,
    subject text NOT NULL,
    payment_id bigint NOT NULL,
    attempt integer NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    begun_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT limit_uses_pkey PRIMARY KEY (merchant_id, subject, payment_id, attempt)
)
    """,
    "CREATE INDEX limit_uses_window_idx ON limit_uses (merchant_id, subject, begun_at)",
    "CREATE INDEX limit_uses_begun_idx ON limit_uses (begun_at)",
    "ALTER TABLE operations ADD COLUMN card_fingerprint text",
)
AFTERWARDS = (
    Validation("merchant_limits", "merchant_limits_kind_check"),
    Validation("merchant_limits", "merchant_limits_window_check"),
)


def upgrade() -> None:
    """The release before this one runs on beside it: what it does not know of, it does not limit."""
    connection = op.get_bind()
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """What merchants limit is not dropped. Restore a backup instead."""
    raise NotImplementedError("limits are not taken away again; restore a backup instead")
