"""What a merchant limits, at the command line: set, listed, removed, in the trail, by the owner only."""

from __future__ import annotations

import pytest

from support.processes import plain_environment, run_command


@pytest.fixture
def limits(tmp_path, database):
    environment = plain_environment(
        DATA_DIR=tmp_path, DATABASE_URL=database.service_url, MIGRATION_DATABASE_URL=database.owner_url
    )

    def command(*arguments, code=0, **changed):
        done = run_command(*arguments, environment=environment | changed)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return command


def test_a_threshold_is_set_listed_changed_and_removed(limits):
    assert "refund-approval" in limits("limits", "--help")
    assert "above 5000.00 INR" in limits("limits", "refund-approval", "INR", "5000")
    limits("limits", "refund-approval", "JPY", "0")
    limits("limits", "refund-approval", "INR", "149.50")
    assert limits("limits", "list").splitlines() == [
        "refund_approval  above 149.50 INR",
        "refund_approval  above 0 JPY",
    ]
    limits("limits", "remove", "refund_approval", "JPY")
    assert "has no limit" in limits("limits", "remove", "refund_approval", "JPY", code=1)
    trail = limits("audit", "events")
    assert trail.count("limit set") == 3
    assert trail.count("limit removed") == 1


def test_only_the_owner_limits(limits, service_url):
    said = limits("limits", "refund-approval", "INR", "5", code=1, MIGRATION_DATABASE_URL=service_url)
    assert "only the owner" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("INR", "1.001"), 2), (("XAU", "5"), 2), (("INR", "-1"), 2), (("INR", "1e3"), 2)],
)
def test_what_is_no_money_is_refused(limits, arguments, code):
    limits("limits", "refund-approval", *arguments, code=code)
