"""``make performance``: the tables and plots of docs/performance.md, from the numbers that were kept beside it.

The document's words are written by people; what stands between ``<!-- name -->`` and ``<!-- /name -->`` is written
here, from docs/performance/*.json, each the --json of one run.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import plan, plots
from bench.figures import FIGURES, Verdict
from bench.report import Report, read, said_of_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.figures import Result

DOCUMENT = Path("docs/performance.md")
KEPT = Path("docs/performance")
BLOCK = re.compile(r"<!-- (?P<name>[a-z-]+) -->\n.*?<!-- /(?P=name) -->", re.DOTALL)
PROFILE = "profile"
SHOWN = 12


def main() -> int:
    """Write document and plots anew."""
    found = kept(KEPT)
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(), found))
    for name, picture in pictures(found).items():
        (KEPT / name).write_text(picture)
    return 0


def kept(folder: Path) -> dict[str, Any]:
    """The numbers of every run that was kept, by the name of its file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def rendered(text: str, found: Mapping[str, Any]) -> str:
    """The document with every block written anew. Raises KeyError for a block that nothing here writes."""

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        lines = "\n".join(BLOCKS[name](found))
        return f"<!-- {name} -->\n{lines}\n<!-- /{name} -->"

    return BLOCK.sub(block, text)


def _reports(found: Mapping[str, Any]) -> dict[str, Report]:
    return {name: read(numbers) for name, numbers in found.items() if name != PROFILE}


def _figures(found: Mapping[str, Any]) -> list[str]:
    by_name = {
        result.figure.name: (result, report.setting)
        for report in _reports(found).values()
        for result in report.results
    }
    rows = [_figure_row(*by_name[figure.name]) for figure in FIGURES if figure.name in by_name]
    commands = [
        f"- {', '.join(f'`{figure.name}`' for figure in report.figures)}: `{report.setting['command']}`"
        f" ({report.setting['measured_on']})"
        for report in _reports(found).values()
    ]
    return [
        "| figure | | target | result | | min | median | max | rounds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        *commands,
    ]


def _figure_row(result: Result, _: Mapping[str, Any]) -> str:
    figure = result.figure
    target = f"{figure.target.bound} {figure.target.value:g}" if figure.target else ""
    verdict = f"**{result.verdict}**" if result.verdict is Verdict.MISSED else result.verdict
    against = f" (here: {result.over})" if len(figure.over) > 1 else ""
    numbers = " | ".join(f"{number:.2f}" for number in (result.least, result.middle, result.most))
    return (
        f"| `{figure.name}` | {figure.title}{against} | {target} | {result.result:.2f} | {verdict}"
        f" | {numbers} | {result.rounds} |"
    )


def _rates(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "| | per second, min | median | max | p50 ms | p99 ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for report in _reports(found).values():
        for name, runs in report.rounds.items():
            rates = [run["per_second"] for run in runs if "per_second" in run]
            if rates and name not in {"api-last", "api-half"}:
                tails = " | ".join(
                    f"{statistics.median(run[key] for run in runs):.2f}" if key in runs[0] else ""
                    for key in ("p50_ms", "p99_ms")
                )
                lines.append(
                    f"| `{name}` | {min(rates):.0f} | {statistics.median(rates):.0f} | {max(rates):.0f} | {tails} |"
                )
    return lines


def _cores(found: Mapping[str, Any]) -> list[str]:
    ceiling = found["charges"]["notes"]["ceiling_per_second"]
    return [
        f"The load generator alone does {ceiling:,} requests/s against a server that does nothing.",
        "",
        *(f"- {said}" for said in said_of_processes(found["charges"]["rounds"]) if said),
    ]


def _profile(found: Mapping[str, Any]) -> list[str]:
    numbers = found[PROFILE]
    cpu = numbers["cpu_us_per_charge"]
    lines = [
        (
            f"`{numbers['setting']['command']}` ({numbers['setting']['measured_on']}):"
            f" {numbers['charges_per_second']:.0f} charges/s through one process"
            f" ({numbers['charges_per_second_watched']:.0f} while py-spy watched)."
        ),
        "",
        (
            f"Processor time of one charge: {', '.join(f'{name} {us} µs' for name, us in cpu.items())}."
            f" Log of the database: {numbers['wal_bytes_per_charge']:,} bytes;"
            f" commits: {numbers['commits_per_charge']:.2f} a charge, because charges that wait together share them."
        ),
        "",
        "| µs | `serve`, by room | µs | by package | µs | by function |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    columns = [list(numbers[name].items())[:SHOWN] for name in ("rooms", "packages", "functions")]
    for place in range(max(map(len, columns))):
        cells = [column[place] if place < len(column) else ("", None) for column in columns]
        lines.append(
            "| " + " | ".join(f"{'' if us is None else f'{us:.0f}'} | {name}" for name, us in cells) + " |"
        )
    lines += ["", "| µs of a charge | ms a call | PostgreSQL, by statement |", "| --- | --- | --- |"]
    lines += [
        f"| {each['us_per_charge']:.0f} | {each['mean_ms']:.2f} | `{each['statement'][:80].replace('|', ' ')}` |"
        for each in numbers["statements"][:8]
    ]
    return lines


def _large(found: Mapping[str, Any]) -> list[str]:
    if "large" not in found:
        return ["Not measured on this machine yet."]
    lines = [
        "| database | payments loaded | at the end | size | COPY | indexes and keys |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, facts in found["large"]["notes"].items():
        lines.append(
            f"| {name} | {facts['payments_loaded']:,} | {facts['payments_at_the_end']:,}"
            f" | {facts['gigabytes']} GB | {facts['copy_s']:.0f} s | {facts['index_s']:.0f} s |"
        )
    return lines


def _memory(found: Mapping[str, Any]) -> list[str]:
    way = found["memory"]["notes"]["memory"]["way"]
    places = sorted({0, len(way) // 4, len(way) // 2, 3 * len(way) // 4, len(way) - 1})
    return [
        "| charges | resident |",
        "| --- | --- |",
        *(f"| {way[p]['charges']:,} | {way[p]['resident_mb']:.1f} MB |" for p in places),
    ]


BLOCKS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "figures": _figures,
    "rates": _rates,
    "cores": _cores,
    "profile": _profile,
    "large": _large,
    "memory": _memory,
    "plan": plan.lines,
}


def pictures(found: Mapping[str, Any]) -> dict[str, str]:
    """The plots by the names of their files."""
    charges = found["charges"]["rounds"]
    shown = [
        name for name in charges if name.startswith(("charges", "pgbench")) and name != "charges-64-at-half"
    ]
    way = found["memory"]["notes"]["memory"]["way"]
    drawn = {
        "charges.svg": plots.bars(
            "Charges per second", [_bar(name, charges[name], "per_second") for name in shown]
        ),
        "memory.svg": plots.line(
            "Resident memory of one API process, MB",
            [(run["charges"], run["resident_mb"]) for run in way],
            150.0,
            "charges",
        ),
        "profile.svg": plots.bars(
            "Microseconds of one charge in the API process, by room",
            [plots.Bar(name, us, us, us) for name, us in found[PROFILE]["rooms"].items()],
        ),
    }
    if "large" in found:
        rounds = found["large"]["rounds"]
        drawn["large.svg"] = plots.bars(
            "p99 of reads in ms, small and large database",
            [_bar(name, runs, "p99_ms") for name, runs in rounds.items() if not name.endswith("charges")],
        )
    return drawn


def _bar(name: str, runs: Sequence[Mapping[str, float]], quantity: str) -> plots.Bar:
    values = [run[quantity] for run in runs]
    ours = not name.startswith(("pgbench", "small"))
    return plots.Bar(name, min(values), statistics.median(values), max(values), ours)


if __name__ == "__main__":
    sys.exit(main())
