"""A circuit breaker: who does not answer is left alone for a while. Pure over an injected clock."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES_TO_OPEN = 5
"""In a row: one lost connection is no outage, and five tries cost a healthy queue nothing."""
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
"""How long it is left alone after it failed a probe; one that comes back is noticed within this time."""


class BreakerState(StrEnum):
    """CLOSED: everything passes. OPEN: nothing does. HALF_OPEN: one call at a time finds out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """One peer's or gateway's breaker in one process.

    ``clock`` gives seconds that only ever grow; ``failures_to_open`` in a row open it.
    """

    def __init__(self, clock: Callable[[], float], failures_to_open: int = FAILURES_TO_OPEN) -> None:
        self._clock = clock
        self._failures_to_open = failures_to_open
        self._failures = 0
        self._pause_s = FIRST_PAUSE_S
        self._open_until: float | None = None

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self._open_until else BreakerState.HALF_OPEN

    def allowance(self, free: int, in_flight: int) -> int:
        """How many calls may start now, when ``free`` places are left beside ``in_flight``."""
        match self.state:
            case BreakerState.CLOSED:
                return free
            case BreakerState.OPEN:
                return 0
            case BreakerState.HALF_OPEN:
                return 0 if in_flight else min(free, 1)

    def wait_s(self) -> float:
        """Seconds until something may be sent again; 0 when it may now."""
        return max((self._open_until or 0.0) - self._clock(), 0.0)

    def succeeded(self) -> None:
        """It answered, whatever it said: it is there."""
        self._failures = 0
        self._pause_s = FIRST_PAUSE_S
        self._open_until = None

    def failed(self, retry_after_s: float | None = None) -> None:
        """It could not be reached or is not well; ``retry_after_s`` is its own wish, kept within our bound.

        Late failures of calls that were on their way when it opened do not lengthen the pause.
        """
        self._failures += 1
        state = self.state
        if state is BreakerState.OPEN or self._failures < self._failures_to_open:
            return
        if state is BreakerState.HALF_OPEN:
            self._pause_s = min(self._pause_s * 2, MAX_PAUSE_S)
        wish_s = min(retry_after_s or 0.0, MAX_PAUSE_S)
        self._open_until = self._clock() + max(self._pause_s, wish_s)
