"""Where the service commits: every function that opens a transaction that writes, read from its source."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parents[2] / "src" / "eci_payments"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ELSEWHERE: dict[str, str] = {
    "Courier._in_portions": "sweeps what waits behind a peer that is down; every portion can be taken again",
    "business_sums": "folds the sums as the loop does, on a look at the metrics",
    "Access._note_used": "when a key was last used: of no payment",
    "Access._write": "the trail of refusals at the door: of no payment",
}
"""Commits that change no payment and tell nobody of one, each with the reason why the table has no case of it."""
PROGRAMS = ("cli", "store/migrate.py", "store/installation.py", "store/deliveries.py")
"""Commands that a person runs once, and runs again."""


def commit_sites() -> set[str]:
    """Their qualified names."""
    found: set[str] = set()
    for path in sorted(SOURCE.rglob("*.py")):
        if not str(path.relative_to(SOURCE)).startswith(PROGRAMS):
            found |= set(_sites(ast.parse(path.read_text()), ()))
    return found


def _sites(node: ast.AST, within: tuple[str, ...]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _sites(child, (*within, child.name))
        elif isinstance(child, FUNCTIONS):
            yield from _sites(child, (*within, child.name, "<locals>"))
        else:
            if isinstance(child, ast.AsyncWith) and any(_writes(item.context_expr) for item in child.items):
                yield ".".join(within[:-1])
            yield from _sites(child, within)


def _writes(expression: ast.expr) -> bool:
    called = expression.func if isinstance(expression, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr == "write"
