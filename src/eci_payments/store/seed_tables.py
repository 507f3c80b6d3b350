"""The seed's own database, read as it is: three tables, of which two say what was paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession

PAGE = 500
"""Payments read at once."""


async def is_seed(session: ReadSession) -> bool:
    """Whether this database holds the seed's tables, and not ours, which have the same names."""
    (row,) = await run(session, _IS_SEED)
    return bool(row.found)


async def read_page(session: ReadSession, after: int) -> list[Any]:
    """The payments above this id, oldest first, each with its ``history`` and whether another one stands for its order.

    Times without a zone are taken as UTC, in which the seed's containers run.
    """
    return list(await run(session, _PAGE, after, PAGE))


_IS_SEED = """
SELECT count(*) = 2 AS found FROM information_schema.columns
WHERE table_schema = current_schema()
  AND table_name IN ('payments', 'transactions') AND column_name = 'amount'
  AND data_type IN ('numeric', 'double precision')
"""
"""Its script makes amounts numeric; where that was not run, its service makes them floats, and states enumerations."""
_RANK = (
    "CASE WHEN {0}.status IN ('COMPLETED', 'REFUNDED') THEN 0"
    " WHEN coalesce({0}.status, 'PENDING') IN ('PENDING', 'FAILED', 'CANCELLED') THEN 2 ELSE 1 END"
)
"""Of an order's payments the one that was paid stands for it, or else one that may have been."""
_PAGE = f"""
SELECT p.payment_id, p.order_id::text AS order_id, p.user_id::text AS user_id, p.amount::text AS amount,
       coalesce(p.currency, 'INR') AS currency, p.payment_method, coalesce(p.status, 'PENDING') AS status,
       p.transaction_id, p.gateway_response,
       coalesce(p.created_at, p.updated_at, now()::timestamp) AT TIME ZONE 'UTC' AS created_at,
       coalesce(p.updated_at, p.created_at, now()::timestamp) AT TIME ZONE 'UTC' AS updated_at,
       p.completed_at AT TIME ZONE 'UTC' AS completed_at,
       EXISTS (
           SELECT FROM payments q
           WHERE q.order_id = p.order_id
             AND ({_RANK.format("q")}, q.payment_id) < ({_RANK.format("p")}, p.payment_id)
       ) AS is_another,
       coalesce((
           SELECT jsonb_agg(jsonb_build_object('type', t.transaction_type, 'amount', t.amount::text, 'status', t.status,
                      'description', coalesce(t.description, ''),
                      'created_at', extract(epoch FROM coalesce(t.created_at, p.created_at) AT TIME ZONE 'UTC')::text)
                      ORDER BY t.created_at, t.transaction_log_id)
           FROM transactions t WHERE t.payment_id = p.payment_id
       ), '[]') AS history
FROM payments p
WHERE p.payment_id > $1
ORDER BY p.payment_id
LIMIT $2
"""
