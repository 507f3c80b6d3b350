"""The list of one method's payments has an index: a method that few choose is found without looking at the others.

Revision ID: 0009
Revises: 0008
"""

from eci_payments.store.afterwards import ConcurrentIndex

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

AFTERWARDS = (
    ConcurrentIndex(
        "payments_method_idx",
        "ON payments (merchant_id, payment_method, created_at DESC, payment_id DESC)",
    ),
)


def upgrade() -> None:
    """The release before this one runs on beside it, and has its lists from the index as well."""


def downgrade() -> None:
    """Not taken away: the release before runs on with it."""
    raise NotImplementedError("the release before runs on this schema as it is")
