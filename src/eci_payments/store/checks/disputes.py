"""Disputes: together they are what their payment and the ledger say is withheld and was charged back."""

from __future__ import annotations

from eci_payments.domain.ledger import DISPUTES
from eci_payments.store.checks.check import RangeCheck, in_range

AMOUNTS = RangeCheck(
    "dispute_amount",
    f"""
SELECT format('payment %s', p.payment_id) AS place,
       format('has %s disputes, %s disputed and %s charged back, its disputes say %s, %s and %s, the ledger %s',
              p.dispute_count, p.amount_disputed_minor, p.amount_charged_back_minor, d.found, d.open, d.lost,
              l.withheld) AS what
FROM payments p
CROSS JOIN LATERAL (
    SELECT count(*) AS found, coalesce(sum(d.amount_minor) FILTER (WHERE d.state = 'OPEN'), 0) AS open,
           coalesce(sum(d.amount_minor) FILTER (WHERE d.state = 'LOST'), 0) AS lost
    FROM disputes d WHERE d.merchant_id = p.merchant_id AND d.payment_id = p.payment_id
) d
CROSS JOIN LATERAL (
    SELECT coalesce(sum(CASE WHEN e.debit_account = '{DISPUTES}' THEN e.amount_minor
                             WHEN e.credit_account = '{DISPUTES}' THEN -e.amount_minor ELSE 0 END), 0) AS withheld
    FROM ledger_entries e WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.payment_id
) l
WHERE {in_range("p")}
  AND (p.dispute_count <> d.found OR p.amount_disputed_minor <> d.open OR p.amount_charged_back_minor <> d.lost
       OR p.amount_disputed_minor <> l.withheld)
""",
)

CHARGES = RangeCheck(
    "dispute_charge",
    f"""
SELECT format('dispute %s of payment %s', d.reference, d.payment_id) AS place,
       CASE WHEN o.operation_id IS NULL
            THEN format('names operation %s, which that payment does not have', d.operation_id)
            ELSE format('is of %s in %s, its charge is a %s at %s in %s', d.gateway, d.currency, o.kind, o.gateway,
                        o.currency) END AS what
FROM disputes d
LEFT JOIN operations o
  ON o.merchant_id = d.merchant_id AND o.operation_id = d.operation_id AND o.payment_id = d.payment_id
WHERE {in_range("d")}
  AND (o.operation_id IS NULL OR o.gateway <> d.gateway OR o.currency <> d.currency
       OR o.kind NOT IN ('CHARGE', 'AUTHORIZE'))
""",
)

CHECKS = (AMOUNTS, CHARGES)
