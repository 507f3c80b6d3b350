"""What waits in the database, for the metrics: over partial indexes, which hold only that which waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.observability.backlog import Unapplied, UnknownOutcomes, Untold, Waiting
from eci_payments.store.deliveries import backlogs
from eci_payments.store.seals import oldest_unsealed_s
from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession


async def waiting(session: ReadSession | WriteSession) -> Waiting:
    """Unknown outcomes and webhooks by gateway, deliveries by peer, how late recovery and sealing are."""
    unknown = await run(session, _UNKNOWN)
    (late,) = await run(session, _OVERDUE)
    (exceeding,) = await run(session, _EXCEEDING)
    return Waiting(
        [UnknownOutcomes(row.gateway, row.count, row.oldest_s) for row in unknown],
        [
            Untold(each.destination, each.pending, each.parked, each.oldest_pending_s)
            for each in await backlogs(session)
        ],
        late.overdue_s,
        await oldest_unsealed_s(session),
        [
            Unapplied(row.gateway, row.pending, row.held, row.oldest_s)
            for row in await run(session, _UNAPPLIED)
        ],
        exceeding.found,
    )


_UNKNOWN = """
SELECT gateway, count(*) AS count, extract(epoch FROM now() - min(created_at))::float8 AS oldest_s
FROM operations
WHERE due_at IS NOT NULL AND state = 'UNKNOWN'
GROUP BY gateway
"""
_OVERDUE = """
SELECT greatest(coalesce(extract(epoch FROM now() - min(due_at)), 0), 0)::float8 AS overdue_s
FROM operations
WHERE due_at IS NOT NULL
"""
_EXCEEDING = "SELECT count(*) AS found FROM payments WHERE amount_exceeding_minor > 0"
_UNAPPLIED = """
SELECT account AS gateway, count(*) FILTER (WHERE state = 'PENDING') AS pending,
       count(*) FILTER (WHERE state <> 'PENDING') AS held,
       coalesce(extract(epoch FROM now() - min(received_at) FILTER (WHERE state = 'PENDING')), 0)::float8 AS oldest_s
FROM (
    SELECT account, state, received_at FROM gateway_inbox WHERE state = 'PENDING'
    UNION ALL
    SELECT account, state, received_at FROM gateway_inbox WHERE state IN ('MISMATCH', 'PARKED')
) AS waiting
GROUP BY account
"""
