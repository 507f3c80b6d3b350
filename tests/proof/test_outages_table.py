"""What became of each outage, as rows of a table: what was found, what could not be tried, or not in time."""

from __future__ import annotations

import time

import pytest

from chaos.__main__ import ROOT, WHERE
from chaos.outcomes import LATE, Outcomes
from proof.parts import Row, lines


def report(name, outcome, longrepr=None, **told):
    return pytest.TestReport(
        f"tests/chaos/test_network.py::{name}",
        ("tests/chaos/test_network.py", 1, name),
        {},
        outcome,
        longrepr,
        "call",
        user_properties=list(told.items()),
    )


def rows(*reports) -> list[tuple[str, Row]]:
    outcomes = Outcomes(ends_at=time.monotonic() + 60)
    for each in reports:
        outcomes.pytest_runtest_logreport(each)
    return outcomes.rows(seed=7)


def test_an_outage_that_was_survived_says_how_often_and_under_what():
    ((part, row),) = rows(report("test_the_line_is_cut", "passed", times=3, under="90 requests"))
    again = 'make chaos CHAOS_ARGS="--seed 7 --only test_the_line_is_cut"'
    assert part == "network"
    assert row == Row("the line is cut: 90 requests", 3, (), "7", again)


def test_what_was_found_is_told_with_the_command_that_tries_it_again():
    ((_, row),) = rows(
        report("test_it_fails[gateway-half]", "failed", "assert [] == ['lost']\nmore", tried="a line")
    )
    assert row.found == ("call: assert [] == ['lost']",)
    assert row.tried == "a line"
    assert row.command.endswith("--only 'test_it_fails and gateway and half'\"")


@pytest.mark.parametrize(("why", "found"), [("pgbouncer is missing", ()), (LATE, (LATE,))])
def test_what_was_not_tried_says_why_and_is_wrong_only_where_it_could_have_been(why, found):
    skipped = ("tests/chaos/test_network.py", 1, f"Skipped: {why}")
    ((_, row),) = rows(report("test_it", "skipped", skipped))
    assert (row.untried, row.times, row.found) == (why, 0, found)
    assert why in lines([("network", row)])[-1]


def test_no_outage_is_begun_after_the_end():
    with pytest.raises(pytest.skip.Exception, match=LATE):
        Outcomes(ends_at=time.monotonic()).pytest_runtest_setup()


def test_every_file_of_outages_is_there():
    assert [each for each in WHERE if not (ROOT / each).exists()] == []
