"""Approvals as they are read: refunds that needed a second person's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.ids import MerchantId, PaymentId, RefundId
from eci_payments.domain.refund import EXPIRED, REJECTED, ApprovalStatus
from eci_payments.store import rows
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.domain.refund import Refund
    from eci_payments.store.session import ReadSession, WriteSession


async def find_approval(
    session: ReadSession | WriteSession, merchant_id: MerchantId, refund_id: RefundId
) -> Refund | None:
    """The refund of this id, if it needed approval."""
    found = await run(session, f"{_SELECT} AND r.refund_id = $2", merchant_id, refund_id)
    return rows.refund(found[0]) if found else None


async def list_approvals(
    session: ReadSession | WriteSession,
    merchant_id: MerchantId,
    status: ApprovalStatus | None,
    *,
    after: int,
    limit: int,
) -> Sequence[Refund]:
    """Oldest first, those behind the id ``after``."""
    condition = "true" if status is None else _IS[status]
    sql = f"{_SELECT} AND r.refund_id > $2 AND {condition} ORDER BY r.refund_id LIMIT $3"
    return [rows.refund(row) for row in await run(session, sql, merchant_id, after, limit)]


async def expired_approvals(
    session: ReadSession | WriteSession, *, limit: int
) -> list[tuple[MerchantId, PaymentId, RefundId]]:
    """Refunds that nobody decided about in time, by the database's clock, those longest overdue first."""
    found = await run(session, _EXPIRED, limit)
    return [
        (MerchantId(row.merchant_id), PaymentId(row.payment_id), RefundId(row.refund_id)) for row in found
    ]


_COLUMNS = ", ".join(f"r.{f.name}" for f in rows.REFUNDS.fields)
_SELECT = f"SELECT {_COLUMNS} FROM refunds r WHERE r.merchant_id = $1 AND r.approval_expires_at IS NOT NULL"
_FAILED_AS = f"coalesce(r.failure ->> 'code' IN ('{REJECTED}', '{EXPIRED}'), false)"
_IS = {
    ApprovalStatus.AWAITING_APPROVAL: "r.status = 'AWAITING_APPROVAL'",
    ApprovalStatus.REJECTED: f"r.failure ->> 'code' = '{REJECTED}'",
    ApprovalStatus.EXPIRED: f"r.failure ->> 'code' = '{EXPIRED}'",
    ApprovalStatus.APPROVED: f"r.status <> 'AWAITING_APPROVAL' AND NOT {_FAILED_AS}",
}
_EXPIRED = """
SELECT merchant_id, payment_id, refund_id FROM refunds
WHERE status = 'AWAITING_APPROVAL' AND approval_expires_at <= now() ORDER BY approval_expires_at LIMIT $1
"""
