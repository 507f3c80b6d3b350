"""Idempotency keys end their window: they are forgotten in small batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.operation import OPEN
from eci_payments.store.session import run

if TYPE_CHECKING:
    from datetime import timedelta

    from eci_payments.store.session import WriteSession


async def expire_keys(session: WriteSession, window: timedelta, limit: int = 1000) -> int:
    """Forget up to ``limit`` keys that were answered longer than ``window`` ago; how many there were.

    By the database's clock. A key without an answer, or whose operation is not concluded, never expires.
    """
    rows = await run(session, _EXPIRE, window, limit)
    return int(rows[0].expired)


_OPEN = ", ".join(f"'{state}'" for state in sorted(OPEN))
_EXPIRE = f"""
WITH ended AS MATERIALIZED (
    SELECT k.merchant_id, k.scope, k.key
    FROM idempotency_keys k
    WHERE k.completed_at < now() - $1::interval
      AND NOT EXISTS (
          SELECT FROM operations o
          WHERE o.merchant_id = k.merchant_id AND o.operation_id = k.operation_id AND o.state IN ({_OPEN})
      )
    ORDER BY k.completed_at
    LIMIT $2
    FOR UPDATE OF k SKIP LOCKED
), forgotten AS (
    DELETE FROM idempotency_keys k USING ended e
    WHERE k.merchant_id = e.merchant_id AND k.scope = e.scope AND k.key = e.key
    RETURNING 1
)
SELECT count(*) AS expired FROM forgotten
"""
