"""The audit trail: every version of every payment has its entry, and each begins where the one before ended."""

from __future__ import annotations

from eci_payments.store.checks.check import RangeCheck, in_range

CHAIN = RangeCheck(
    "audit_chain",
    f"""
WITH walked AS (
    SELECT t.payment_id, t.transaction_log_id, t.version, t.before, t.after,
           lag(t.after) OVER trail AS earlier, lag(t.version) OVER trail AS earlier_version
    FROM transactions t WHERE {in_range("t")}
    WINDOW trail AS (PARTITION BY t.payment_id ORDER BY t.version, t.transaction_log_id)
)
SELECT format('audit entry %s of payment %s', transaction_log_id, payment_id) AS place,
       CASE WHEN earlier_version IS NULL AND version <> 1 THEN format('is the first and of version %s', version)
            WHEN earlier_version IS NULL AND before IS NOT NULL THEN 'is the first and has a before'
            WHEN version > earlier_version + 1
            THEN format('versions %s to %s have no entry', earlier_version + 1, version - 1)
            WHEN after ->> 'version' IS DISTINCT FROM version::text
            THEN format('is of version %s and says version %s', version, coalesce(after ->> 'version', 'none'))
            ELSE format('does not begin where the entry before it ended (version %s)', version) END AS what
FROM walked
WHERE CASE WHEN earlier_version IS NULL THEN version <> 1 OR before IS NOT NULL
           ELSE version > earlier_version + 1 OR before IS DISTINCT FROM earlier END
   OR after ->> 'version' IS DISTINCT FROM version::text
""",
)

_STATE = (
    "status", "processing_reason", "payment_method", "currency", "amount_minor", "amount_authorized_minor",
    "amount_captured_minor", "amount_refunded_minor", "amount_refund_pending_minor", "amount_unapplied_minor",
    "attempt", "version",
)  # fmt: skip
_AS_AUDITED = ", ".join(f"'{name}', p.{name}" for name in _STATE)

_FACTS = ("refunded_elsewhere", "disputed", "charged_back", "exceeding")
"""What a gateway did without us; the trail leaves out what is nought."""
_FACTS_AS_AUDITED = ", ".join(f"'amount_{name}_minor', p.amount_{name}_minor" for name in _FACTS)
_FACTS_DIFFER = " OR ".join(
    f"coalesce(l.after -> 'amount_{name}_minor', '0') <> to_jsonb(p.amount_{name}_minor)" for name in _FACTS
)

LAST = RangeCheck(
    "audit_last",
    f"""
SELECT format('payment %s', p.payment_id) AS place,
       CASE WHEN l.version IS NULL THEN 'has no audit entry'
            WHEN l.version <> p.version
            THEN format('is at version %s, its last audit entry at version %s', p.version, l.version)
            ELSE format('differs from its last audit entry in %s', (
                SELECT string_agg(now.key, ', ' ORDER BY now.key)
                FROM jsonb_each(jsonb_build_object({_AS_AUDITED}, {_FACTS_AS_AUDITED})) now
                WHERE now.value IS DISTINCT FROM coalesce(l.after -> now.key, '0'))) END AS what
FROM payments p
LEFT JOIN LATERAL (
    SELECT t.version, t.after FROM transactions t
    WHERE t.merchant_id = p.merchant_id AND t.payment_id = p.payment_id
    ORDER BY t.version DESC, t.transaction_log_id DESC LIMIT 1
) l ON true
WHERE {in_range("p")}
  AND (l.version IS DISTINCT FROM p.version OR NOT l.after @> jsonb_build_object({_AS_AUDITED}) OR {_FACTS_DIFFER})
""",
)

CHECKS = (CHAIN, LAST)
