"""What keeps one gateway's trouble its own: a bulkhead (a bound on calls under way) and a circuit breaker.

Whoever is refused here has certainly sent nothing. Only what moves money is refused by the breaker, and only its
outcomes are judged: a question (an inquiry, a list) always passes, within places of its own, because the answer to
"what became of it?" is what ends an unknown outcome.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.domain.breaker import Breaker, BreakerState

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

MOST_CALLS = 1000
"""Calls under way at one account in one process, whatever is configured."""
MAX_CALLS, MAX_WAIT_S, BREAKER_FAILURES = 64, 0.25, 10
"""For a gateway over HTTP: 64 calls of a second each are 64 charges/s; ten failures in a row are no accident."""
QUESTION_SHARE = 4
"""For each so many places for calls there is one for questions, and at least `LEAST_QUESTIONS`."""
LEAST_QUESTIONS = 8
QUESTIONS = frozenset({"inquire", "list_instruments", "recount"})


class Places:
    """So many at once, and as many waiting, each for a bounded time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether somebody who came now would be turned away at once."""
        return self.taken >= self.limit and len(self._waiting) >= self.limit

    async def take(self, wait_s: float) -> bool:
        """Take a place, if one is free within this time. Who came first goes first."""
        if self.taken < self.limit:
            self.taken += 1
            return True
        if self.is_full or wait_s <= 0:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait({turn}, timeout=wait_s)
        except BaseException:
            self._forget(turn)
            raise
        return turn.done() or self._forget(turn)

    def give_back(self) -> None:
        """Leave: the place is the next one's, or free."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.taken -= 1

    def _forget(self, turn: asyncio.Future[None]) -> bool:
        """Wait no more; a place that was handed over meanwhile is handed on. Always false: there is none."""
        if turn.done():
            self.give_back()
        else:
            turn.cancel()
            self._waiting.remove(turn)
        return False


@dataclass(frozen=True, slots=True)
class Pass:
    """A place that was taken, to be given back with `Guard.leave`."""

    is_question: bool
    is_probe: bool


_QUESTION = Pass(is_question=True, is_probe=False)
_CALL, _PROBE = Pass(is_question=False, is_probe=False), Pass(is_question=False, is_probe=True)


@dataclass(frozen=True, slots=True)
class Turned:
    """Turned away: nothing may be sent, and ``reason`` says why."""

    reason: str


OPEN = Turned("the gateway's circuit breaker is open")


class Guard:
    """One account's guard in one process. ``breaker_failures`` in a row open the breaker; 0: there is none."""

    def __init__(
        self,
        name: str,
        *,
        max_calls: int = MOST_CALLS,
        max_wait_s: float = MAX_WAIT_S,
        breaker_failures: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._calls = Places(max_calls)
        self._questions = Places(max(LEAST_QUESTIONS, max_calls // QUESTION_SHARE))
        self._max_wait_s = max_wait_s
        self._breaker = Breaker(clock, breaker_failures) if breaker_failures else None
        self._probes = 0

    @property
    def in_flight(self) -> int:
        """Calls and questions under way."""
        return self._calls.taken + self._questions.taken

    @property
    def is_full(self) -> bool:
        """Whether a call that came now would be turned away at once because too many are under way."""
        return self._calls.is_full

    @property
    def breaker(self) -> BreakerState:
        """Where the breaker stands."""
        return self._breaker.state if self._breaker else BreakerState.CLOSED

    @property
    def admits(self) -> bool:
        """Whether a call that came now would be let through, or may wait for a place."""
        return not self.is_full and self._may_pass()

    async def enter(self, what: str, wait_s: float | None = None) -> Pass | Turned:
        """Take a place for this kind of call, or be turned away.

        ``wait_s`` is the most that the caller can wait; None: as long as is configured.
        """
        may_wait_s = self._max_wait_s if wait_s is None else min(wait_s, self._max_wait_s)
        is_question = what in QUESTIONS
        places = self._questions if is_question else self._calls
        if not (is_question or self._may_pass()):
            return OPEN
        if not await places.take(may_wait_s):
            return Turned(f"{places.limit} calls to the gateway are under way")
        if is_question:
            return _QUESTION
        if not self._may_pass():  # it has opened while we waited
            places.give_back()
            return OPEN
        is_probe = self.breaker is BreakerState.HALF_OPEN
        self._probes += is_probe
        return _PROBE if is_probe else _CALL

    def leave(self, taken: Pass, *, well: bool | None) -> None:
        """A call that was let in has ended; ``well``: the gateway answered it. None: it was broken off by us."""
        if taken.is_question:
            self._questions.give_back()
            return
        self._calls.give_back()
        self._probes -= taken.is_probe
        if self._breaker is None or well is None:
            return
        before = self._breaker.state
        self._breaker.succeeded() if well else self._breaker.failed()
        if (after := self._breaker.state) is not before:
            log.warning("the breaker of gateway %s went from %s to %s", self._name, before, after)

    def _may_pass(self) -> bool:
        return self._breaker is None or self._breaker.allowance(1, self._probes) > 0
