"""An event loop in which nothing happens by itself: whoever wants to go on waits for its turn, and time stands still.

When everything waits, one turn is given or time is moved on. While a turn talks to the database the loop waits for
that alone, so that two runs of one seed take the same way, however fast the machine is. `asyncio.sleep`, time-outs and
the loop's clock are all of simulated time.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Callable, Coroutine, Iterator
    from contextvars import Context

T = TypeVar("T")
STUCK_S = 30.0
"""Real seconds that one turn may wait for the database: it answers in milliseconds, or never."""
TICK_S = 0.001
"""Every turn takes this long, so that no two things happen at one time."""


class Stuck(Exception):
    """A turn that does not end: it waits for something that nobody will do."""


@dataclass
class Moments:
    """Simulated time in seconds, and who may go on. ``idle`` is asked when everything waits.

    It is told how long it is until the next timer (None: there is none), and must give a turn or move time on.
    """

    now_s: float = 0.0
    talking: int = 0
    idle: Callable[[float | None], None] = field(default=lambda _next_s: None)

    def clock(self) -> float:
        """The time now."""
        return self.now_s

    def move_on(self, seconds: float) -> None:
        """Let time pass, to the end of a tick: timers of one tick differ by less than anybody can see."""
        self.now_s = math.ceil(round((self.now_s + seconds) / TICK_S, 6)) * TICK_S

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Something outside of simulated time is waited for: the database, and nothing else may happen meanwhile."""
        self.talking += 1
        try:
            yield
        finally:
            self.talking -= 1


class _Selector(selectors.DefaultSelector):
    """Asks for a turn where an ordinary loop would sleep."""

    moments: Moments

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if self.moments.talking:
            ready = super().select(STUCK_S)
            if not ready:
                raise Stuck(f"no answer within {STUCK_S:g} s")
            return ready
        self.moments.idle(timeout)
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """Runs on ``moments``. Timers of one moment run in the order in which they were set."""

    def __init__(self, moments: Moments) -> None:
        selector = _Selector()
        selector.moments = moments
        self._moments = moments
        self._timers = 0
        super().__init__(selector)

    def time(self) -> float:
        """Simulated seconds."""
        return self._moments.now_s

    def call_at(  # type: ignore[override] # typeshed ties the arguments to the callback
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """As always, but never two timers at exactly one time: the heap does not keep the order of equals."""
        self._timers += 1
        return super().call_at(when + self._timers * 1e-9, callback, *args, context=context)


def run(main: Coroutine[Any, Any, T], moments: Moments) -> T:
    """Run this to its end in a loop of its own; what is still under way then is dropped."""
    loop = Loop(moments)
    try:
        return loop.run_until_complete(main)
    finally:
        moments.idle = lambda _next_s: None
        _drop(loop)
        loop.close()


def _drop(loop: Loop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
