"""The parts of the proof: what each is asked with, what it tells, and the one table that all of them end in.

A part is run alone (``python -m proof NAME``) or with all others (``python -m proof``). What each told last is kept
beside the table, so that parts that were run one by one still make one table.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable, Sequence

REPORTS = Path("build/reports")
TABLE = REPORTS / "proof.md"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was tried, how often, what was found wrong, from which seed, and how to repeat it.

    ``found`` names each thing that is wrong, with what it takes to see it again; empty when nothing is. ``untried``
    says why it could not be tried here.
    """

    tried: str
    times: int
    found: tuple[str, ...] = ()
    seed: str = ""
    command: str = ""
    untried: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """``arguments`` adds what it can be asked with; run with none of them it does all that `make proof` promises."""

    name: str
    about: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], Sequence[Row]]


def keep(part: Part, rows: Sequence[Row], seconds: float) -> None:
    """Note what a part has told, in place of what it told before."""
    kept = _kept(part.name)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"seconds": seconds, "rows": [asdict(row) for row in rows]}))


def forget(parts: Iterable[Part]) -> None:
    """Nothing was told yet."""
    for part in parts:
        _kept(part.name).unlink(missing_ok=True)


def table(parts: Iterable[Part]) -> list[str]:
    """The table of all that has been told, and for each part how long it took."""
    told = {
        part.name: json.loads(_kept(part.name).read_text()) for part in parts if _kept(part.name).exists()
    }
    rows = [(name, Row(**row)) for name, of in told.items() for row in of["rows"]]
    took = [f"{name} {of['seconds']:.0f} s" for name, of in told.items()]
    return [*lines(rows), "", f"Took: {', '.join(took)}."]


def lines(rows: Iterable[tuple[str, Row]]) -> list[str]:
    """The table of these rows, each with the name of its part."""
    return [
        "| part | tried | times | found | seed | again with |",
        "| --- | --- | --: | --- | --- | --- |",
        *(_line(part, row) for part, row in rows),
    ]


def write(parts: Iterable[Part]) -> None:
    """Print the table, and write it as a report."""
    leave(TABLE, "The proof", table(parts))


def leave(report: Path, title: str, said: Sequence[str]) -> None:
    """Print these lines, and write them as a report with a title."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join([f"# {title}", "", *said]) + "\n")
    print("\n".join(["", *said]))


def _line(part: str, row: Row) -> str:
    found = "; ".join(row.found).replace("|", "\\|") or (
        f"not tried: {row.untried}" if row.untried else "nothing"
    )
    command = f"`{row.command}`" if row.command else ""
    return f"| {part} | {row.tried} | {row.times} | {found} | {row.seed} | {command} |"


def _kept(name: str) -> Path:
    return REPORTS / "proof" / f"{name}.json"
