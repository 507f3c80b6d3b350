"""The hash chains are unbroken: no audit row was changed, taken away, put in or moved after it was sealed.

Every seal is held against the one stored before it, so that one changed row is one finding and not all that follow.
Does not cover what has not been sealed yet (counted as such), nor somebody who rewrites the seals from one row on
to the end (see `store.seal_chain`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.store.seal_chain import CHAINS, PAYMENTS, Chain, row_hash
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
    """Walk each of one merchant's chains from its first seal, then look for rows that have none."""
    for chain in CHAINS:
        await _check_chain(session, report, chain, merchant_id)
        await _check_unsealed(session, report, chain, merchant_id)


def seal_name(chain: Chain, position: int) -> str:
    """What people call a seal. Those over payments are the seals; the others say of what."""
    return f"seal {position}" if chain is PAYMENTS else f"seal {position} of {chain.noun}s"


async def _check_chain(session: ReadSession, report: Report, chain: Chain, merchant_id: int) -> None:
    position, previous, key = 0, chain.genesis, chain.rows.key
    while rows := await run(session, _walk(chain), merchant_id, position, SEALS_AT_ONCE):
        for row in rows:
            if row.position != position + 1:
                missing = seal_name(chain, position + 1) + (
                    f" to {row.position - 1}" if row.position > position + 2 else ""
                )
                report.add(CHECK, missing, f"was removed; {chain.noun} {row.sealed_id} is sealed next")
            elif (wrong := _wrong(chain, previous, row, rows)) is not None:
                where = f"{chain.noun} {row.sealed_id} ({seal_name(chain, row.position)})"
                report.add(CHECK, where, wrong)
            position, previous = row.position, row.hash
        report.counted["seals" if key == PAYMENTS.rows.key else f"seals of {chain.noun}s"] += len(rows)


def _wrong(chain: Chain, previous: bytes, row: Any, batch: Sequence[Any]) -> str | None:
    key = chain.rows.key
    if getattr(row, key) is None:
        return "was removed after it was sealed"
    if row_hash(chain, previous, row) == row.hash:
        return None
    for other in batch:
        other_id = getattr(other, key)
        if other_id is not None and row_hash(chain, previous, other) == row.hash:
            return f"stands where {chain.noun} {other_id} was sealed: the order was changed"
    return "was changed after it was sealed"


async def _check_unsealed(session: ReadSession, report: Report, chain: Chain, merchant_id: int) -> None:
    last, noun = -(2**63), chain.noun
    plural = "audit entries" if chain is PAYMENTS else f"{noun}s"
    while True:
        (batch,) = await run(session, _unsealed(chain), merchant_id, last, chain.reader, ROWS_AT_ONCE)
        for found in batch.passed:
            report.add(CHECK, f"{noun} {found}", "was put in behind the walk, or its seal was removed")
        report.counted[f"{plural} not sealed yet"] += batch.waiting
        if batch.last is None:
            return
        last = batch.last


def _walk(chain: Chain) -> str:
    table, key = chain.rows.table, chain.rows.key
    return f"""
SELECT s.position, s.{key} AS sealed_id, s.hash, {chain.selected}
FROM {chain.seals} s
LEFT JOIN {table} t ON t.merchant_id = s.merchant_id AND t.{key} = s.{key}
WHERE s.merchant_id = $1 AND s.position > $2
ORDER BY s.position
LIMIT $3
"""


def _unsealed(chain: Chain) -> str:
    table, key = chain.rows.table, chain.rows.key
    return f"""
WITH batch AS MATERIALIZED (
    SELECT t.{key} AS id, t.committed_in FROM {table} t
    WHERE t.merchant_id = $1 AND t.{key} > $2 ORDER BY t.{key} LIMIT $4
), unsealed AS MATERIALIZED (
    SELECT b.id, (b.committed_in, b.id) <= (c.committed_in, c.position) AS passed
    FROM batch b LEFT JOIN cursors c ON c.merchant_id = $1 AND c.reader = $3
    WHERE NOT EXISTS (SELECT FROM {chain.seals} s WHERE s.merchant_id = $1 AND s.{key} = b.id)
)
SELECT (SELECT max(id) FROM batch) AS last, ARRAY(SELECT id FROM unsealed WHERE passed ORDER BY 1) AS passed,
       (SELECT count(*) FROM unsealed WHERE passed IS NOT TRUE) AS waiting
"""
