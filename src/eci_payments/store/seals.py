"""Sealing: audit rows are bound into hash chains, one per merchant and kind, off the hot path, at most once each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.store.seal_chain import CHAINS, Chain, row_hash
from eci_payments.store.session import run
from eci_payments.store.trail import SETTLED, Place, claim_place, move_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.store.session import ReadSession, WriteSession


async def seal(session: WriteSession, limit: int = 1000) -> int:
    """Seal up to ``limit`` rows of each chain, of one merchant; how many were walked, 0 when nothing is to do now.

    Each chain has its turn in every call: one that never ends, as charges do all day, does not keep the other unsealed.

    One transaction of the caller's; a merchant whose place somebody else holds is passed over. A row that has its
    seal already (the place was put back after a restore) is walked and left alone.
    """
    return sum([await _seal(session, chain, limit) for chain in CHAINS])


async def oldest_unsealed_s(session: ReadSession | WriteSession) -> float:
    """The age in seconds of the oldest row that no walk has reached yet; 0 when there is none."""
    ages = [(await run(session, _oldest(chain), chain.reader))[0].age_s for chain in CHAINS]
    return float(max(ages))


async def _seal(session: WriteSession, chain: Chain, limit: int) -> int:
    place = await claim_place(session, chain.reader, chain.rows)
    if place is None:
        return 0
    rows = await run(session, batch_sql(chain), place.merchant_id, place.committed_in, place.position, limit)
    await _append(session, chain, place.merchant_id, [row for row in rows if not row.sealed])
    if rows:
        last = Place(place.merchant_id, rows[-1].committed_in, getattr(rows[-1], chain.rows.key))
        await move_place(session, chain.reader, last)
    return len(rows)


async def _append(session: WriteSession, chain: Chain, merchant_id: int, rows: Sequence[Any]) -> None:
    last = await run(
        session,
        f"SELECT position, hash FROM {chain.seals} WHERE merchant_id = $1 ORDER BY position DESC LIMIT 1",
        merchant_id,
    )
    position, previous = (last[0].position, last[0].hash) if last else (0, chain.genesis)
    hashes = []
    for row in rows:
        previous = row_hash(chain, previous, row)
        hashes.append(previous)
    ids = [getattr(row, chain.rows.key) for row in rows]
    await run(session, _insert(chain), merchant_id, position, ids, hashes)


def batch_sql(chain: Chain) -> str:
    """Reads the next rows behind a place, in the order of the index over commits."""
    table, key = chain.rows.table, chain.rows.key
    return f"""
SELECT {chain.selected}, t.committed_in::text AS committed_in, (
    SELECT true FROM {chain.seals} s WHERE s.merchant_id = t.merchant_id AND s.{key} = t.{key}
) AS sealed
FROM {table} t
WHERE t.merchant_id = $1 AND {chain.rows.after("$2::text::xid8", "$3::bigint")} AND {SETTLED}
ORDER BY t.committed_in, t.{key}
LIMIT $4
"""


def _insert(chain: Chain) -> str:
    return f"""
INSERT INTO {chain.seals} (merchant_id, position, {chain.rows.key}, hash)
SELECT $1, $2 + r.place, r.id, r.hash
FROM unnest($3::bigint[], $4::bytea[]) WITH ORDINALITY AS r (id, hash, place)
"""


def _oldest(chain: Chain) -> str:
    rows = chain.rows
    return f"""
SELECT coalesce(extract(epoch FROM now() - min(waiting.since)), 0)::float8 AS age_s
FROM merchants m
LEFT JOIN cursors c ON c.merchant_id = m.merchant_id AND c.reader = $1
CROSS JOIN LATERAL (
    SELECT t.{rows.time} AS since FROM {rows.table} t
    WHERE t.merchant_id = m.merchant_id
      AND {rows.after("coalesce(c.committed_in, '0'::xid8)", "coalesce(c.position, 0)")}
    ORDER BY t.committed_in, t.{rows.key}
    LIMIT 1
) waiting
"""
