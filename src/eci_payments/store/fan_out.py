"""Committed events become deliveries: one row for each destination that wants the event, exactly one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.domain.events import EventType
    from eci_payments.domain.payment import PaymentStatus
    from eci_payments.store.session import ReadSession, WriteSession

READER = "relay"
"""Whose place in the walk over ``events`` the cursor keeps."""
MERCHANTS_AT_ONCE = 64
"""Merchants walked in one transaction, those furthest behind first."""
EVENTS_AT_ONCE = 500
"""Events of one merchant taken in one transaction: a few milliseconds of work, so that no lock is held for long."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A destination and the events it wants: by type, and by the status they carry (None: any)."""

    destination: str
    wants: frozenset[tuple[EventType, PaymentStatus | None]]


@dataclass(frozen=True, slots=True)
class FannedOut:
    """How many events were walked, and which destinations got something to do."""

    events: int
    destinations: frozenset[str]


async def add_cursors(session: WriteSession) -> None:
    """A place in the walk for every merchant that has none yet."""
    await run(
        session,
        "INSERT INTO cursors (merchant_id, reader) SELECT merchant_id, $1 FROM merchants m"
        " WHERE NOT EXISTS (SELECT FROM cursors c WHERE c.merchant_id = m.merchant_id AND c.reader = $1)"
        " ON CONFLICT DO NOTHING",
        READER,
    )


async def fan_out(
    session: WriteSession, subscriptions: Sequence[Subscription], *, events: int = EVENTS_AT_ONCE
) -> FannedOut:
    """Walk on from each merchant's cursor and write the deliveries; a cursor that another relay holds is passed over.

    The walk is by ``(committed_in, event_id)`` and stops at the oldest transaction still running, so that an event
    that commits late is not skipped. Two events of one payment can stand in the walk in the wrong order (a
    transaction may get its number before it waits for the payment's lock): so every earlier event of a payment in
    the batch is taken along, and no event gets its delivery before an earlier one of its payment has it.
    Taking an event twice changes nothing.
    """
    wanted = [
        (each.destination, kind.value, status.value if status else None)
        for each in subscriptions
        for kind, status in sorted(each.wants, key=str)
    ]
    rows = await run(
        session,
        _fan_out_sql(events),
        READER,
        [destination for destination, _, _ in wanted],
        [kind for _, kind, _ in wanted],
        [status for _, _, status in wanted],
    )
    return FannedOut(rows[0].events, frozenset(rows[0].destinations))


async def events_behind(session: ReadSession | WriteSession) -> int:
    """How many committed events have not been walked yet, over all merchants."""
    rows = await run(session, _BEHIND, READER)
    return int(rows[0].events)


_AFTER_CURSOR = "(e.committed_in, e.event_id) > (c.committed_in, c.position)"
_SETTLED = "e.committed_in < pg_snapshot_xmin(pg_current_snapshot())"


@cache
def _fan_out_sql(events: int) -> str:
    """The statement; its limits stand in it as numbers, so that the planner knows how little is walked."""
    return f"""
WITH behind AS MATERIALIZED (
    SELECT c.merchant_id, c.committed_in, c.position
    FROM cursors c
    WHERE c.reader = $1
      AND EXISTS (SELECT FROM events e WHERE e.merchant_id = c.merchant_id AND {_AFTER_CURSOR} AND {_SETTLED})
    ORDER BY c.committed_in, c.merchant_id
    LIMIT {MERCHANTS_AT_ONCE}
    FOR UPDATE SKIP LOCKED
), batch AS MATERIALIZED (
    SELECT walked.*
    FROM behind c CROSS JOIN LATERAL (
        SELECT e.merchant_id, e.event_id, e.payment_id, e.sequence, e.event_type, e.data ->> 'status' AS status,
               e.committed_in
        FROM events e
        WHERE e.merchant_id = c.merchant_id AND {_AFTER_CURSOR} AND {_SETTLED}
        ORDER BY e.committed_in, e.event_id
        LIMIT {events}
    ) walked
), newest AS (
    SELECT merchant_id, payment_id, max(sequence) AS sequence FROM batch GROUP BY merchant_id, payment_id
), earlier AS (
    SELECT e.merchant_id, e.event_id, e.payment_id, e.sequence, e.event_type, e.data ->> 'status' AS status
    FROM newest n
    JOIN behind c ON c.merchant_id = n.merchant_id
    JOIN events e ON e.merchant_id = n.merchant_id AND e.payment_id = n.payment_id AND e.sequence < n.sequence
    WHERE {_AFTER_CURSOR}
), taken AS (
    SELECT merchant_id, event_id, payment_id, sequence, event_type, status FROM batch
    UNION
    SELECT merchant_id, event_id, payment_id, sequence, event_type, status FROM earlier
), written AS (
    INSERT INTO deliveries (merchant_id, event_id, payment_id, sequence, destination, state, due_at)
    SELECT t.merchant_id, t.event_id, t.payment_id, t.sequence, w.destination, 'PENDING', now()
    FROM taken t
    JOIN unnest($2::text[], $3::text[], $4::text[]) AS w (destination, event_type, status)
      ON w.event_type = t.event_type AND (w.status IS NULL OR w.status = t.status)
    ORDER BY t.merchant_id, t.event_id, w.destination
    ON CONFLICT (merchant_id, event_id, destination) DO NOTHING
    RETURNING destination
), last AS (
    SELECT DISTINCT ON (merchant_id) merchant_id, committed_in, event_id
    FROM batch
    ORDER BY merchant_id, committed_in DESC, event_id DESC
), moved AS (
    UPDATE cursors c
    SET committed_in = last.committed_in, position = last.event_id
    FROM last
    WHERE c.merchant_id = last.merchant_id AND c.reader = $1
)
SELECT (SELECT count(*) FROM batch) AS events, ARRAY(SELECT DISTINCT destination FROM written) AS destinations
"""


_BEHIND = f"""
SELECT count(*) AS events
FROM cursors c JOIN events e ON e.merchant_id = c.merchant_id AND {_AFTER_CURSOR}
WHERE c.reader = $1
"""
