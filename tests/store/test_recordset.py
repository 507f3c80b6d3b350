"""Rows in which columns hold what they mostly do travel without them, and land as they would have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from eci_payments.store.recordset import Field, Moment, Recordset
from eci_payments.store.session import run


@dataclass(frozen=True, slots=True)
class Note:
    name: str
    value: str = "usual"
    times: int = 0
    done: bool = True
    more: str | None = None
    at: datetime | None = None


NOW = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
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
    assert fits(ROWS, NOW)
    assert not fits([*ROWS, row], NOW)


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


AT: Field[Note] = Field("at", "timestamptz", "at")
TIMED: Recordset[Note] = Recordset("notes", (*NOTES.fields, AT))
JUST, just = TIMED.lean({"value": "usual", "more": None, "at": Moment.NOW})


def test_a_row_of_the_transaction_s_own_time_travels_without_it():
    assert just([Note("a", at=NOW), Note("b", at=NOW)], NOW)
    assert not just([Note("a", at=NOW), Note("b", at=NOW + timedelta(microseconds=1))], NOW)
    assert not just([Note("a", "other", at=NOW)], NOW)
    assert [field.name for field in JUST.fields] == ["name", "times", "done"]


async def test_usual_values_are_written_over_others_too(owner):
    async with owner.write() as session:
        await run(
            session,
            "CREATE TEMPORARY TABLE notes (name text, value text, times int, done bool, more text, at timestamptz)",
        )
        await run(
            session,
            "INSERT INTO notes VALUES ('A', 'x', 1, true, 'y', 'epoch'), ('B', 'x', 1, true, 'y', NULL)",
        )
        await run(
            session, JUST.update(1, ["name"], "t.times = 1", ["done"]), *JUST.values([Note("a", times=7)])
        )
        found = [
            tuple(row) for row in await run(session, "SELECT n.*, n.at = now() FROM notes n ORDER BY name")
        ]
        await run(session, "DROP TABLE notes")
    assert [(*row[:5], row[6]) for row in found] == [
        ("A", "usual", 7, True, None, True),
        ("B", "x", 1, True, "y", None),
    ]
