"""Plots as SVG, written by hand: bars with their spread, and one line against a limit. No script, no font."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, LABELS, RIGHT, ROW = 760, 250, 80, 26
HEAD, FOOT = 40, 14
LINE_HEIGHT = 260
STYLE = "font-family:system-ui,sans-serif;font-size:12px"
BLUE, GREY, INK, RED = "#3b6ea5", "#9aa5b1", "#24292f", "#b3261e"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: ``middle`` is drawn, ``least`` to ``most`` is the thin line over it."""

    label: str
    least: float
    middle: float
    most: float
    ours: bool = True


def bars(title: str, rows: Sequence[Bar]) -> str:
    """A bar for each row, from nought."""
    height = HEAD + ROW * len(rows) + FOOT
    scale = (WIDTH - LABELS - RIGHT) / max(row.most for row in rows)
    drawn = [_bar(row, HEAD + ROW * place, scale) for place, row in enumerate(rows)]
    return _picture(title, height, drawn)


def _bar(row: Bar, top: float, scale: float) -> str:
    y = top + ROW / 2
    end = LABELS + row.middle * scale
    reach = LABELS + row.most * scale
    return (
        f'<text x="{LABELS - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{escape(row.label)}</text>'
        f'<rect x="{LABELS}" y="{top + 5:.1f}" width="{end - LABELS:.1f}" height="{ROW - 10}"'
        f' fill="{BLUE if row.ours else GREY}"/>'
        f'<line x1="{LABELS + row.least * scale:.1f}" x2="{reach:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{INK}"/>'
        f'<text x="{max(end, reach) + 6:.1f}" y="{y + 4:.1f}" fill="{INK}">{_number(row.middle)}</text>'
    )


def line(title: str, points: Sequence[tuple[float, float]], limit: float, across: str) -> str:
    """One line from nought up, and the limit that it should stay below."""
    bottom, left, right = HEAD + LINE_HEIGHT, 60, WIDTH - 20
    wide = (right - left) / max(x for x, _ in points)
    high = LINE_HEIGHT / (max(limit, *(y for _, y in points)) * 1.05)
    path = " ".join(f"{left + x * wide:.1f},{bottom - y * high:.1f}" for x, y in points)
    at = bottom - limit * high
    return _picture(
        title,
        bottom + 40,
        [
            f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" stroke="{GREY}"/>',
            f'<line x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="{RED}" stroke-dasharray="4 4"/>',
            f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end" fill="{RED}">{_number(limit)}</text>',
            f'<text x="{left - 6}" y="{bottom + 4}" text-anchor="end" fill="{INK}">0</text>',
            f'<polyline points="{path}" fill="none" stroke="{BLUE}" stroke-width="2"/>',
            (
                f'<text x="{right}" y="{bottom + 18}" text-anchor="end" fill="{INK}">'
                f"{_number(points[-1][0])} {escape(across)}</text>"
            ),
        ],
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.2f}"  # noqa: PLR2004 - below that decimals say something


def _picture(title: str, height: float, drawn: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" style="{STYLE}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
            f'<text x="12" y="22" fill="{INK}" font-weight="bold">{escape(title)}</text>',
            *drawn,
            "</svg>\n",
        ]
    )
