"""The list of guards fits the code, and one that nothing notices is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from proof.mutation import run
from proof.mutation.guards import GUARDS, Guard


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_each_guard_can_be_taken_away(guard: Guard):
    assert run.unfit(guard) is None
    assert guard.without != guard.text


def test_names_are_apart():
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)


def test_the_copy_lacks_the_guard_and_nothing_else():
    guard = GUARDS[0]
    with run.without(guard) as sources:
        changed = sources / run.PACKAGE / guard.file
        assert changed.read_text() == (run.SOURCES / run.PACKAGE / guard.file).read_text().replace(
            guard.text, guard.without
        )
        files = {path.relative_to(sources): path.read_bytes() for path in sources.rglob("*.py")}
    assert [path for path, content in files.items() if (run.SOURCES / path).read_bytes() != content] == [
        Path(run.PACKAGE, guard.file)
    ]


def test_what_is_not_there_any_more_is_told():
    gone = replace(GUARDS[0], text="a guard that somebody has rewritten")
    assert "stands 0 times" in (run.unfit(gone) or "")
    assert "there is no" in (run.unfit(replace(GUARDS[0], tests=("tests/nowhere.py",))) or "")


def test_a_guard_that_nothing_notices_is_wrong_and_one_that_is_noticed_names_the_test(tmp_path):
    server = str(tmp_path)
    bound = Guard(
        "the pause of a breaker has a bound",
        "domain/breaker.py",
        "self._pause_s = min(self._pause_s * 2, MAX_PAUSE_S)",
        "self._pause_s = self._pause_s * 2",
        ("tests/domain/test_breaker.py",),
    )
    assert run.judge(bound, server).noticed_by.startswith("tests/domain/test_breaker.py::")
    elsewhere = run.judge(replace(bound, tests=("tests/domain/test_ids.py",)), server)
    assert elsewhere.wrong == "nothing of tests/domain/test_ids.py notices"
