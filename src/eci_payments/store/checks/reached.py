"""Events that the relay has walked past have a delivery to every destination that wanted them.

Walked in the relay's own order up to its cursor. A destination is expected from its first delivery on: what was told
before it was configured is counted, not complained about. So this does not cover deliveries that are missing before
the first one of their destination.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.store.fan_out import READER
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.store.checks.findings import Report
    from eci_payments.store.fan_out import Subscription
    from eci_payments.store.session import ReadSession

EVENTS_AT_ONCE = 2000
"""Events of one statement: some hundredths of a second, and some hundred kilobytes on the way."""


async def check_reached(
    session: ReadSession, report: Report, merchant_id: int, subscriptions: Sequence[Subscription]
) -> None:
    """Walk one merchant's events against these subscriptions."""
    wanted = [
        (each.destination, kind.value, status.value if status else None)
        for each in subscriptions
        for kind, status in sorted(each.wants, key=str)
    ]
    columns = [[each[place] for each in wanted] for place in range(3)]
    committed_in, position, begun = "0", 0, set[str]()
    while True:
        rows = await run(
            session, _WALK, merchant_id, committed_in, position, READER, EVENTS_AT_ONCE, *columns
        )
        for row in rows:
            _judge(report, row, begun)
        if not rows:
            return
        committed_in, position = rows[-1].committed_in, rows[-1].event_id


def _judge(report: Report, row: Any, begun: set[str]) -> None:
    for destination in sorted(row.reached or ()):
        begun.add(destination)
    for destination in sorted(row.missing or ()):
        if destination in begun:
            where = f"event {row.event_id} (payment {row.payment_id}, sequence {row.sequence})"
            report.add(
                "event_reached", where, f"has no delivery to {destination}, and the relay has passed it"
            )
        else:
            report.counted["events before their destination was configured"] += 1


_WALK = """
WITH batch AS MATERIALIZED (
    SELECT e.event_id, e.payment_id, e.sequence, e.event_type, e.data ->> 'status' AS status, e.committed_in
    FROM events e
    JOIN cursors c ON c.merchant_id = e.merchant_id AND c.reader = $4
                  AND (e.committed_in, e.event_id) <= (c.committed_in, c.position)
    WHERE e.merchant_id = $1 AND (e.committed_in, e.event_id) > ($2::text::xid8, $3::bigint)
    ORDER BY e.committed_in, e.event_id
    LIMIT $5
)
SELECT b.event_id, b.payment_id, b.sequence, b.committed_in::text AS committed_in,
       array_agg(w.destination) FILTER (WHERE d.delivery_id IS NOT NULL) AS reached,
       array_agg(w.destination) FILTER (WHERE d.delivery_id IS NULL AND w.destination IS NOT NULL) AS missing
FROM batch b
LEFT JOIN unnest($6::text[], $7::text[], $8::text[]) AS w (destination, event_type, status)
  ON w.event_type = b.event_type AND (w.status IS NULL OR w.status = b.status)
LEFT JOIN deliveries d ON d.merchant_id = $1 AND d.event_id = b.event_id AND d.destination = w.destination
GROUP BY b.event_id, b.payment_id, b.sequence, b.committed_in
ORDER BY b.committed_in, b.event_id
"""
