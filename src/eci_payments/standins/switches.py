"""How a stand-in behaves: as it should, or as peers do on a bad day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_DELAY_S = 600.0


class Mode(StrEnum):
    """UP takes everything; the others answer what the name says."""

    UP = "up"
    DOWN = "down"
    BUSY = "busy"
    MISSING = "missing"
    GONE = "gone"
    MOVED = "moved"


ANSWERS: dict[Mode, int] = {
    Mode.DOWN: 503,
    Mode.BUSY: 429,
    Mode.MISSING: 404,
    Mode.GONE: 410,
    Mode.MOVED: 307,
}
"""What each mode answers instead of taking the call."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One peer's behaviour. ``delay_s`` is waited before every answer; ``retry_after`` is sent with a refusal."""

    mode: Mode = Mode.UP
    delay_s: float = 0.0
    retry_after: str | None = None


def switch(told: object) -> Switch:
    """A switch from its JSON: ``{"mode": "down", "delay_s": 0, "retry_after": "2"}``. Raises ValueError."""
    if not isinstance(told, dict) or not told.keys() <= {"mode", "delay_s", "retry_after"}:
        raise ValueError("give an object with mode, delay_s, retry_after")
    delay_s, retry_after = told.get("delay_s", 0.0), told.get("retry_after")
    if isinstance(delay_s, bool) or not isinstance(delay_s, int | float) or not 0 <= delay_s <= MAX_DELAY_S:
        raise ValueError(f"delay_s must be between 0 and {MAX_DELAY_S:g} seconds")
    if retry_after is not None and not (isinstance(retry_after, str) and retry_after.isprintable()):
        raise ValueError("retry_after must be a header value")
    return Switch(Mode(told.get("mode", "up")), float(delay_s), retry_after)
