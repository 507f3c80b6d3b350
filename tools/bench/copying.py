"""Many payments with all the rows of a charge, by COPY: the rows of one real charge, made over again for each.

What names or orders a payment (ids, order, user, key, times, random text) is new in every copy; everything else is the
same. Indexes and keys are dropped before and made again after, word for word as the schema had them; foreign keys are
validated then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.pgbench import IDS, RANDOM
from bench.rows import ORDERED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from bench.rows import Row

FIRST_ID = 100_000
"""Above what the charge that was watched took from the sequences."""
STEP = timedelta(milliseconds=100)
"""Between two payments: ten a second."""
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
"""Before any run, so that what is charged now is newest."""
PIECE_ROWS = 1000
USERS = 50_000


@dataclass(frozen=True, slots=True)
class Copied:
    """One row of a charge as a line of COPY, with blanks (``%(order_id)s``) where payments differ."""

    table: str
    columns: tuple[str, ...]
    form: str


def forms(written: Sequence[Row]) -> list[Copied]:
    """The form of each row of this charge."""
    names = _random_names(written)
    seen: dict[str, int] = {}
    made = []
    for row in written:
        place = seen[row.table] = seen.get(row.table, -1) + 1
        cells = [_cell(row, column, place, names) for column in row.values]
        made.append(Copied(row.table, tuple(row.values), "\t".join(cells) + "\n"))
    return made


def _random_names(written: Sequence[Row]) -> dict[str, str]:
    """Every random text of the charge, wherever it appears, and the blank that stands for it."""
    return {
        value: f"%({column})s"
        for row in written
        for column in RANDOM
        if (value := row.values.get(column)) and len(value) > len(RANDOM[column])
    }


def _cell(row: Row, column: str, place: int, names: dict[str, str]) -> str:
    value = row.values[column]
    if value is None:
        return "\\N"
    if column in IDS:
        return "%(id)s"
    if column in ORDERED:
        return f"%(id{place})s"
    if column in {"order_id", "user_id"}:
        return f"%({column})s"
    if column == "key":
        return "%(order_id)s"
    if row.types[column].startswith("timestamp"):
        return "%(time)s"
    text = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("%", "%%")
    for random, blank in names.items():
        text = text.replace(random, blank)
    return text


def blanks(written: Sequence[Row]) -> Callable[[int], dict[str, str]]:
    """What the n-th payment fills in."""
    lengths = {
        column: len(row.values[column] or "")
        for row in written
        for column in RANDOM
        if row.values.get(column) is not None
    }

    def fill(number: int) -> dict[str, str]:
        identity = FIRST_ID + number
        # A walk through all 48-bit numbers in an order that looks random, so that indexes on random text grow as such.
        scattered = f"{(number * 0x9E3779B97F4B) % (1 << 48):015d}"
        filled = {
            "id": str(identity),
            "id0": str(2 * identity),
            "id1": str(2 * identity + 1),
            "order_id": f"large-{number:08d}",
            "user_id": str(100_000 + number % USERS),
            "time": (BEGAN + number * STEP).isoformat(" "),
        }
        for column, length in lengths.items():
            begin = RANDOM[column]
            filled[column] = f"{begin}{scattered:0>{length - len(begin)}}"[:length]
        return filled

    return fill


def pieces(form: Copied, filled: Sequence[dict[str, str]]) -> Iterator[bytes]:
    """The lines of one row of these payments, some at once."""
    for first in range(0, len(filled), PIECE_ROWS):
        yield "".join([form.form % each for each in filled[first : first + PIECE_ROWS]]).encode()


async def copy(owner: Any, written: Sequence[Row], numbers: range) -> None:
    """Copy these payments in, in one transaction."""
    fill = blanks(written)
    filled = [fill(number) for number in numbers]
    async with owner.transaction():
        for form in forms(written):
            await owner.copy_to_table(form.table, columns=form.columns, source=_each(form, filled))


async def _each(form: Copied, filled: Sequence[dict[str, str]]) -> AsyncIterator[bytes]:
    for piece in pieces(form, filled):
        yield piece


async def set_aside(owner: Any, tables: Sequence[str]) -> list[str]:
    """Drop the indexes and keys of these tables; the statements that make them again, in the order that works."""
    constraints = await owner.fetch(_CONSTRAINTS, list(tables))
    indexes = await owner.fetch(_INDEXES, list(tables))
    again = [
        *(row["again"] for row in constraints if row["kind"] != "f"),
        *(row["again"] for row in indexes),
        *(row["again"] for row in constraints if row["kind"] == "f"),
    ]
    async with owner.transaction():
        for row in sorted(constraints, key=lambda row: row["kind"] != "f"):
            await owner.execute(f"ALTER TABLE {row['place']} DROP CONSTRAINT {row['name']}")
        for row in indexes:
            await owner.execute(f"DROP INDEX {row['name']}")
    return again


async def put_back(owner: Any, again: Sequence[str]) -> None:
    """Make indexes and keys again, gather statistics, and let the sequences go on above what was copied."""
    await owner.execute("SET maintenance_work_mem = '1GB'")
    for statement in again:
        await owner.execute(statement)
    await owner.execute("VACUUM (ANALYZE)")


async def go_on_above(owner: Any, payments: int) -> None:
    """Let every sequence go on above the ids that were copied."""
    for row in await owner.fetch("SELECT sequencename FROM pg_sequences WHERE schemaname = current_schema()"):
        await owner.execute(
            "SELECT setval($1::regclass, $2)", row["sequencename"], 2 * (FIRST_ID + payments) + 2
        )


_CONSTRAINTS = """
SELECT c.conrelid::regclass::text AS place, quote_ident(c.conname) AS name, c.contype::text AS kind,
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
         AS again
FROM pg_constraint c
WHERE c.contype IN ('p', 'u', 'f') AND (c.conrelid::regclass::text = ANY ($1) OR c.confrelid::regclass::text = ANY ($1))
ORDER BY c.conrelid::regclass::text, c.contype
"""
_INDEXES = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS again
FROM pg_index i
WHERE i.indrelid::regclass::text = ANY ($1)
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u'))
ORDER BY 1
"""
