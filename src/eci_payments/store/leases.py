"""Leases: who may work on an operation now. A claim raises the epoch, so that whoever had it before is fenced off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.store import rows
from eci_payments.store.session import WriteSession, run

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation


@dataclass(frozen=True, slots=True)
class Share:
    """Operations at these gateway accounts, or with ``others`` at all but these."""

    accounts: tuple[str, ...] = ()
    others: bool = True


async def claim_due(
    session: WriteSession, *, limit: int, lease_s: float, share: Share | None = None
) -> list[Operation]:
    """Operations that are due, each claimed with a new lease epoch so that whoever had it before is fenced off.

    ``share`` None: at whichever gateway.
    """
    of = share or Share()
    found = await run(session, _CLAIM_DUE, limit, lease_s, list(of.accounts), of.others)
    return [rows.operation(row) for row in found]


_OPERATION_COLUMNS = ", ".join(f"t.{f.name}" for f in rows.OPERATIONS.fields)
_CLAIM_DUE = f"""
UPDATE operations AS t SET lease_epoch = t.lease_epoch + 1, due_at = now() + make_interval(secs => $2)
FROM (
    SELECT merchant_id, operation_id FROM operations WHERE due_at <= now() AND (gateway = ANY ($3::text[])) <> $4
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
) AS due
WHERE t.merchant_id = due.merchant_id AND t.operation_id = due.operation_id
RETURNING {_OPERATION_COLUMNS}
"""
