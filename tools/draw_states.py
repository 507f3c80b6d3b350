"""Draw the payment's states and moves, from `domain.payment.MOVES` itself, as docs/state-machine.svg.

``python tools/draw_states.py`` writes the file; a test holds the committed picture against the table.
"""

from __future__ import annotations

from pathlib import Path

from eci_payments.domain.payment import MOVES, PaymentStatus

S = PaymentStatus
PLACES: dict[PaymentStatus, tuple[int, int]] = {
    S.PENDING: (40, 60),
    S.PROCESSING: (300, 60),
    S.REQUIRES_ACTION: (300, 210),
    S.AUTHORIZED: (600, 210),
    S.COMPLETED: (600, 60),
    S.PARTIALLY_REFUNDED: (900, 60),
    S.REFUNDED: (900, 210),
    S.FAILED: (40, 380),
    S.CANCELLED: (600, 380),
}
"""The left upper corner of each state's box."""
BENDS = {(S.PENDING, S.COMPLETED): -60, (S.PENDING, S.CANCELLED): 75, (S.CANCELLED, S.PENDING): -105}
"""How far a line leaves the straight way, where that would run through another box."""
WIDTH, HEIGHT = 190, 44
COLOURS = {"money": "#1b7f4d", "end": "#8a3030", "way": "#2b4c7e"}
MONEY = {S.COMPLETED, S.PARTIALLY_REFUNDED, S.AUTHORIZED}
ENDS = {S.FAILED, S.CANCELLED, S.REFUNDED}
OUT = Path(__file__).parent.parent / "docs" / "state-machine.svg"


def drawing() -> str:
    """The picture as SVG text."""
    arrows = "\n".join(_arrow(a, b) for a in MOVES for b in sorted(MOVES[a]))
    boxes = "\n".join(_box(state) for state in PLACES)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1130 470" font-family="sans-serif" font-size="15">
<title>The states of a payment and the moves between them</title>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0L10 5L0 10z" fill="#666"/></marker></defs>
<rect width="1130" height="470" fill="#fff"/>
{arrows}
{boxes}
<text x="40" y="455" fill="#444" font-size="13">green: money is held or reserved; red: an end (FAILED and CANCELLED
begin again with the next charge of the order); blue: on the way. Every state may also stay as it is.</text>
</svg>
"""


def _box(state: PaymentStatus) -> str:
    x, y = PLACES[state]
    colour = COLOURS["money" if state in MONEY else "end" if state in ENDS else "way"]
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{colour}"/>'
        f'<text x="{x + WIDTH / 2:g}" y="{y + 28}" text-anchor="middle" fill="#fff">{state}</text>'
    )


def _arrow(a: PaymentStatus, b: PaymentStatus) -> str:
    """A line between the boxes' edges; there and back again bend to different sides."""
    (ax, ay), (bx, by) = _centre(a), _centre(b)
    dx, dy = bx - ax, by - ay
    length = (dx * dx + dy * dy) ** 0.5
    bend = BENDS.get((a, b), 18 if a in MOVES[b] else 0)
    mx = (ax + bx) / 2 - dy / length * bend * 2
    my = (ay + by) / 2 + dx / length * bend * 2
    sx, sy = _edge(ax, ay, mx, my)
    ex, ey = _edge(bx, by, mx, my)
    way = f"M{sx:.0f} {sy:.0f}Q{mx:.0f} {my:.0f} {ex:.0f} {ey:.0f}"
    return f'<path d="{way}" fill="none" stroke="#666" marker-end="url(#tip)"/>'


def _centre(state: PaymentStatus) -> tuple[float, float]:
    x, y = PLACES[state]
    return x + WIDTH / 2, y + HEIGHT / 2


def _edge(x: float, y: float, to_x: float, to_y: float) -> tuple[float, float]:
    """Where the line from a box's centre towards a point leaves the box."""
    dx, dy = to_x - x, to_y - y
    scale = min((WIDTH / 2 + 3) / abs(dx) if dx else 9e9, (HEIGHT / 2 + 3) / abs(dy) if dy else 9e9)
    return x + dx * scale, y + dy * scale


if __name__ == "__main__":
    OUT.write_text(drawing())
