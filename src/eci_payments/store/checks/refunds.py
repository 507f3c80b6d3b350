"""Refunds: together they are what their payment has refunded and reserved, and each ends as its operation did."""

from __future__ import annotations

from eci_payments.store.checks.check import RangeCheck, in_range
from eci_payments.store.checks.operations import IS_OPEN

AMOUNTS = RangeCheck(
    "refund_amount",
    f"""
SELECT format('payment %s', p.payment_id) AS place,
       format('has %s refunded and %s being refunded, its refunds say %s and %s', p.amount_refunded_minor,
              p.amount_refund_pending_minor, g.refunded, g.pending)
         || CASE WHEN p.amount_refunded_elsewhere_minor = g.elsewhere THEN ''
                 ELSE format('; %s of it elsewhere, and %s', p.amount_refunded_elsewhere_minor, g.elsewhere) END AS what
FROM payments p
CROSS JOIN LATERAL (
    SELECT coalesce(sum(r.amount_minor) FILTER (WHERE r.status = 'SUCCEEDED'), 0) AS refunded,
           coalesce(sum(r.amount_minor) FILTER (WHERE r.status = 'SUCCEEDED' AND r.made_elsewhere), 0) AS elsewhere,
           coalesce(sum(r.amount_minor) FILTER (WHERE r.status IN ('PENDING', 'AWAITING_APPROVAL')), 0) AS pending
    FROM refunds r WHERE r.merchant_id = p.merchant_id AND r.payment_id = p.payment_id
) g
WHERE {in_range("p")} AND (p.amount_refunded_minor <> g.refunded OR p.amount_refund_pending_minor <> g.pending
                           OR p.amount_refunded_elsewhere_minor <> g.elsewhere)
""",
)

OPERATIONS = RangeCheck(
    "refund_operation",
    f"""
SELECT format('refund %s of payment %s', r.refund_id, r.payment_id) AS place,
       CASE WHEN o.operation_id IS NULL
            THEN format('names operation %s, which its payment does not have', r.operation_id)
            WHEN o.kind <> 'REFUND' OR o.refund_id IS DISTINCT FROM r.refund_id
            THEN format('names operation %s, a %s of refund %s', o.operation_id, o.kind,
                        coalesce(o.refund_id::text, 'none'))
            WHEN o.amount_minor <> r.amount_minor OR o.currency <> r.currency
            THEN format('is %s %s, its operation %s %s', r.amount_minor, r.currency, o.amount_minor, o.currency)
            ELSE format('is %s, its operation %s', r.status, o.state) END AS what
FROM refunds r
LEFT JOIN operations o
  ON o.merchant_id = r.merchant_id AND o.operation_id = r.operation_id AND o.payment_id = r.payment_id
WHERE {in_range("r")} AND r.operation_id IS NOT NULL AND (
    o.operation_id IS NULL OR o.kind <> 'REFUND' OR o.refund_id IS DISTINCT FROM r.refund_id
    OR o.amount_minor <> r.amount_minor OR o.currency <> r.currency
    OR r.status <> CASE WHEN {IS_OPEN} THEN 'PENDING' WHEN o.state = 'APPROVED' THEN 'SUCCEEDED' ELSE 'FAILED' END)
UNION ALL
SELECT format('operation %s of payment %s', o.operation_id, o.payment_id),
       format('is a refund, and refund %s does not name it', coalesce(o.refund_id::text, 'none'))
FROM operations o
WHERE {in_range("o")} AND o.kind = 'REFUND' AND NOT EXISTS (
    SELECT FROM refunds r
    WHERE r.merchant_id = o.merchant_id AND r.refund_id = o.refund_id AND r.operation_id = o.operation_id)
UNION ALL
SELECT format('refund %s of payment %s', r.refund_id, r.payment_id),
       format('is in %s, its payment in %s', r.currency, p.currency)
FROM refunds r JOIN payments p ON p.merchant_id = r.merchant_id AND p.payment_id = r.payment_id
WHERE {in_range("r")} AND r.currency <> p.currency AND r.status <> 'FAILED'
""",
)

APPROVALS = RangeCheck(
    "refund_approval",
    f"""
SELECT format('refund %s of payment %s', r.refund_id, r.payment_id) AS place,
       CASE WHEN r.status <> 'AWAITING_APPROVAL'
            THEN format('is %s, was asked for by %s and approved by %s', r.status, r.requested_by,
                        coalesce(r.decided_by, 'nobody'))
            WHEN k.key IS NULL THEN 'awaits approval, and the key of its request is not kept'
            ELSE format('awaits approval, and its request has the answer %s already', k.response_status) END AS what
FROM refunds r
LEFT JOIN idempotency_keys k ON k.merchant_id = r.merchant_id AND k.scope = r.key_scope AND k.key = r.key
WHERE {in_range("r")} AND r.approval_expires_at IS NOT NULL AND CASE
    WHEN r.status = 'AWAITING_APPROVAL'
    THEN r.key IS NOT NULL AND (k.key IS NULL OR k.response_status IS NOT NULL)
    ELSE (r.status IN ('PENDING', 'SUCCEEDED') OR r.operation_id IS NOT NULL)
         AND (r.decided_by IS NULL OR r.decided_by = r.requested_by)
END
""",
)

CHECKS = (AMOUNTS, OPERATIONS, APPROVALS)
