"""Idempotency keys: whoever repeats a request gets the answer that its operation ended with."""

from __future__ import annotations

from eci_payments.store.checks.check import RangeCheck, in_range

ANSWERS = RangeCheck(
    "key_answer",
    f"""
SELECT format('key of operation %s of payment %s', o.operation_id, o.payment_id) AS place,
       CASE WHEN o.state = 'NOT_SENT' AND k.response_status IS NULL
            THEN 'was not released, although nothing was ever sent'
            WHEN o.state = 'STARTED' THEN format('has an answer (%s) before its operation has one', k.response_status)
            ELSE format('has no answer, although its operation is %s', o.state) END AS what
FROM operations o
JOIN idempotency_keys k
  ON k.merchant_id = o.merchant_id AND k.scope = o.key_scope AND k.key = o.key AND k.operation_id = o.operation_id
WHERE {in_range("o")} AND CASE o.state
    WHEN 'STARTED' THEN k.response_status IS NOT NULL
    WHEN 'UNKNOWN' THEN false
    ELSE k.response_status IS NULL
END
""",
)

CHECKS = (ANSWERS,)

STUCK = """
SELECT k.scope, k.key, k.created_at,
       CASE WHEN k.response_status IS NOT NULL AND k.response_body IS NOT NULL AND k.completed_at IS NOT NULL THEN NULL
            WHEN k.response_status IS NOT NULL OR k.response_body IS NOT NULL OR k.completed_at IS NOT NULL
            THEN 'is answered by half: status, body and time belong together'
            WHEN k.operation_id IS NULL AND EXISTS (
                SELECT FROM refunds r WHERE r.merchant_id = k.merchant_id AND r.payment_id = k.payment_id
                  AND r.key_scope = k.scope AND r.key = k.key AND r.status = 'AWAITING_APPROVAL') THEN NULL
            WHEN k.operation_id IS NULL THEN 'is claimed for nothing and will never be answered'
            WHEN o.operation_id IS NULL THEN format('is claimed for operation %s, which does not exist', k.operation_id)
       END AS what
FROM idempotency_keys k
LEFT JOIN operations o ON o.merchant_id = k.merchant_id AND o.operation_id = k.operation_id
WHERE k.merchant_id = $1 AND (k.scope, k.key) > ($2, $3)
ORDER BY k.scope, k.key
LIMIT $4
"""
"""Every key of a merchant in order, with what is wrong with it, if anything is."""
