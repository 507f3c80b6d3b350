"""Rows in which columns hold what they mostly do travel without them, and land as they would have."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from eci_payments.store.recordset import Field, Recordset
from eci_payments.store.session import run


@dataclass(frozen=True, slots=True)
class Note:
    name: str
    value: str = "usual"
    times: int = 0
    done: bool = True
    more: str | None = None


NOTES: Recordset[Note] = Recordset(
    "notes",
    (
        Field("name", "text", "name", str.upper),
        Field("value", "text", "value"),
        Field("times", "integer", "times"),
        Field("done", "boolean", "done"),
        Field("more", "text", "more"),
    ),
)
LEAN, fits = NOTES.lean({"times": 0, "done": True, "more": None})
ROWS = [Note("a"), Note("b", "other")]


def test_a_lean_row_travels_in_fewer_columns():
    assert NOTES.values(ROWS) == [["A", "B"], ("usual", "other"), (0, 0), (True, True), (None, None)]
    assert LEAN.values(ROWS) == [["A", "B"], ("usual", "other")]


@pytest.mark.parametrize("row", [Note("c", times=1), Note("c", done=False), Note("c", more="m")])
def test_a_row_that_differs_is_not_lean(row):
    assert all(map(fits, ROWS))
    assert not fits(row)


async def test_lean_rows_land_as_whole_ones(owner):
    async with owner.write() as session:
        await run(
            session, "CREATE TEMPORARY TABLE notes (name text, value text, times int, done bool, more text)"
        )
        for how in (NOTES, LEAN):
            await run(session, how.insert(1), *how.values(ROWS))
        found = [tuple(row) for row in await run(session, "SELECT * FROM notes")]
        await run(session, "DROP TABLE notes")
    assert found[:2] == found[2:]
    assert found[0] == ("A", "usual", 0, True, None)
