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

    ``found`` names each thing that is wrong, with what it takes to see it again; empty when nothing is.
    """

    tried: str
    times: int
    found: tuple[str, ...] = ()
    seed: str = ""
    command: str = ""


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
    lines = [
        "| part | tried | times | found | seed | again with |",
        "| --- | --- | --: | --- | --- | --- |",
    ]
    took = []
    for part in parts:
        if not _kept(part.name).exists():
            continue
        told = json.loads(_kept(part.name).read_text())
        took.append(f"{part.name} {told['seconds']:.0f} s")
        lines += [_line(part.name, Row(**row)) for row in told["rows"]]
    return [*lines, "", f"Took: {', '.join(took)}."]


def write(parts: Iterable[Part]) -> None:
    """Print the table, and write it as a report."""
    lines = table(parts)
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("\n".join(["# The proof", "", *lines]) + "\n")
    print("\n".join(["", *lines]))


def _line(part: str, row: Row) -> str:
    found = "; ".join(row.found).replace("|", "\\|") or "nothing"
    command = f"`{row.command}`" if row.command else ""
    return f"| {part} | {row.tried} | {row.times} | {found} | {row.seed} | {command} |"


def _kept(name: str) -> Path:
    return REPORTS / "proof" / f"{name}.json"
