"""Verification: proves that the books are right, or names what is broken.

Everything is read in one snapshot, in batches of bounded size, so that it runs beside a service at work and over any
number of payments. Nothing is mended.

    payment_state, orphan                      payments: state, amounts and open operation fit each other
    ledger_account, _cause, _version, _amount  the ledger: known postings, each with its cause, equal to the payments
    ledger_total                               the accounts together are zero, and what is payable is what payments keep
    audit_chain, audit_last                    every version has its entry, and each begins where the last one ended
    audit_seal                                 no sealed entry or administrative event was changed, removed, moved
    event_sequence, event_reached, delivery    every event is there, and reached its destinations or is on the way
    open_operation, processing_reason,
    operation_amount                           operations: the open one is known, the approved ones are what was counted
    refund_amount, refund_operation            refunds add up and end as their operations did
    refund_approval                            what needed a second person has one, and its request waits with it
    dispute_amount, dispute_charge             disputes add up to what is withheld and was charged back
    key_answer, key_stuck                      repeats of a request get the answer that it ended with
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.store.checks import audit, disputes, events, keys, ledger, operations, payments, refunds
from eci_payments.store.checks.findings import Finding, Report
from eci_payments.store.checks.reached import check_reached
from eci_payments.store.checks.seals import check_seals
from eci_payments.store.checks.totals import Totals
from eci_payments.store.exported_seals import check_exported
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from eci_payments.store.checks.check import RangeCheck
    from eci_payments.store.exported_seals import ActSeal, Seal
    from eci_payments.store.fan_out import Subscription
    from eci_payments.store.session import Database, ReadSession

__all__ = ["Finding", "Report", "verify", "verify_audit"]

PAYMENTS_AT_ONCE = 500
"""Payments of one statement: a few hundredths of a second each, far below the statement time-out."""
KEYS_AT_ONCE = 5000
FINDINGS_SHOWN = 100
"""More is not read by anybody; all are counted."""
FIRST, LAST = -(2**63), 2**63 - 1

RANGE_CHECKS = (
    *payments.CHECKS,
    *ledger.CHECKS,
    *audit.CHECKS,
    *events.CHECKS,
    *operations.CHECKS,
    *refunds.CHECKS,
    *disputes.CHECKS,
    *keys.CHECKS,
)


async def verify(
    database: Database, subscriptions: Sequence[Subscription] = (), *, limit: int = FINDINGS_SHOWN
) -> Report:
    """Check everything of every merchant. ``subscriptions`` are the destinations that events are expected to reach."""
    report = Report(limit)
    async with database.read() as session:
        for merchant in await run(session, "SELECT merchant_id FROM merchants ORDER BY merchant_id"):
            await _verify_merchant(session, report, merchant.merchant_id, subscriptions)
    return report


async def verify_audit(
    database: Database, exported: Sequence[Seal | ActSeal] = (), *, limit: int = FINDINGS_SHOWN
) -> Report:
    """Check the audit trails only: their hash chains, held against ``exported`` seals, and payments' versions.

    Every version of a payment has one entry: that finds what was put in or cut off before it was sealed.
    """
    report = Report(limit)
    async with database.read() as session:
        for merchant in await run(session, "SELECT merchant_id FROM merchants ORDER BY merchant_id"):
            await check_seals(session, report, merchant.merchant_id)
            async for low, high in _ranges(session, merchant.merchant_id):
                await _check_range(session, report, audit.CHECKS, (merchant.merchant_id, low, high))
        await check_exported(session, report, exported)
    return report


async def _verify_merchant(
    session: ReadSession, report: Report, merchant_id: int, subscriptions: Sequence[Subscription]
) -> None:
    await check_seals(session, report, merchant_id)
    totals = Totals()
    async for low, high in _ranges(session, merchant_id):
        await _check_range(session, report, RANGE_CHECKS, (merchant_id, low, high))
        await totals.add(session, report, merchant_id, low, high)
    totals.compare(report, merchant_id)
    await check_reached(session, report, merchant_id, subscriptions)
    await _check_stuck_keys(session, report, merchant_id)


async def _check_range(
    session: ReadSession, report: Report, checks: Sequence[RangeCheck], place: tuple[int, int, int]
) -> None:
    for check in checks:
        for row in await run(session, check.sql, *place):
            report.add(check.name, row.place, row.what)


async def _ranges(session: ReadSession, merchant_id: int) -> AsyncIterator[tuple[int, int]]:
    """Ranges of payment ids (from, exclusive; to, inclusive) that together leave no id out."""
    low = FIRST
    while True:
        rows = await run(session, _NEXT_BOUND, merchant_id, low, PAYMENTS_AT_ONCE - 1)
        high = rows[0].payment_id if rows else LAST
        yield low, high
        if high == LAST:
            return
        low = high


_NEXT_BOUND = """
SELECT payment_id FROM payments WHERE merchant_id = $1 AND payment_id > $2 ORDER BY payment_id OFFSET $3 LIMIT 1
"""


async def _check_stuck_keys(session: ReadSession, report: Report, merchant_id: int) -> None:
    place = ("", "")
    while rows := await run(session, keys.STUCK, merchant_id, *place, KEYS_AT_ONCE):
        for row in rows:
            if row.what is not None:
                report.add(
                    "key_stuck",
                    f"key claimed at {row.created_at:%Y-%m-%dT%H:%M:%SZ} for {row.scope}",
                    row.what,
                )
        report.counted["idempotency keys"] += len(rows)
        place = (rows[-1].scope, rows[-1].key)
