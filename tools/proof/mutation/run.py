"""Takes each guard away in a copy of the service, and runs the tests that have to notice."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eci_payments.store.embedded import EmbeddedPostgres
from proof.mutation.guards import GUARDS
from proof.parts import REPORTS, Part, Row

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

    from proof.mutation.guards import Guard

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "src"
PACKAGE = "eci_payments"
REPORT = REPORTS / "guards.md"
COMMAND = "PYTHONPATH=tools python -m proof mutate"
SERVER_VARIABLE = "ECI_TEST_POSTGRES_DIR"
"""Where the tests find the PostgreSQL that all runs share."""
TEST_TIMEOUT_S = 60
"""One test without its guard may hang; it is then noticed."""
RUN_TIMEOUT_S = 600
ALL_TIMEOUT_S = 3600
"""For all of the tests at once, with every guard in place."""
SOUND_TIMEOUT_S = 300
"""One test with every guard in place: on a busy machine it is slow, and says nothing wrong by that."""
PASSED, FAILED = 0, 1
"""Exit codes of pytest; any other means that it could not run."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which test noticed first, or what is wrong."""

    guard: Guard
    noticed_by: str = ""
    wrong: str = ""


def unfit(guard: Guard, sources: Path = SOURCES) -> str | None:
    """Why this guard cannot be taken away as it is written down; None when it can."""
    times = (sources / PACKAGE / guard.file).read_text().count(guard.text)
    if times != 1:
        return f"its text stands {times} times in {guard.file}"
    missing = [test for test in guard.tests if not (ROOT / test).exists()]
    return f"there is no {', '.join(missing)}" if missing else None


@contextmanager
def without(guard: Guard | None) -> Iterator[Path]:
    """A copy of the sources without this guard."""
    folder = Path(tempfile.mkdtemp(prefix="eci-mutation-"))
    try:
        shutil.copytree(
            SOURCES / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
        if guard is not None:
            path = folder / PACKAGE / guard.file
            path.write_text(path.read_text().replace(guard.text, guard.without))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judge(guard: Guard, server: str) -> Verdict:
    """Run the tests without the guard. ``server``: the folder of the PostgreSQL that they use."""
    reason = unfit(guard)
    if reason is not None:
        return Verdict(guard, wrong=reason)
    with without(guard) as sources:
        code, said = _tests(sources, guard.tests, server)
    if code == FAILED:
        return Verdict(guard, noticed_by=_first_failure(said))
    if code == PASSED:
        return Verdict(guard, wrong=f"nothing of {', '.join(guard.tests)} notices")
    return Verdict(guard, wrong=f"the tests did not run: {said[-300:]}")


def _tests(
    sources: Path,
    tests: Sequence[str],
    server: str,
    timeout_s: float = RUN_TIMEOUT_S,
    test_timeout_s: float = TEST_TIMEOUT_S,
) -> tuple[int, str]:
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["--no-header", "--tb=no", f"--timeout={test_timeout_s}", *tests]
    paths = os.pathsep.join([str(sources), str(ROOT / "tools"), str(ROOT / "tests")])
    environment = os.environ | {"PYTHONPATH": paths, SERVER_VARIABLE: server}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        return FAILED, f"FAILED (the tests did not end within {timeout_s:g} s)"
    return done.returncode, done.stdout + done.stderr


def _first_failure(said: str) -> str:
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", said, re.MULTILINE)
    return found[1] if found else "?"


def run(asked: Namespace) -> Sequence[Row]:
    """Every guard that is asked for."""
    chosen = [guard for guard in GUARDS if asked.only in guard.name]
    folder = Path(tempfile.mkdtemp(prefix="eci-mutation-"))
    folder.chmod(0o711)
    try:
        with EmbeddedPostgres(str(folder), durable=False, ephemeral=True):
            sound = _sound(chosen, str(folder))
            verdicts = [] if sound else [_told(judge(guard, str(folder))) for guard in chosen]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _report(verdicts)
    found = (*sound, *(f"{verdict.guard.name}: {verdict.wrong}" for verdict in verdicts if verdict.wrong))
    command = f"{COMMAND} --only {shlex.quote(asked.only)}" if asked.only else COMMAND
    return [Row("guards of our own, taken away one at a time", len(verdicts), found, command=command)]


def _sound(guards: Sequence[Guard], server: str) -> tuple[str, ...]:
    """The tests with every guard in place: what fails then says nothing of any."""
    tests = sorted({test for guard in guards for test in guard.tests})
    with without(None) as sources:
        code, said = _tests(sources, tests, server, ALL_TIMEOUT_S, SOUND_TIMEOUT_S)
    return () if code == PASSED else (f"with all guards in place: {_first_failure(said)} {said[-300:]}",)


def _told(verdict: Verdict) -> Verdict:
    word = f"WRONG: {verdict.wrong}" if verdict.wrong else verdict.noticed_by
    print(f"{time.strftime('%H:%M:%S')}  {verdict.guard.name}  →  {word}", flush=True)
    return verdict


def _report(verdicts: Sequence[Verdict]) -> None:
    lines = ["# Guards, each taken away", "", "| guard | where | noticed by |", "| --- | --- | --- |"]
    lines += [
        f"| {v.guard.name} | `{v.guard.file}` | {f'**{v.wrong}**' if v.wrong else f'`{v.noticed_by}`'} |"
        for v in verdicts
    ]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(lines) + "\n")


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--only", default="", help="only guards in whose name this occurs")


PART = Part("mutate", "take each of our own guards away: some test has to notice", _arguments, run)
