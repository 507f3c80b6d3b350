"""Sealing: audit rows are bound into a hash chain per merchant, off the hot path, at most once each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.store.seal_chain import GENESIS, SELECTED, row_hash
from eci_payments.store.session import run
from eci_payments.store.trail import AFTER, SETTLED, Place, claim_place, move_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.store.session import ReadSession, WriteSession

READER = "seals"
"""Whose place in the walk over ``transactions`` the cursor keeps."""


async def seal(session: WriteSession, limit: int = 1000) -> int:
    """Seal up to ``limit`` rows of one merchant's trail; how many were walked, 0 when there is nothing to do now.

    One transaction of the caller's; a merchant whose place somebody else holds is passed over. A row that has its
    seal already (the place was put back after a restore) is walked and left alone.
    """
    place = await claim_place(session, READER)
    if place is None:
        return 0
    rows = await run(session, _BATCH, place.merchant_id, place.committed_in, place.position, limit)
    await _append(session, place.merchant_id, [row for row in rows if not row.sealed])
    if rows:
        last = Place(place.merchant_id, rows[-1].committed_in, rows[-1].transaction_log_id)
        await move_place(session, READER, last)
    return len(rows)


async def oldest_unsealed_s(session: ReadSession | WriteSession) -> float:
    """The age in seconds of the oldest row that the walk has not reached yet; 0 when there is none."""
    (row,) = await run(session, _OLDEST, READER)
    return float(row.age_s)


async def _append(session: WriteSession, merchant_id: int, rows: Sequence[Any]) -> None:
    last = await run(session, _LAST, merchant_id)
    position, previous = (last[0].position, last[0].hash) if last else (0, GENESIS)
    hashes = []
    for row in rows:
        previous = row_hash(previous, row)
        hashes.append(previous)
    ids = [row.transaction_log_id for row in rows]
    await run(session, _INSERT, merchant_id, position, ids, hashes)


_BATCH = f"""
SELECT {SELECTED}, t.committed_in::text AS committed_in, (
    SELECT true FROM audit_seals s
    WHERE s.merchant_id = t.merchant_id AND s.transaction_log_id = t.transaction_log_id
) AS sealed
FROM transactions t
WHERE t.merchant_id = $1 AND {AFTER.format("$2::text::xid8", "$3::bigint")} AND {SETTLED}
ORDER BY t.committed_in, t.transaction_log_id
LIMIT $4
"""
_LAST = "SELECT position, hash FROM audit_seals WHERE merchant_id = $1 ORDER BY position DESC LIMIT 1"
_INSERT = """
INSERT INTO audit_seals (merchant_id, position, transaction_log_id, hash)
SELECT $1, $2 + r.place, r.id, r.hash
FROM unnest($3::bigint[], $4::bytea[]) WITH ORDINALITY AS r (id, hash, place)
"""
_OLDEST = f"""
SELECT coalesce(extract(epoch FROM now() - min(waiting.created_at)), 0)::float8 AS age_s
FROM merchants m
LEFT JOIN cursors c ON c.merchant_id = m.merchant_id AND c.reader = $1
CROSS JOIN LATERAL (
    SELECT t.created_at FROM transactions t
    WHERE t.merchant_id = m.merchant_id
      AND {AFTER.format("coalesce(c.committed_in, '0'::xid8)", "coalesce(c.position, 0)")}
    ORDER BY t.committed_in, t.transaction_log_id
    LIMIT 1
) waiting
"""
