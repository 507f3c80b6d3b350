"""The table of crashes and faults as it is run, told while it runs, and written as a report."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from proof import crash
from proof.crew import work
from proof.parts import REPORTS, Part, Row
from proof.place import server

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Sequence

    from proof.crash import Case, Verdict
    from proof.place import Server

COMMAND = "PYTHONPATH=tools python -m proof crash"
SAID_EVERY = 250
"""Cases: a line in two or three minutes."""
NAMED = 3
"""So many of the cases that are wrong stand in the one table; all of them stand in this part's own report."""


@dataclass
class Table:
    """All verdicts of one run of the table."""

    on: Server
    workers: int
    only: str = ""
    verdicts: list[Verdict] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    done: int = 0

    def run(self) -> None:
        """Everything: traces, crashes, crashes of recovery, crashes of the recovery of recovery."""
        traced = self.trace([case for case in crash.traces() if self.only in str(case)], learn=False)
        self.crash(crash.crashes(traced), "crashes")
        first = self.trace(crash.recoveries(traced))
        self.crash(crash.deeper(first), "crashes of recovery")
        second = self.trace(crash.again(first))
        self.crash(crash.deeper(second), "crashes of the recovery of recovery")

    def run_sample(self) -> None:
        """The traces without faults, one crash for each kind of point, and one operation under every fault."""
        traced = self.trace([case for case in crash.traces(faults=False) if self.only in str(case)])
        self.crash(crash.sample(crash.crashes(traced)), "crashes")
        self.crash(crash.under_every_fault(), "runs under a fault")

    def run_only(self, cases: Sequence[Case]) -> None:
        """These cases."""
        self.crash(cases, "cases")

    def trace(self, cases: Sequence[Case], *, learn: bool = True) -> list[Verdict]:
        """Run these without a crash in their last life; with ``learn`` only to know its points."""
        traced = work(self.on, cases, self.workers, learn=learn, told=self._told) if cases else []
        self.verdicts += traced
        print(f"{self._now()}  {len(traced)} runs to learn the points", flush=True)
        return [verdict for verdict in traced if not verdict.wrong]

    def crash(self, cases: Sequence[Case], what: str) -> None:
        """Run these."""
        self.verdicts += work(self.on, cases, self.workers, told=self._told) if cases else []
        print(f"{self._now()}  {len(cases)} {what}", flush=True)

    @property
    def wrong(self) -> list[Verdict]:
        """The cases in which something was found."""
        return [verdict for verdict in self.verdicts if verdict.wrong]

    def _told(self, verdict: Verdict) -> None:
        self.done += 1
        if self.done % SAID_EVERY == 0:
            print(f"{self._now()}  {self.done} cases so far", flush=True)
        if verdict.wrong:
            print(f"WRONG  {verdict.case}\n       {verdict.word}", flush=True)

    def _now(self) -> str:
        return f"{time.monotonic() - self.begun:6.0f} s"


def summary(verdicts: Iterable[Verdict]) -> list[str]:
    """One row for each operation and fault: how many crash cases, how many wrong."""
    cases: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    depths: Counter[tuple[str, str, int]] = Counter()
    for verdict in verdicts:
        place = (verdict.case.scenario, verdict.case.fault or "none")
        if verdict.case.dies[-1] is not None and not verdict.missed:
            cases[place] += 1
            depths[(*place, len(verdict.case.dies))] += 1
        wrong[place] += bool(verdict.wrong)
    rows = [
        "| operation | fault | crashes | in recovery | in its recovery | wrong |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    rows += [
        f"| {name} | {fault} | {depths[name, fault, 1]} | {depths[name, fault, 2]} | {depths[name, fault, 3]}"
        f" | {wrong[name, fault]} |"
        for name, fault in sorted(cases, key=lambda place: (place[1] != "none", place))
    ]
    return rows


def write(path: Path, verdicts: Sequence[Verdict], seconds: float) -> None:
    """The report: the summary, and every case with its verdict."""
    crashed = sum(verdict.case.dies[-1] is not None and not verdict.missed for verdict in verdicts)
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    missed = sum(bool(verdict.missed) for verdict in verdicts)
    said = (
        f"{crashed} crashes (each a SIGKILL of a real process) and {len(verdicts) - crashed} runs without one,"
        f" in {seconds:.0f} s. Wrong: {wrong}. Of points that only some runs pass, {missed} were not passed again in"
        f" {crash.ATTEMPTS} attempts: these were audited without a crash."
    )
    head = ["# Crashes and faults", "", said, "", *summary(verdicts), ""]
    every = ["| operation | fault | dies at | verdict |", "| --- | --- | --- | --- |", *map(_row, verdicts)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*head, *every]) + "\n")


def _row(verdict: Verdict) -> str:
    case = verdict.case
    dies = " → ".join(point or "nothing" for point in case.dies)
    return f"| {case.scenario} | {case.fault or 'none'} | {dies} | {verdict.word} |"


def rows(verdicts: Iterable[Verdict]) -> list[Row]:
    """What this part tells the one table: the runs without a crash, and the crashes by how deep they were."""
    names = (
        "runs under every fault",
        "crashes",
        "crashes in recovery",
        "crashes in the recovery of recovery",
    )
    by_depth: dict[int, list[Verdict]] = {}
    for verdict in verdicts:
        depth = 0 if verdict.case.dies[-1] is None or verdict.missed else len(verdict.case.dies)
        by_depth.setdefault(depth, []).append(verdict)
    return [_told(names[depth], by_depth[depth]) for depth in sorted(by_depth)]


def _told(name: str, verdicts: Sequence[Verdict]) -> Row:
    wrong = [verdict for verdict in verdicts if verdict.wrong]
    only = f" --only {shlex.quote(wrong[0].case.scenario)}" if wrong else ""
    return Row(name, len(verdicts), tuple(str(v.case) for v in wrong[:NAMED]), command=f"{COMMAND}{only}")


def arguments(parser: ArgumentParser) -> None:
    """What the table can be asked with."""
    parser.add_argument("--sample", action="store_true", help="one case for each kind of point")
    parser.add_argument("--only", default="", help="only operations and faults in whose name this occurs")
    parser.add_argument("--json", type=Path, help="also write every verdict here")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))


def run(asked: Namespace) -> list[Row]:
    """Run the table, or what is asked of it."""
    begun = time.monotonic()
    with server() as on:
        made = Table(on, asked.workers, asked.only)
        made.run_sample() if asked.sample else made.run()
    report = REPORTS / "crash-table.md"
    write(report, made.verdicts, time.monotonic() - begun)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(verdict) for verdict in made.verdicts]))
    missed = sum(bool(verdict.missed) for verdict in made.verdicts)
    print(
        f"{len(made.verdicts)} cases, {len(made.wrong)} wrong, {missed} {crash.NOT_PASSED}; the table is in {report}"
    )
    return rows(made.verdicts)


PART = Part("crash", "kill the service at every commit and call of every operation", arguments, run)
