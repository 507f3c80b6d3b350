"""What became of each test, as rows of the one table."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proof.parts import Row

COMMAND = 'make chaos CHAOS_ARGS="{}"'
LATE = "the time for all of them was over"


@dataclass(slots=True)
class Outcome:
    """One test: what it told of itself, and how it ended."""

    told: dict[str, object] = field(default_factory=dict)
    failed: str = ""
    untried: str = ""


@dataclass(slots=True, eq=False)
class Outcomes:
    """A plugin of pytest that remembers. After ``ends_at`` (of the monotonic clock) no test is begun."""

    ends_at: float
    seen: dict[str, Outcome] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Begin no test too late."""
        if time.monotonic() > self.ends_at:
            raise pytest.skip.Exception(LATE, _use_item_location=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what a test told, and why it failed or was skipped."""
        outcome = self.seen.setdefault(report.nodeid, Outcome())
        outcome.told |= dict(report.user_properties)
        if report.failed:
            outcome.failed = f"{report.when}: {_last_line(report)}"
        elif report.skipped:
            outcome.untried = _why(report)

    def rows(self, seed: int) -> list[tuple[str, Row]]:
        """A row for each, with the name of its part."""
        return [(_part(name), _row(name, outcome, seed)) for name, outcome in self.seen.items()]


def _row(name: str, outcome: Outcome, seed: int) -> Row:
    told = outcome.told
    tried = ", ".join(str(told[key]) for key in ("tried", "under", "noted") if key in told)
    if "tried" not in told:
        tried = f"{_words(name)}{f': {tried}' if tried else ''}"
    found = [outcome.failed] if outcome.failed else [LATE] if outcome.untried == LATE else []
    times = 0 if outcome.untried else int(str(told.get("times", 1)))
    only = f"--seed {seed} --only {shlex.quote(_only(name))}"
    return Row(tried, times, tuple(found), str(seed), COMMAND.format(only), outcome.untried)


def _part(name: str) -> str:
    return Path(name.partition("::")[0]).stem.removeprefix("test_").replace("_", " ")


def _words(name: str) -> str:
    """The sentence that a test's name is."""
    return name.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def _only(name: str) -> str:
    """What chooses this test: its function's name, and its parameters if there are any."""
    function, _, parameters = name.rpartition("::")[2].rstrip("]").partition("[")
    return " and ".join([function, *(part for part in parameters.split("-") if part)])


def _last_line(report: pytest.TestReport) -> str:
    said = getattr(report.longrepr, "reprcrash", None)
    return str(said.message if said else report.longreprtext).splitlines()[0]


def _why(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return reason.removeprefix("Skipped: ")
