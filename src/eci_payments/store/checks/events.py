"""Events: numbered without gaps, and each delivery tells of the event it says it tells of."""

from __future__ import annotations

from eci_payments.store.checks.check import RangeCheck, in_range

SEQUENCE = RangeCheck(
    "event_sequence",
    f"""
SELECT format('payment %s', p.payment_id) AS place,
       format('counts %s events and has %s%s', p.event_sequence, t.events, ', the first that is missing is ' || (
           SELECT min(n) FROM generate_series(1, least(p.event_sequence, t.events + 1)) n
           WHERE NOT EXISTS (SELECT FROM events e WHERE e.merchant_id = p.merchant_id
                             AND e.payment_id = p.payment_id AND e.sequence = n))) AS what
FROM payments p
CROSS JOIN LATERAL (
    SELECT count(*) AS events, coalesce(max(e.sequence), 0) AS last
    FROM events e WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.payment_id
) t
WHERE {in_range("p")} AND (p.event_sequence <> t.events OR p.event_sequence <> t.last)
""",
)

DELIVERIES = RangeCheck(
    "delivery",
    f"""
SELECT format('delivery %s to %s', d.delivery_id, d.destination) AS place,
       CASE WHEN d.payment_id <> e.payment_id OR d.sequence <> e.sequence
            THEN format('is of event %s of payment %s and says event %s of payment %s', e.sequence, e.payment_id,
                        d.sequence, d.payment_id)
            WHEN d.state = 'PENDING' AND d.due_at IS NULL THEN 'waits and is never due'
            ELSE format('is %s with concluded_at %s', d.state, coalesce(d.concluded_at::text, 'empty')) END AS what
FROM events e JOIN deliveries d ON d.merchant_id = e.merchant_id AND d.event_id = e.event_id
WHERE {in_range("e")}
  AND (d.payment_id <> e.payment_id OR d.sequence <> e.sequence OR (d.state = 'PENDING' AND d.due_at IS NULL)
       OR (d.state = 'PENDING') <> (d.concluded_at IS NULL))
""",
)

CHECKS = (SEQUENCE, DELIVERIES)
