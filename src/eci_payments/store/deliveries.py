"""Deliveries as an operator sees them: list them, see what waits, send a parked one again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from eci_payments.domain.events import EventType
from eci_payments.domain.ids import DeliveryId, EventId, MerchantId, PaymentId
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eci_payments.store.session import Database, ReadSession, WriteSession


class DeliveryState(StrEnum):
    """PENDING is to be sent; PARKED waits for an operator; the other two are final."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    PARKED = "PARKED"
    SUPERSEDED = "SUPERSEDED"


class Replayed(StrEnum):
    """What came of asking for a replay."""

    QUEUED = "queued"
    SUPERSEDED = "superseded"
    NOT_PARKED = "not_parked"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One row of ``deliveries``, with what it tells. ``order_id`` is as callers see it."""

    merchant_id: MerchantId
    delivery_id: DeliveryId
    destination: str
    state: DeliveryState
    event_id: EventId
    event_type: EventType
    payment_id: PaymentId
    order_id: str
    sequence: int
    tries: int
    due_at: datetime | None
    leased_until: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime
    first_attempt_at: datetime | None
    concluded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one destination has not been told. ``oldest_pending_s``: how long the oldest has waited, 0 for none."""

    destination: str
    pending: int
    parked: int
    oldest_pending_s: float


MAX_LISTED = 1000
"""One answer's bound; older ones follow with ``before``."""
MAX_REPLAYED = 500
"""Replays of one transaction, so that its locks are held for milliseconds."""


async def list_deliveries(
    session: ReadSession | WriteSession,
    merchant: MerchantId,
    state: DeliveryState | None = None,
    destination: str | None = None,
    limit: int = 50,
    *,
    before: DeliveryId | None = None,
) -> list[Delivery]:
    """Deliveries of one merchant, newest first; ``before`` continues below an id that was shown."""
    sql = _LIST.format(of_state=_OF_STATE[state] if state else "")
    rows = await run(session, sql, merchant, destination, min(limit, MAX_LISTED), before or _LAST_ID)
    return [_delivery(row) for row in rows]


async def replay(session: WriteSession, merchant: MerchantId, delivery_id: DeliveryId) -> Replayed:
    """Send a parked delivery again, from the first try on; SUPERSEDED if a later one has overtaken it."""
    states = await _replay(session, merchant, [delivery_id])
    if delivery_id in states:
        return states[delivery_id]
    found = await run(
        session, "SELECT 1 FROM deliveries WHERE merchant_id = $1 AND delivery_id = $2", merchant, delivery_id
    )
    return Replayed.NOT_PARKED if found else Replayed.NOT_FOUND


async def replay_parked(
    session: WriteSession,
    merchant: MerchantId,
    destination: str | None = None,
    limit: int = MAX_REPLAYED,
    *,
    after: DeliveryId | None = None,
) -> dict[DeliveryId, Replayed]:
    """Replay the first ``limit`` parked deliveries with ids above ``after``, of one destination or of all.

    One transaction's worth: go on from the highest id until nothing is left, as `replay_all_parked` does.
    """
    parked = await run(session, _PARKED, merchant, destination, min(limit, MAX_REPLAYED), after or 0)
    return await _replay(session, merchant, [DeliveryId(row.delivery_id) for row in parked])


async def replay_all_parked(
    database: Database, merchant: MerchantId, destination: str | None = None
) -> dict[Replayed, int]:
    """Replay every parked delivery, of one destination or of all, in portions; how many ended how.

    Each is met once: one that the peer refuses for good while this goes on is parked again and stays so.
    """
    ended = dict.fromkeys((Replayed.QUEUED, Replayed.SUPERSEDED), 0)
    last = DeliveryId(0)
    while True:
        async with database.write() as session:
            portion = await replay_parked(session, merchant, destination, after=last)
        if not portion:
            return ended
        for how in portion.values():
            ended[how] += 1
        last = max(portion)


async def backlogs(session: ReadSession | WriteSession) -> list[Backlog]:
    """What waits and what is parked per destination, over all merchants; destinations with neither are absent."""
    rows = await run(session, _BACKLOGS)
    return [Backlog(row.destination, row.pending, row.parked, row.oldest_pending_s) for row in rows]


async def _replay(
    session: WriteSession, merchant: MerchantId, delivery_ids: Sequence[DeliveryId]
) -> dict[DeliveryId, Replayed]:
    """Those of the deliveries that were parked, with what became of them.

    The later ones of the same payments are held back for a moment first: a claim that is under way and does not see
    the replay yet can no longer take them, and one that has just taken them is waited for and then seen.
    """
    ids = sorted(delivery_ids)
    await run(session, _LOCK_PARKED, merchant, ids)
    await run(session, _HOLD_BACK_LATER, merchant, ids)
    rows = await run(session, _REPLAY, merchant, ids)
    return {DeliveryId(row.delivery_id): _REPLAYED[DeliveryState(row.state)] for row in rows}


_REPLAYED = {DeliveryState.PENDING: Replayed.QUEUED, DeliveryState.SUPERSEDED: Replayed.SUPERSEDED}


def _delivery(row: Any) -> Delivery:
    return Delivery(
        merchant_id=MerchantId(row.merchant_id),
        delivery_id=DeliveryId(row.delivery_id),
        destination=row.destination,
        state=DeliveryState(row.state),
        event_id=EventId(row.event_id),
        event_type=EventType(row.event_type),
        payment_id=PaymentId(row.payment_id),
        order_id=row.order_id,
        sequence=row.sequence,
        tries=row.attempts,
        due_at=row.due_at,
        leased_until=row.leased_until,
        last_status=row.last_status,
        last_error=row.last_error,
        created_at=row.created_at,
        first_attempt_at=row.first_attempt_at,
        concluded_at=row.concluded_at,
    )


def overtaken(delivery: str) -> str:
    """SQL: whether a later event of the same payment has been delivered to the destination of this delivery.

    Each look-up is one of its own (``OFFSET 0``), whatever the planner believes about the tables' sizes.
    """
    return f"""EXISTS (
        SELECT FROM events later
        WHERE later.merchant_id = {delivery}.merchant_id AND later.payment_id = {delivery}.payment_id
          AND later.sequence > {delivery}.sequence
          AND EXISTS (
              SELECT FROM deliveries o
              WHERE o.merchant_id = later.merchant_id AND o.event_id = later.event_id
                AND o.destination = {delivery}.destination AND o.state = 'DELIVERED'
              OFFSET 0
          )
        OFFSET 0
    )"""


_LIST = """
SELECT d.merchant_id, d.delivery_id, d.destination, d.state, d.event_id, e.event_type, d.payment_id,
       e.data ->> 'order_id' AS order_id, d.sequence, d.attempts, d.due_at, d.leased_until, d.last_status,
       d.last_error, d.created_at, d.first_attempt_at, d.concluded_at
FROM deliveries d
JOIN events e ON e.merchant_id = d.merchant_id AND e.event_id = d.event_id
WHERE d.merchant_id = $1 AND ($2::text IS NULL OR d.destination = $2) AND d.delivery_id < $4 {of_state}
ORDER BY d.delivery_id DESC
LIMIT $3
"""
_OF_STATE = {state: f"AND d.state = '{state}'" for state in DeliveryState}
"""Named in the statement itself, so that the small index of the parked ones can answer it."""
_LAST_ID = 2**63 - 1

_PARKED = """
SELECT delivery_id
FROM deliveries
WHERE merchant_id = $1 AND state = 'PARKED' AND ($2::text IS NULL OR destination = $2) AND delivery_id > $4
ORDER BY delivery_id
LIMIT $3
"""

_LOCK_PARKED = """
SELECT delivery_id
FROM deliveries
WHERE merchant_id = $1 AND delivery_id = ANY ($2::bigint[]) AND state = 'PARKED'
ORDER BY delivery_id
FOR UPDATE
"""

_HOLD_BACK_LATER = """
WITH later AS (
    SELECT l.merchant_id, l.delivery_id
    FROM deliveries l
    WHERE l.state = 'PENDING' AND (l.merchant_id, l.payment_id, l.destination) IN (
        SELECT d.merchant_id, d.payment_id, d.destination
        FROM deliveries d
        WHERE d.merchant_id = $1 AND d.delivery_id = ANY ($2::bigint[]) AND d.state = 'PARKED'
    )
    ORDER BY l.delivery_id
    FOR UPDATE
)
UPDATE deliveries l
SET due_at = greatest(l.due_at, now() + interval '1 second')
FROM later
WHERE l.merchant_id = later.merchant_id AND l.delivery_id = later.delivery_id
  AND (l.leased_until IS NULL OR l.leased_until <= now())
"""

_REPLAY = f"""
UPDATE deliveries d
SET state = CASE WHEN overtaken.yes THEN 'SUPERSEDED' ELSE 'PENDING' END,
    due_at = CASE WHEN overtaken.yes THEN NULL ELSE now() END,
    concluded_at = CASE WHEN overtaken.yes THEN now() END,
    first_attempt_at = CASE WHEN overtaken.yes THEN d.first_attempt_at END,
    attempts = CASE WHEN overtaken.yes THEN d.attempts ELSE 0 END
FROM (
    SELECT p.merchant_id, p.delivery_id, {overtaken("p")} AS yes
    FROM deliveries p
    WHERE p.merchant_id = $1 AND p.delivery_id = ANY ($2::bigint[])
) overtaken
WHERE d.merchant_id = overtaken.merchant_id AND d.delivery_id = overtaken.delivery_id AND d.state = 'PARKED'
RETURNING d.delivery_id, d.state
"""

_BACKLOGS = """
SELECT destination, count(*) FILTER (WHERE state = 'PENDING') AS pending,
       count(*) FILTER (WHERE state = 'PARKED') AS parked,
       coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE state = 'PENDING')), 0)::float8
         AS oldest_pending_s
FROM (
    SELECT destination, state, created_at FROM deliveries WHERE state = 'PENDING'
    UNION ALL
    SELECT destination, state, created_at FROM deliveries WHERE state = 'PARKED'
) waiting
GROUP BY destination
ORDER BY destination
"""
