"""Fails when functions or files under ``src`` grow past what one reads in a sitting, naming each that does.

Functions: median at most 10 lines, nine in ten at most 30, none over 70. Files: median at most 100, none over 500.
Signature and docstring count. An exception is a named line with its reason in pyproject.toml under
``[tool.size_ratchet.exceptions]``; one that is no longer needed fails too, so that the list only shrinks.
"""

from __future__ import annotations

import ast
import statistics
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Limits:
    """Lines allowed for one kind of thing."""

    median: int
    ninth_decile: int | None
    longest: int


@dataclass(frozen=True, slots=True)
class Sized:
    """A function or file by the name that an exception would use, and its lines."""

    name: str
    lines: int


FUNCTIONS = Limits(median=10, ninth_decile=30, longest=70)
FILES = Limits(median=100, ninth_decile=None, longest=500)


def main() -> int:
    """Measure, print what is too long, and return the exit code."""
    exceptions = _exceptions()
    files, functions = _measure(ROOT / "src")
    complaints = [
        *_complaints("function", functions, FUNCTIONS, exceptions),
        *_complaints("file", files, FILES, exceptions),
        *_stale(exceptions, [*files, *functions]),
    ]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{_summary('functions', functions)}; {_summary('files', files)}")
    return 1 if complaints else 0


def _exceptions() -> dict[str, str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: dict[str, str] = settings["tool"]["size_ratchet"]["exceptions"]
    return found


def _measure(folder: Path) -> tuple[list[Sized], list[Sized]]:
    files, functions = [], []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text()
        name = path.relative_to(ROOT).as_posix()
        tree = ast.parse(text)
        if any(not isinstance(node, ast.Expr) for node in tree.body):  # more than a docstring
            files.append(Sized(name, len(text.splitlines())))
        functions += [Sized(f"{name}::{inner}", lines) for inner, lines in _functions(tree, "")]
    return files, functions


def _functions(node: ast.AST, inside: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        name = inside
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield inside + child.name, (child.end_lineno or child.lineno) - child.lineno + 1
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{inside}{child.name}."
        yield from _functions(child, name)


def _complaints(
    kind: str, measured: list[Sized], limits: Limits, exceptions: dict[str, str]
) -> Iterator[str]:
    for one in measured:
        if one.lines > limits.longest and not exceptions.get(one.name, "").strip():
            yield f"{one.name}: {one.lines} lines, a {kind} has at most {limits.longest}"
    lines = [one.lines for one in measured]
    if len(lines) < 2:  # noqa: PLR2004 - there is no distribution of one
        return
    if (median := statistics.median(lines)) > limits.median:
        yield f"the median {kind} has {median:g} lines, at most {limits.median} are allowed"
    if limits.ninth_decile and (decile := _ninth_decile(lines)) > limits.ninth_decile:
        yield f"nine {kind}s in ten have up to {decile:g} lines, at most {limits.ninth_decile} are allowed"


def _ninth_decile(lines: list[int]) -> float:
    return statistics.quantiles(lines, n=10, method="inclusive")[-1]


def _stale(exceptions: dict[str, str], measured: list[Sized]) -> Iterator[str]:
    needed = {one.name for one in measured if one.lines > (FUNCTIONS if "::" in one.name else FILES).longest}
    for name in sorted(exceptions.keys() - needed):
        yield f"{name}: needs no exception any more, take it out of pyproject.toml"


def _summary(kind: str, measured: list[Sized]) -> str:
    lines = [one.lines for one in measured] or [0]
    decile = _ninth_decile(lines) if len(lines) > 1 else lines[0]
    return (
        f"{len(measured)} {kind}: median {statistics.median(lines):g}, 90% {decile:g}, longest {max(lines)}"
    )


if __name__ == "__main__":
    sys.exit(main())
