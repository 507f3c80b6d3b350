"""Walking a table that grows in the order of its commits: a reader's place, and how it moves on.

Readers walk by ``(committed_in, id)`` and stop at the oldest transaction still running anywhere in the
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
    """How far a reader has come in one merchant's rows; ``committed_in`` is a transaction number as text."""

    merchant_id: int
    committed_in: str
    position: int


@dataclass(frozen=True, slots=True)
class Grown:
    """A table whose rows are walked: its name, and the columns of a row's id and time."""

    table: str
    key: str
    time: str

    def after(self, committed_in: str, position: str) -> str:
        """What lies behind a place, which is given as two columns or parameters."""
        return f"(t.committed_in, t.{self.key}) > ({committed_in}, {position})"


TRANSACTIONS = Grown("transactions", "transaction_log_id", "created_at")
AFTER = TRANSACTIONS.after("{0}", "{1}")
"""What lies behind a place in ``transactions``; to be filled with its two columns or parameters."""
SETTLED = "t.committed_in < pg_snapshot_xmin(pg_current_snapshot())"
"""What no transaction can add to any more."""


async def claim_place(session: WriteSession, reader: str, rows: Grown = TRANSACTIONS) -> Place | None:
    """The place of one merchant whose rows go on, locked for this transaction; None when there is none to be had.

    Places that somebody else has are passed over, so that any number of workers walk side by side.
    """
    await run(session, _ADD_PLACES, reader)
    found = await run(session, _claim(rows), reader)
    await run(session, _PLAN_BY_INDEX)
    return Place(found[0].merchant_id, found[0].committed_in, found[0].position) if found else None


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


async def rows_behind(session: ReadSession | WriteSession, reader: str, rows: Grown = TRANSACTIONS) -> int:
    """How many rows the reader has not walked yet, over all merchants."""
    (row,) = await run(session, _behind(rows), reader)
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


def _claim(rows: Grown) -> str:
    return f"""
SELECT c.merchant_id, c.committed_in::text AS committed_in, c.position
FROM cursors c
WHERE c.reader = $1 AND EXISTS (
    SELECT FROM {rows.table} t
    WHERE t.merchant_id = c.merchant_id AND {rows.after("c.committed_in", "c.position")} AND {SETTLED}
)
ORDER BY c.committed_in, c.merchant_id
LIMIT 1
FOR UPDATE OF c SKIP LOCKED
"""


def _behind(rows: Grown) -> str:
    return f"""
SELECT count(*) AS behind
FROM merchants m
LEFT JOIN cursors c ON c.merchant_id = m.merchant_id AND c.reader = $1
JOIN {rows.table} t ON t.merchant_id = m.merchant_id
                   AND {rows.after("coalesce(c.committed_in, '0'::xid8)", "coalesce(c.position, 0)")}
"""
