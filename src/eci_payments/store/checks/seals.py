"""The hash chain is unbroken: no audit row was changed, taken away, put in or moved after it was sealed.

Every seal is held against the one stored before it, so that one changed row is one finding and not all that follow.
Does not cover what has not been sealed yet (counted as such), nor somebody who rewrites the seals from one row on
to the end (see `store.seal_chain`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.store.seal_chain import GENESIS, SELECTED, row_hash
from eci_payments.store.seals import READER
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.store.checks.findings import Report
    from eci_payments.store.session import ReadSession

SEALS_AT_ONCE = 1000
ROWS_AT_ONCE = 5000
"""Rows of one statement: some hundredths of a second, and at most a megabyte or two in memory."""
CHECK = "audit_seal"


async def check_seals(session: ReadSession, report: Report, merchant_id: int) -> None:
    """Walk one merchant's chain from its first seal, then look for rows that have none."""
    position, previous = 0, GENESIS
    while rows := await run(session, _CHAIN, merchant_id, position, SEALS_AT_ONCE):
        for row in rows:
            if row.position != position + 1:
                missing = f"seal {position + 1}" + (
                    f" to {row.position - 1}" if row.position > position + 2 else ""
                )
                report.add(CHECK, missing, f"was removed; audit entry {row.sealed_id} is sealed next")
            elif (wrong := _wrong(previous, row, rows)) is not None:
                report.add(CHECK, f"audit entry {row.sealed_id} (seal {row.position})", wrong)
            position, previous = row.position, row.hash
        report.counted["seals"] += len(rows)
    await _check_unsealed(session, report, merchant_id)


def _wrong(previous: bytes, row: Any, batch: Sequence[Any]) -> str | None:
    if row.transaction_log_id is None:
        return "was removed after it was sealed"
    if row_hash(previous, row) == row.hash:
        return None
    for other in batch:
        if other.transaction_log_id is not None and row_hash(previous, other) == row.hash:
            return f"stands where audit entry {other.transaction_log_id} was sealed: the order was changed"
    return "was changed after it was sealed"


async def _check_unsealed(session: ReadSession, report: Report, merchant_id: int) -> None:
    last = -(2**63)
    while True:
        (batch,) = await run(session, _UNSEALED, merchant_id, last, READER, ROWS_AT_ONCE)
        for found in batch.passed:
            report.add(CHECK, f"audit entry {found}", "was put in behind the walk, or its seal was removed")
        report.counted["audit entries not sealed yet"] += batch.waiting
        if batch.last is None:
            return
        last = batch.last


_CHAIN = f"""
SELECT s.position, s.transaction_log_id AS sealed_id, s.hash, {SELECTED}
FROM audit_seals s
LEFT JOIN transactions t ON t.merchant_id = s.merchant_id AND t.transaction_log_id = s.transaction_log_id
WHERE s.merchant_id = $1 AND s.position > $2
ORDER BY s.position
LIMIT $3
"""
_UNSEALED = """
WITH batch AS MATERIALIZED (
    SELECT t.transaction_log_id, t.committed_in FROM transactions t
    WHERE t.merchant_id = $1 AND t.transaction_log_id > $2 ORDER BY t.transaction_log_id LIMIT $4
), unsealed AS MATERIALIZED (
    SELECT b.transaction_log_id, (b.committed_in, b.transaction_log_id) <= (c.committed_in, c.position) AS passed
    FROM batch b LEFT JOIN cursors c ON c.merchant_id = $1 AND c.reader = $3
    WHERE NOT EXISTS (SELECT FROM audit_seals s
                      WHERE s.merchant_id = $1 AND s.transaction_log_id = b.transaction_log_id)
)
SELECT (SELECT max(transaction_log_id) FROM batch) AS last,
       ARRAY(SELECT transaction_log_id FROM unsealed WHERE passed ORDER BY 1) AS passed,
       (SELECT count(*) FROM unsealed WHERE passed IS NOT TRUE) AS waiting
"""
