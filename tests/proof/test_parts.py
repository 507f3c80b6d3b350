"""The one table: what each part told, whether they were run together or one by one."""

from __future__ import annotations

import pytest

from proof import parts
from proof.parts import Part, Row


@pytest.fixture(autouse=True)
def own_reports(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "REPORTS", tmp_path)
    monkeypatch.setattr(parts, "TABLE", tmp_path / "proof.md")


def part(name):
    return Part(name, "", lambda _parser: None, lambda _asked: [])


def test_what_parts_told_one_by_one_makes_one_table():
    first, second = part("first"), part("second")
    parts.keep(first, [Row("crashes", 12, ("lost | money",), "7", "again 7")], 4.2)
    assert len(parts.table([first, second])) == 3 + 2
    parts.keep(second, [Row("races", 5)], 1.0)
    parts.keep(second, [Row("races", 6)], 2.0)
    parts.write([first, second])
    lines = parts.TABLE.read_text().splitlines()
    assert "| first | crashes | 12 | lost \\| money | 7 | `again 7` |" in lines
    assert "| second | races | 6 | nothing |  |  |" in lines
    assert lines[-1] == "Took: first 4 s, second 2 s."


def test_a_new_run_of_everything_forgets_what_was_told():
    first = part("first")
    parts.keep(first, [Row("crashes", 12)], 1.0)
    parts.forget([first])
    assert not any("crashes" in line for line in parts.table([first]))
