"""``python -m bench``: measure, print the targets and the results side by side, check the books."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import deliveries, load, memory
from bench.contenders import CONTENDERS, in_rounds, open_shop
from bench.figures import FIGURES, Figure, Group, Verdict
from bench.report import Report, asked_as
from bench.stack import stack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.runs import Run

    Found = tuple[dict[str, list[Run]], dict[str, object], list[str]]

QUICK = ("charges-64", "charges-256")
HERE = (Group.CHARGES, Group.DELIVERIES, Group.MEMORY)
"""What this command measures; the large database has a command of its own."""


def main() -> int:
    """Run it; 1 when the books are wrong, an answer was not the wanted one, or --strict and a target is missed."""
    asked = _arguments()
    begun = time.monotonic()
    figures = [figure for figure in FIGURES if figure.name in asked.only]
    rounds: dict[str, list[Run]] = {}
    notes: dict[str, Any] = {}
    wrong: list[str] = []
    for group in HERE:
        if chosen := [figure for figure in figures if figure.group is group]:
            print(f"{group}: {', '.join(figure.name for figure in chosen)}", flush=True)
            found, noted, mistakes = MEASURES[group](chosen, asked)
            rounds |= found
            notes |= noted
            wrong += mistakes
    notes["seconds"] = round(time.monotonic() - begun)
    report = Report(figures, rounds, _setting(asked), notes)
    print(f"\n{report.text()}")
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(report.json(), indent=1) + "\n")
    print(f"\nThe numbers are in {asked.json}. It took {notes['seconds']} s.")
    return _told(report, wrong, strict=asked.strict)


def _told(report: Report, wrong: Sequence[str], *, strict: bool) -> int:
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    if not wrong:
        print("The books are right, and every answer was the one that was wanted.")
    missed = [each.figure.name for each in report.results if each.verdict is Verdict.MISSED]
    if missed:
        print(f"missed: {', '.join(missed)}")
    return 1 if wrong or (strict and missed) else 0


def _charges(figures: Sequence[Figure], asked: argparse.Namespace) -> Found:
    wanted = {name for figure in figures for name in figure.contenders if name in CONTENDERS}
    with stack(asked.folder, asked.serves) as running:
        ceiling = round(load.ceiling(64, 2.0))
        print(f"The load generator alone does {ceiling} requests/s.", flush=True)
        shop = open_shop(running, asked.seconds)
        rounds = in_rounds(shop, wanted, asked.rounds, _say)
        code, said = running.verify()
    print(f"verify: {said.splitlines()[-1] if said else code}", flush=True)
    return rounds, {"ceiling_per_second": ceiling}, [*shop.wrong, *([said] if code else [])]


def _deliveries(_: Sequence[Figure], asked: argparse.Namespace) -> Found:
    return deliveries.measure(asked, _say)


def _memory(_: Sequence[Figure], asked: argparse.Namespace) -> Found:
    found, noted, wrong = memory.measure(asked, _say)
    return found, {"memory": noted}, wrong


MEASURES: dict[Group, Callable[[Sequence[Figure], argparse.Namespace], Found]] = {
    Group.CHARGES: _charges,
    Group.DELIVERIES: _deliveries,
    Group.MEMORY: _memory,
}


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


def _setting(asked: argparse.Namespace) -> dict[str, Any]:
    said = {name: str(value) for name, value in vars(asked).items() if name not in {"folder", "json", "only"}}
    return said | asked_as("make bench", sys.argv[1:])


def _arguments() -> argparse.Namespace:
    names = [figure.name for figure in FIGURES if figure.group in HERE]
    parser = argparse.ArgumentParser(
        prog="make bench BENCH_ARGS=...", description=f"{__doc__} Figures: {', '.join(names)}."
    )
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="FIGURE", help="some of them"
    )
    parser.add_argument("--quick", action="store_true", help="the first two rows, in short rounds")
    parser.add_argument("--rounds", type=int, help="how many rounds, at least 5 (--quick: 3)")
    parser.add_argument("--seconds", type=int, help="seconds of each contender in each round (default 4)")
    parser.add_argument("--serves", type=int, default=min(os.cpu_count() or 1, 2), help="serve processes")
    parser.add_argument(
        "--memory-charges",
        type=int,
        default=100_000,
        help="charges of the memory figures (a full run: 1000000)",
    )
    parser.add_argument("--strict", action="store_true", help="fail when a target is missed")
    parser.add_argument(
        "--folder", type=Path, default=Path(".data"), help="where the database is made, and removed"
    )
    parser.add_argument("--json", type=Path, default=Path(".data/bench.json"))
    asked = parser.parse_args()
    if asked.quick:
        asked.only = [name for name in asked.only if name in QUICK]
    least = 3 if asked.quick else 5
    asked.rounds = max(least, asked.rounds or least)
    asked.seconds = asked.seconds or (2 if asked.quick else 4)
    return asked


if __name__ == "__main__":
    sys.exit(main())
