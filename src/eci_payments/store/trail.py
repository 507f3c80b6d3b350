"""Walking the audit trail in the order of its commits: a reader's place, and how it moves on.

Readers walk by ``(committed_in, transaction_log_id)`` and stop at the oldest transaction still running anywhere in the
cluster, so that a row which commits late is never skipped. Two rows of one payment can stand in the walk in the wrong
order (a transaction may get its number before it waits for the payment's lock): a reader must not depend on it.
A transaction that stays open, also in another database of the cluster, holds all readers up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader has come in one merchant's trail; ``committed_in`` is a transaction number as text."""

    merchant_id: int
    committed_in: str
    position: int


AFTER = "(t.committed_in, t.transaction_log_id) > ({0}, {1})"
"""What lies behind a place; to be filled with its two columns or parameters."""
SETTLED = "t.committed_in < pg_snapshot_xmin(pg_current_snapshot())"
"""What no transaction can add to any more."""


async def claim_place(session: WriteSession, reader: str) -> Place | None:
    """The place of one merchant whose trail goes on, locked for this transaction; None when there is none to be had.

    Places that somebody else has are passed over, so that any number of workers walk side by side.
    """
    await run(session, _ADD_PLACES, reader)
    rows = await run(session, _CLAIM, reader)
    await run(session, _PLAN_BY_INDEX)
    return Place(rows[0].merchant_id, rows[0].committed_in, rows[0].position) if rows else None


async def move_place(session: WriteSession, reader: str, place: Place) -> None:
    """Where the reader goes on the next time."""
    await run(
        session,
        "UPDATE cursors SET committed_in = $3::text::xid8, position = $4 WHERE merchant_id = $1 AND reader = $2",
        place.merchant_id,
        reader,
        place.committed_in,
        place.position,
    )


async def rows_behind(session: ReadSession | WriteSession, reader: str) -> int:
    """How many rows of the trail the reader has not walked yet, over all merchants."""
    (row,) = await run(session, _BEHIND, reader)
    return int(row.behind)


_PLAN_BY_INDEX = """
SELECT set_config('enable_sort', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)
"""
"""For this transaction: a batch is read in the order of its index and ends at its limit, and is planned for tables as
large as they are now. Else, where statistics are missing or a plan was made when the tables were empty, each batch
would read all that is left of the trail, and sort it."""

_ADD_PLACES = """
INSERT INTO cursors (merchant_id, reader) SELECT m.merchant_id, $1 FROM merchants m
WHERE NOT EXISTS (SELECT FROM cursors c WHERE c.merchant_id = m.merchant_id AND c.reader = $1)
ON CONFLICT DO NOTHING
"""
_CLAIM = f"""
SELECT c.merchant_id, c.committed_in::text AS committed_in, c.position
FROM cursors c
WHERE c.reader = $1 AND EXISTS (
    SELECT FROM transactions t
    WHERE t.merchant_id = c.merchant_id AND {AFTER.format("c.committed_in", "c.position")} AND {SETTLED}
)
ORDER BY c.committed_in, c.merchant_id
LIMIT 1
FOR UPDATE OF c SKIP LOCKED
"""
_BEHIND = f"""
SELECT count(*) AS behind
FROM merchants m
LEFT JOIN cursors c ON c.merchant_id = m.merchant_id AND c.reader = $1
JOIN transactions t ON t.merchant_id = m.merchant_id
                   AND {AFTER.format("coalesce(c.committed_in, '0'::xid8)", "coalesce(c.position, 0)")}
"""
