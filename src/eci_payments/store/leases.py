"""Leases: who may work on an operation now. A claim raises the epoch, so that whoever had it before is fenced off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.store import rows
from eci_payments.store.session import WriteSession, run

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation


async def claim_due(session: WriteSession, *, limit: int, lease_s: float) -> list[Operation]:
    """Operations that are due, each claimed with a new lease epoch so that whoever had it before is fenced off."""
    found = await run(session, _CLAIM_DUE, limit, lease_s)
    return [rows.operation(row) for row in found]


_OPERATION_COLUMNS = ", ".join(f"t.{f.name}" for f in rows.OPERATIONS.fields)
_CLAIM_DUE = f"""
UPDATE operations AS t SET lease_epoch = t.lease_epoch + 1, due_at = now() + make_interval(secs => $2)
FROM (
    SELECT merchant_id, operation_id FROM operations WHERE due_at <= now()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
) AS due
WHERE t.merchant_id = due.merchant_id AND t.operation_id = due.operation_id
RETURNING {_OPERATION_COLUMNS}
"""
