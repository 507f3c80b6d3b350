"""Taking deliveries to send, and writing down what became of them.

A claim is a lease: until ``leased_until``, by the database's clock, nobody else claims the row, and a conclusion
names the ``lease_epoch`` it was claimed with, so that whoever comes too late changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from eci_payments.domain.events import Event, EventType
from eci_payments.domain.ids import DeliveryId, EventId, MerchantId, PaymentId
from eci_payments.domain.payment import UNPAID
from eci_payments.store.deliveries import DeliveryState, overtaken
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eci_payments.store.session import WriteSession

MAX_CLAIMED = 256
"""One claim's bound: a few milliseconds of work, and as many statements to prepare at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that is ours to send until its lease ends.

    ``tries`` counts this one; ``age_s`` is the time since the first, and ``claimed_at`` the moment of the claim, both
    by the database's clock.
    """

    merchant_id: MerchantId
    delivery_id: DeliveryId
    destination: str
    lease_epoch: int
    tries: int
    age_s: float
    claimed_at: datetime
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What became of one try: DELIVERED, PARKED, or PENDING to be tried again after ``delay_s``."""

    claimed: Claimed
    state: DeliveryState
    delay_s: float = 0.0
    status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim took: deliveries to send, and how many it ended as SUPERSEDED instead."""

    deliveries: tuple[Claimed, ...]
    superseded: int


async def claim(
    session: WriteSession, destination: str, limit: int, *, lease_s: float, guarded: bool = False
) -> Claim:
    """Take up to ``limit`` due deliveries of one destination for ``lease_s`` seconds.

    In order per payment: only the earliest that is not concluded, and none while another one of that payment is
    being sent. What a later one has overtaken (a replay) ends SUPERSEDED. With ``guarded`` so does whatever belongs
    to a payment that is not unpaid at this commit; its row is locked until then, and one that is being written at
    this moment is left for the next claim. Does not cover a charge that begins after this commit.
    """
    rows = await run(session, _claim_sql(min(limit, MAX_CLAIMED), guarded=guarded), destination, lease_s)
    deliveries = tuple(_claimed(row) for row in rows if row.state == DeliveryState.PENDING)
    return Claim(deliveries, len(rows) - len(deliveries))


async def conclude(session: WriteSession, conclusions: Sequence[Conclusion]) -> frozenset[DeliveryId]:
    """Write what became of these tries; the ids of those that landed.

    One that is missing was claimed by somebody else after its lease had ended, and was left alone.
    """
    ordered = sorted(conclusions, key=lambda each: (each.claimed.merchant_id, each.claimed.delivery_id))
    rows = await run(
        session,
        _CONCLUDE,
        [each.claimed.merchant_id for each in ordered],
        [each.claimed.delivery_id for each in ordered],
        [each.claimed.lease_epoch for each in ordered],
        [each.state.value for each in ordered],
        [each.delay_s for each in ordered],
        [each.status for each in ordered],
        [each.error for each in ordered],
    )
    return frozenset(DeliveryId(row.delivery_id) for row in rows)


async def count_as_tried(session: WriteSession, destination: str, limit: int) -> int:
    """Begin the time of what is due behind a peer that has just failed, as if each had been tried; how many.

    To be called only then: no delivery's time runs while nobody is there to try it.
    """
    return len(await run(session, _COUNT_AS_TRIED, destination, limit))


async def park_overdue(
    session: WriteSession, destination: str, limit: int, *, max_age_s: float, reason: str
) -> int:
    """Park what has been tried for longer than it may, behind a peer that has just failed again; how many.

    What is being sent at this moment is left to its own conclusion.
    """
    return len(await run(session, _PARK_OVERDUE, destination, limit, max_age_s, reason))


def _claimed(row: Any) -> Claimed:
    return Claimed(
        merchant_id=MerchantId(row.merchant_id),
        delivery_id=DeliveryId(row.delivery_id),
        destination=row.destination,
        lease_epoch=row.lease_epoch,
        tries=row.attempts,
        age_s=row.age_s,
        claimed_at=row.claimed_at,
        event=Event(
            merchant_id=MerchantId(row.merchant_id),
            event_id=EventId(row.event_id),
            payment_id=PaymentId(row.payment_id),
            sequence=row.sequence,
            type=EventType(row.event_type),
            data=row.data,
            correlation_id=row.correlation_id,
            traceparent=row.traceparent,
            created_at=row.created_at,
        ),
    )


OVERTAKEN = "overtaken: a later event of this payment has been delivered"
NOT_UNPAID = "the order is paid, being paid or being refunded: nothing is released"

_UNPAID = ", ".join(f"'{status}'" for status in sorted(UNPAID))
_NO_LONGER_UNPAID = (
    f"p.status NOT IN ({_UNPAID}) OR p.open_operation_id IS NOT NULL OR p.amount_refund_pending_minor > 0"
)
_LOCKED_PAYMENT = """
    CROSS JOIN LATERAL (
        SELECT status, open_operation_id, amount_refund_pending_minor
        FROM payments
        WHERE merchant_id = h.merchant_id AND payment_id = h.payment_id
        FOR SHARE SKIP LOCKED
    ) p"""


@cache
def _claim_sql(limit: int, *, guarded: bool) -> str:
    """The statement, whose plan must be right before the first ANALYZE and in the first minute of an outage.

    So the limit stands in it as a number (the planner then knows how little is claimed), ``OFFSET 0`` keeps a
    look-up for each claimed row from becoming a join over all rows, and ``destination || ''`` keeps the look-up of a
    payment's other deliveries off the index by destination.
    """
    return f"""
WITH head AS MATERIALIZED (
    SELECT d.merchant_id, d.delivery_id, d.payment_id, d.sequence, d.destination
    FROM deliveries d
    WHERE d.destination = $1 AND d.state = 'PENDING' AND d.due_at <= now()
      AND NOT EXISTS (
          SELECT FROM deliveries o
          WHERE o.merchant_id = d.merchant_id AND o.payment_id = d.payment_id
            AND o.destination || '' = d.destination AND o.state = 'PENDING' AND o.sequence <> d.sequence
            AND (o.sequence < d.sequence OR o.leased_until > now())
          OFFSET 0
      )
    ORDER BY d.due_at
    LIMIT {limit}
    FOR UPDATE OF d SKIP LOCKED
), judged AS MATERIALIZED (
    SELECT h.merchant_id, h.delivery_id, now() + make_interval(secs => $2::float8) AS lease_end,
           CASE WHEN {overtaken("h")} THEN '{OVERTAKEN}'
                WHEN {_NO_LONGER_UNPAID if guarded else "false"} THEN '{NOT_UNPAID}' END AS stale
    FROM head h {_LOCKED_PAYMENT if guarded else ""}
)
UPDATE deliveries d
SET state = CASE WHEN j.stale IS NULL THEN 'PENDING' ELSE 'SUPERSEDED' END,
    lease_epoch = d.lease_epoch + 1,
    attempts = d.attempts + CASE WHEN j.stale IS NULL THEN 1 ELSE 0 END,
    due_at = CASE WHEN j.stale IS NULL THEN j.lease_end END,
    leased_until = CASE WHEN j.stale IS NULL THEN j.lease_end END,
    first_attempt_at = CASE WHEN j.stale IS NULL THEN coalesce(d.first_attempt_at, now()) ELSE d.first_attempt_at END,
    last_error = coalesce(j.stale, d.last_error),
    concluded_at = CASE WHEN j.stale IS NULL THEN NULL ELSE now() END
FROM judged j, events e
WHERE d.merchant_id = j.merchant_id AND d.delivery_id = j.delivery_id
  AND e.merchant_id = d.merchant_id AND e.event_id = d.event_id
RETURNING d.merchant_id, d.delivery_id, d.destination, d.state, d.lease_epoch, d.attempts,
          extract(epoch FROM now() - d.first_attempt_at)::float8 AS age_s, now() AS claimed_at,
          e.event_id, e.payment_id, e.sequence, e.event_type, e.data, e.correlation_id, e.traceparent, e.created_at
"""


_CONCLUDE = """
UPDATE deliveries d
SET state = r.state,
    due_at = CASE WHEN r.state = 'PENDING' THEN now() + make_interval(secs => r.delay_s) END,
    leased_until = NULL,
    last_status = r.last_status,
    last_error = r.last_error,
    concluded_at = CASE WHEN r.state = 'PENDING' THEN NULL ELSE now() END
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::float8[], $6::smallint[], $7::text[])
  AS r (merchant_id, delivery_id, lease_epoch, state, delay_s, last_status, last_error)
WHERE d.merchant_id = r.merchant_id AND d.delivery_id = r.delivery_id
  AND d.lease_epoch = r.lease_epoch AND d.state = 'PENDING'
RETURNING d.delivery_id
"""

_COUNT_AS_TRIED = """
UPDATE deliveries d
SET first_attempt_at = now()
FROM (
    SELECT merchant_id, delivery_id
    FROM deliveries
    WHERE destination = $1 AND state = 'PENDING' AND due_at <= now() AND first_attempt_at IS NULL
    ORDER BY due_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
) waiting
WHERE d.merchant_id = waiting.merchant_id AND d.delivery_id = waiting.delivery_id
RETURNING d.delivery_id
"""

_PARK_OVERDUE = """
UPDATE deliveries d
SET state = 'PARKED', due_at = NULL, leased_until = NULL, last_error = $4, concluded_at = now()
FROM (
    SELECT merchant_id, delivery_id
    FROM deliveries
    WHERE destination = $1 AND state = 'PENDING' AND (leased_until IS NULL OR leased_until <= now())
      AND first_attempt_at <= now() - make_interval(secs => $3::float8)
    ORDER BY due_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
) overdue
WHERE d.merchant_id = overdue.merchant_id AND d.delivery_id = overdue.delivery_id
RETURNING d.delivery_id
"""
