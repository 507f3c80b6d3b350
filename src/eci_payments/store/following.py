"""Following payments: how one stands, and what has been committed of many since they were looked at last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eci_payments.store import rows
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eci_payments.domain.ids import MerchantId, PaymentId
    from eci_payments.domain.payment import Payment
    from eci_payments.store.session import ReadSession, WriteSession

EVENTS_AT_ONCE = 20
"""Of one payment in one look: more than most have in all; whoever missed more gets the rest in the next look."""


@dataclass(frozen=True, slots=True)
class Followed:
    """One committed event of a payment."""

    merchant_id: MerchantId
    payment_id: PaymentId
    sequence: int
    type: str
    data: dict[str, Any]
    created_at: datetime


async def find_head(
    session: ReadSession | WriteSession, merchant_id: MerchantId, payment_id: PaymentId
) -> Payment | None:
    """The payment alone, without what belongs to it."""
    found = await run(session, _HEAD, merchant_id, payment_id)
    return rows.payment(found[0]) if found else None


async def events_after(
    session: ReadSession | WriteSession, followed: Sequence[tuple[MerchantId, PaymentId, int]]
) -> list[Followed]:
    """The events of these payments after each one's sequence, in order, at most `EVENTS_AT_ONCE` of one.

    A payment's events are written under its lock, one sequence after the other: none can appear before an earlier one.
    """
    found = await run(
        session, _AFTER, [m for m, _, _ in followed], [p for _, p, _ in followed], [s for _, _, s in followed]
    )
    return [
        Followed(row.merchant_id, row.payment_id, row.sequence, row.event_type, row.data, row.created_at)
        for row in found
    ]


_HEAD = (
    f"SELECT {', '.join(f.name for f in rows.PAYMENTS.fields)} FROM payments"
    " WHERE merchant_id = $1 AND payment_id = $2"
)
_AFTER = f"""
SELECT e.merchant_id, e.payment_id, e.sequence, e.event_type, e.data, e.created_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (m, p, s)
CROSS JOIN LATERAL (
    SELECT merchant_id, payment_id, sequence, event_type, data, created_at
    FROM events
    WHERE merchant_id = w.m AND payment_id = w.p AND sequence > w.s
    ORDER BY sequence
    LIMIT {EVENTS_AT_ONCE}
) e
ORDER BY e.merchant_id, e.payment_id, e.sequence
"""
