"""A rate limit of an API key's own, in place of the installation's.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

from eci_payments.store.afterwards import Validation

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = (
    """
ALTER TABLE api_keys
    ADD COLUMN rate_per_second integer,
    ADD CONSTRAINT api_keys_rate_check CHECK (rate_per_second BETWEEN 1 AND 1000000) NOT VALID
    """,
)
AFTERWARDS = (Validation("api_keys", "api_keys_rate_check"),)


def upgrade() -> None:
    """The release before this one runs on beside it, with one limit for all keys."""
    connection = op.get_bind()
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """What was limited is not forgotten. Restore a backup instead."""
    raise NotImplementedError("limits are not taken away again; restore a backup instead")
