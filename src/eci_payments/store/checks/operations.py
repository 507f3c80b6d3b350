"""Operations: what is open is known to its payment and looked after; what is approved is what the payment counts."""

from __future__ import annotations

from eci_payments.domain.operation import OPEN
from eci_payments.store.checks.check import RangeCheck, in_range

IS_OPEN = "o.state IN (" + ", ".join(f"'{state}'" for state in sorted(OPEN)) + ")"
_HOLDS = "o.kind IN ('CHARGE', 'AUTHORIZE', 'CAPTURE', 'VOID')"

OPEN_OPERATION = RangeCheck(
    "open_operation",
    f"""
SELECT format('payment %s', p.payment_id) AS place,
       CASE WHEN o.operation_id IS NULL
            THEN format('names open operation %s, which it does not have', p.open_operation_id)
            ELSE format('names open operation %s, which is a %s that is %s', o.operation_id, o.kind, o.state)
       END AS what
FROM payments p
LEFT JOIN operations o
  ON o.merchant_id = p.merchant_id AND o.operation_id = p.open_operation_id AND o.payment_id = p.payment_id
WHERE {in_range("p")} AND p.open_operation_id IS NOT NULL AND ({IS_OPEN} AND {_HOLDS}) IS NOT TRUE
UNION ALL
SELECT format('operation %s of payment %s', o.operation_id, o.payment_id),
       format('is a %s that is %s, its payment names %s as open', o.kind, o.state,
              coalesce('operation ' || p.open_operation_id, 'none'))
FROM operations o JOIN payments p ON p.merchant_id = o.merchant_id AND p.payment_id = o.payment_id
WHERE {in_range("o")} AND {IS_OPEN} AND {_HOLDS} AND p.open_operation_id IS DISTINCT FROM o.operation_id
UNION ALL
SELECT format('operation %s of payment %s', o.operation_id, o.payment_id),
       format('is %s and nobody is due to look at it', o.state)
FROM operations o WHERE {in_range("o")} AND {IS_OPEN} AND o.due_at IS NULL
UNION ALL
SELECT format('operation %s of payment %s', o.operation_id, o.payment_id),
       format('is %s with concluded_at %s', o.state, coalesce(o.concluded_at::text, 'empty'))
FROM operations o WHERE {in_range("o")} AND ({IS_OPEN}) <> (o.concluded_at IS NULL)
""",
)

REASON = RangeCheck(
    "processing_reason",
    f"""
SELECT format('payment %s', p.payment_id) AS place,
       format('says %s while its open operation is %s', coalesce(p.processing_reason, 'nothing'),
              coalesce(o.state, 'none')) AS what
FROM payments p
LEFT JOIN operations o ON o.merchant_id = p.merchant_id AND o.operation_id = p.open_operation_id
WHERE {in_range("p")}
  AND ((p.processing_reason IS NOT NULL AND p.open_operation_id IS NULL)
       OR (o.state = 'UNKNOWN') <> (p.processing_reason IS NOT DISTINCT FROM 'outcome_unknown'))
""",
)

APPROVED_AMOUNTS = RangeCheck(
    "operation_amount",
    f"""
SELECT format('payment %s', p.payment_id) AS place,
       format('has %s authorized, %s captured, %s unapplied; its operations say %s, %s, %s',
              p.amount_authorized_minor, p.amount_captured_minor, p.amount_unapplied_minor,
              x.authorized, x.captured, x.unapplied) AS what
FROM payments p
CROSS JOIN LATERAL (
    SELECT coalesce(sum(o.amount_minor) FILTER (
               WHERE o.operation_id = p.charge_operation_id AND o.state = 'APPROVED'), 0) AS charge,
           coalesce(sum(o.amount_minor) FILTER (
               WHERE o.state = 'APPROVED' AND ((o.kind = 'CHARGE' AND o.operation_id = p.charge_operation_id)
                     OR (o.kind = 'CAPTURE' AND o.parent_id = p.charge_operation_id))), 0) AS captured,
           coalesce(sum(o.late_amount_minor) FILTER (WHERE o.kind IN ('CHARGE', 'CAPTURE')), 0)
             - coalesce(sum(o.amount_minor) FILTER (
                   WHERE o.kind = 'RETURN' AND o.state = 'APPROVED'), 0) AS unapplied
    FROM operations o WHERE o.merchant_id = p.merchant_id AND o.payment_id = p.payment_id
) d
CROSS JOIN LATERAL (
    SELECT coalesce(sum(e.amount_minor) FILTER (WHERE e.movement = 'captured' AND e.operation_id IS NULL), 0)
             AS by_hand,
           coalesce(sum(e.amount_minor) FILTER (WHERE e.movement = 'applied'), 0) AS applied
    FROM ledger_entries e WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.payment_id
) l
CROSS JOIN LATERAL (
    SELECT d.charge + l.by_hand + l.applied AS authorized, d.captured + l.by_hand + l.applied AS captured,
           d.unapplied - l.applied AS unapplied
) x
WHERE {in_range("p")}
  AND (p.amount_authorized_minor <> x.authorized OR p.amount_captured_minor <> x.captured
       OR p.amount_unapplied_minor <> x.unapplied)
""",
)

CHECKS = (OPEN_OPERATION, REASON, APPROVED_AMOUNTS)
