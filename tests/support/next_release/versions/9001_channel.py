"""What the release after this one adds: through which channel a customer came. An expand step.

Revision ID: 9001
"""

from alembic import op

from eci_payments.store.afterwards import ConcurrentIndex, Validation
from eci_payments.store.migrate import MIGRATIONS

revision = "9001"
down_revision = max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
branch_labels = None
depends_on = None

SCHEMA = (
    "ALTER TABLE payments ADD COLUMN channel text",
    "ALTER TABLE payments ADD CONSTRAINT payments_channel_check CHECK (channel IN ('web', 'shop')) NOT VALID",
    "ALTER TABLE transactions ADD COLUMN channel text DEFAULT 'before' NOT NULL",
)
AFTERWARDS = (
    ConcurrentIndex("payments_channel_idx", "ON payments (merchant_id, channel)"),
    Validation("payments", "payments_channel_check"),
)


def upgrade() -> None:
    """Only adds: the release before this one runs on beside it."""
    connection = op.get_bind()
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)
