"""Payments: state and amounts fit each other, and whatever belongs to a payment has one."""

from __future__ import annotations

from eci_payments.store.checks.check import RangeCheck, in_range

STATE = RangeCheck(
    "payment_state",
    f"""
SELECT format('payment %s', p.payment_id) AS place,
       format('is %s with %s authorized, %s captured, %s refunded, %s being refunded and open operation %s',
              p.status, p.amount_authorized_minor, p.amount_captured_minor, p.amount_refunded_minor,
              p.amount_refund_pending_minor, coalesce(p.open_operation_id::text, 'none')) AS what
FROM payments p
WHERE {in_range("p")} AND NOT CASE p.status
    WHEN 'PENDING' THEN p.amount_captured_minor = 0 AND p.open_operation_id IS NULL
    WHEN 'FAILED' THEN p.amount_captured_minor = 0 AND p.open_operation_id IS NULL
    WHEN 'CANCELLED' THEN p.amount_captured_minor = 0 AND p.open_operation_id IS NULL
    WHEN 'PROCESSING' THEN p.amount_captured_minor = 0 AND p.open_operation_id IS NOT NULL
    WHEN 'REQUIRES_ACTION' THEN p.amount_captured_minor = 0 AND p.open_operation_id IS NOT NULL
    WHEN 'AUTHORIZED' THEN p.amount_authorized_minor > 0 AND p.amount_refunded_minor = 0
    WHEN 'COMPLETED' THEN p.amount_captured_minor > 0 AND p.amount_refunded_minor = 0
    WHEN 'PARTIALLY_REFUNDED' THEN p.amount_refunded_minor > 0 AND p.amount_refunded_minor < p.amount_captured_minor
    WHEN 'REFUNDED' THEN p.amount_captured_minor > 0 AND p.amount_refunded_minor >= p.amount_captured_minor
    ELSE false
END
""",
)


def _orphans(table: str, key: str) -> str:
    return f"""
SELECT format('{table} %s', t.{key}) AS place,
       format('belongs to payment %s, which does not exist', t.payment_id) AS what
FROM {table} t
WHERE {in_range("t")}
  AND NOT EXISTS (SELECT FROM payments p WHERE p.merchant_id = t.merchant_id AND p.payment_id = t.payment_id)
"""


ORPHANS = RangeCheck(
    "orphan",
    " UNION ALL ".join(
        _orphans(table, key)
        for table, key in (
            ("operations", "operation_id"),
            ("refunds", "refund_id"),
            ("transactions", "transaction_log_id"),
            ("ledger_entries", "entry_id"),
            ("events", "event_id"),
            ("disputes", "reference"),
        )
    ),
)

CHECKS = (STATE, ORPHANS)
