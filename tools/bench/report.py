"""The numbers of a run, as a table for people and JSON for machines."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.figures import FIGURES, Result, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.figures import Figure
    from bench.runs import Run


@dataclass(frozen=True, slots=True)
class Report:
    """``rounds``: by contender, one run per round, in order. ``notes`` is what else was measured, by its name."""

    figures: Sequence[Figure]
    rounds: Mapping[str, Sequence[Run]]
    setting: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def results(self) -> list[Result]:
        """Every figure, judged."""
        return [judge(figure, self.rounds) for figure in self.figures]

    def text(self) -> str:
        """The contenders, then the figures beside their targets."""
        return "\n".join(
            [*_contenders(self.rounds), "", *_table(self.results), *said_of_processes(self.rounds)]
        )

    def json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "setting": self.setting | machine(),
            "figures": {each.figure.name: _numbers(each) for each in self.results},
            "notes": self.notes,
            "rounds": {name: list(runs) for name, runs in self.rounds.items()},
        }


def read(kept: Mapping[str, Any]) -> Report:
    """The report that wrote this JSON, judged anew. A figure that is no longer asked for is left out."""
    figures = [figure for figure in FIGURES if figure.name in kept["figures"]]
    return Report(figures, kept["rounds"], kept["setting"], kept["notes"])


NOT_SAID = ("--json", "--folder", "--keep")
"""Where files lie is the machine's affair."""


def asked_as(verb: str, arguments: Sequence[str]) -> dict[str, str]:
    """The command that measured it, and the day."""
    said: list[str] = []
    skipped = False
    for argument in arguments:
        if not skipped and argument not in NOT_SAID:
            said.append(argument)
        skipped = argument in NOT_SAID
    command = f'{verb} BENCH_ARGS="{" ".join(said)}"' if said else verb
    return {"command": command, "measured_on": f"{datetime.now(UTC):%Y-%m-%d}"}


def machine() -> dict[str, Any]:
    """Where it ran."""
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _numbers(result: Result) -> dict[str, Any]:
    target = result.figure.target
    return {
        "result": round(result.result, 3),
        "min": round(result.least, 3),
        "median": round(result.middle, 3),
        "max": round(result.most, 3),
        "rounds": result.rounds,
        "over": result.over,
        "target": f"{target.bound} {target.value:g}" if target else None,
        "verdict": result.verdict.value,
    }


def _contenders(rounds: Mapping[str, Sequence[Run]]) -> list[str]:
    lines = [
        f"{'':26}{'per second':>27}{'p50 ms':>9}{'p99 ms':>9}",
        f"{'':26}{'min':>9}{'median':>9}{'max':>9}",
    ]
    for name, runs in rounds.items():
        rates = [run["per_second"] for run in runs if "per_second" in run]
        middle = "".join(
            f"{statistics.median(run[key] for run in runs):9.2f}" if all(key in run for run in runs) else ""
            for key in ("p50_ms", "p99_ms")
        )
        if rates:
            lines.append(
                f"{name:26}{min(rates):9.0f}{statistics.median(rates):9.0f}{max(rates):9.0f}{middle}"
            )
    return lines


def _table(results: Sequence[Result]) -> list[str]:
    head = f"{'figure':24}{'target':>9}{'result':>9}{'':10}{'(rounds: min':>13}{'median':>8}{'max)':>8}"
    return [head, *(line for result in results for line in _row(result))]


def _row(result: Result) -> list[str]:
    figure, target = result.figure, result.figure.target
    asked = f"{target.bound} {target.value:g}" if target else "-"
    number = f"{figure.name:24}{asked:>9}{result.result:9.2f} {result.verdict:9}"
    spread = f"{result.least:13.2f}{result.middle:8.2f}{result.most:8.2f}"
    return [f"{number}{spread}", f"    {figure.title}{f' [{result.over}]' if len(figure.over) > 1 else ''}"]


CORES = {
    "serve_cores": "serve",
    "postgres_cores": "PostgreSQL",
    "generator_cores": "load generator",
    "machine_cores": "others",
}


def said_of_processes(rounds: Mapping[str, Sequence[Run]]) -> list[str]:
    """Whose processors' time the charges took with one API process and with two."""
    lines = []
    for name in ("charges-64-one-process", "charges-64"):
        runs = [run for run in rounds.get(name, ()) if "machine_cores" in run]
        if runs:
            used = {key: statistics.median(run[key] for run in runs) for key in CORES}
            used["machine_cores"] -= sum(value for key, value in used.items() if key != "machine_cores")
            shares = ", ".join(f"{CORES[key]} {cores:.2f}" for key, cores in used.items())
            lines.append(f"{name}: of {os.cpu_count()} cores {shares}")
    return ["", *lines] if lines else []
