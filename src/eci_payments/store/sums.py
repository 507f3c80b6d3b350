"""The business metrics: running sums over the audit trail, kept in one small table, off the hot path.

Any process folds what has come since into the table and reads it back: the sums belong to the database, so they are
true whoever is asked and survive every restart. A row is folded once, since the reader's place moves in the same
commit. Every sum is a sum of differences between a row's before and after, so the order of rows does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.domain.money import currency, major_units
from eci_payments.store.restored import SUMS_READER
from eci_payments.store.session import run
from eci_payments.store.trail import AFTER, SETTLED, claim_place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from eci_payments.store.session import ReadSession, WriteSession

READER = SUMS_READER
"""Whose place in the walk over ``transactions`` the cursor keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessSums:
    """The contract's business metrics over all merchants; money in exact major units, by currency.

    The first four only grow. Gauges by status and method count payments as they are now.
    """

    payments_created: int
    payments_failed: int
    refunds_processed: int
    processing_errors: int
    amount_processed: Mapping[str, Decimal]
    amount_refunded: Mapping[str, Decimal]
    payments_by_status: Mapping[str, int]
    payments_by_method: Mapping[str, int]


async def fold(session: WriteSession, limit: int = 5000) -> int:
    """Add up to ``limit`` rows of one merchant's trail to the sums; how many, 0 when there is nothing to do now.

    One transaction of the caller's. Where somebody else is folding that merchant, nothing is waited for.
    """
    place = await claim_place(session, READER)
    if place is None:
        return 0
    (row,) = await run(
        session, _FOLD, place.merchant_id, place.committed_in, place.position, limit, READER, *_ERRORS
    )
    return int(row.folded)


async def read(session: ReadSession | WriteSession) -> BusinessSums:
    """The sums as they were folded last."""
    rows = await run(
        session, "SELECT name, label, sum(value)::bigint AS value FROM business_sums GROUP BY name, label"
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.name, {})[row.label] = row.value
    return BusinessSums(
        payments_created=found.get("payments_created", {}).get("", 0),
        payments_failed=found.get("payments_failed", {}).get("", 0),
        refunds_processed=found.get("refunds_processed", {}).get("", 0),
        processing_errors=found.get("processing_errors", {}).get("", 0),
        amount_processed=_major(found.get("amount_processed", {})),
        amount_refunded=_major(found.get("amount_refunded", {})),
        payments_by_status=found.get("payments_by_status", {}),
        payments_by_method=found.get("payments_by_method", {}),
    )


def _major(minor: Mapping[str, int]) -> dict[str, Decimal]:
    return {code: major_units(amount, currency(code)) for code, amount in minor.items()}


_ERRORS = (["outcome_unknown", "gateway_unreachable"], ["NOT_SENT", "UNKNOWN"])
"""Reasons and statuses by which the trail says that a gateway did not do its part."""

_FOLD = f"""
WITH batch AS MATERIALIZED (
    SELECT t.committed_in, t.transaction_log_id, t.before AS b, t.after AS a,
           coalesce(t.reason = ANY ($6), false) OR t.status = ANY ($7)
           OR (t.after ->> 'processing_reason' = 'outcome_unknown'
               AND t.before ->> 'processing_reason' IS DISTINCT FROM 'outcome_unknown') AS is_error,
           (t.after ->> 'amount_captured_minor')::bigint
             - coalesce((t.before ->> 'amount_captured_minor')::bigint, 0) AS captured,
           (t.after ->> 'amount_refunded_minor')::bigint
             - coalesce((t.before ->> 'amount_refunded_minor')::bigint, 0) AS refunded
    FROM transactions t
    WHERE t.merchant_id = $1 AND {AFTER.format("$2::text::xid8", "$3::bigint")} AND {SETTLED}
    ORDER BY t.committed_in, t.transaction_log_id
    LIMIT $4
), differences AS (
    SELECT d.name, d.label, sum(d.value)::bigint AS value
    FROM batch CROSS JOIN LATERAL (VALUES
        ('payments_created', '', (b IS NULL)::int::bigint),
        ('payments_failed', '', (a ->> 'status' = 'FAILED' AND b ->> 'status' IS DISTINCT FROM 'FAILED')::int),
        ('refunds_processed', '', (refunded > 0)::int),
        ('processing_errors', '', is_error::int),
        ('amount_processed', a ->> 'currency', greatest(captured, 0)),
        ('amount_refunded', a ->> 'currency', greatest(refunded, 0)),
        ('payments_by_status', a ->> 'status', 1),
        ('payments_by_status', b ->> 'status', -1),
        ('payments_by_method', a ->> 'payment_method', 1),
        ('payments_by_method', b ->> 'payment_method', -1)
    ) AS d (name, label, value)
    WHERE d.value <> 0 AND d.label IS NOT NULL
    GROUP BY d.name, d.label
), folded AS (
    INSERT INTO business_sums AS s (merchant_id, name, label, value)
    SELECT $1, name, label, value FROM differences WHERE value <> 0
    ON CONFLICT (merchant_id, name, label) DO UPDATE SET value = s.value + excluded.value
), last AS (
    SELECT committed_in, transaction_log_id FROM batch ORDER BY committed_in DESC, transaction_log_id DESC LIMIT 1
), moved AS (
    UPDATE cursors c SET committed_in = last.committed_in, position = last.transaction_log_id
    FROM last WHERE c.merchant_id = $1 AND c.reader = $5
)
SELECT count(*) AS folded FROM batch
"""
