"""Tables that a test run leaves behind for people to read: ``build/reports/*.md``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORTS = Path(__file__).resolve().parents[2] / "build" / "reports"


def leave_table(name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """Write a table in Markdown; what an earlier run left under this name is replaced."""
    lines = [f"# {title}", "", _row(columns), _row(["---"] * len(columns)), *(_row(row) for row in rows)]
    REPORTS.mkdir(parents=True, exist_ok=True)
    path = REPORTS / f"{name}.md"
    path.write_text("\n".join(lines) + "\n")
    return path


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
