"""Rate limits over all processes, without a query on the way of a request.

A subject (a key, an address) may do ``limit`` requests in any `WINDOW_S` seconds: what it did in this window, and
of the window before the share that still lies within the last ten seconds. Only what was let through counts.
Within that, one process lets no subject spend its ten seconds in one: a second has a tenth of the limit, or `BURST`
where that is more. Else whoever floods would have the whole service to itself until its limit is used up.

Each process counts for itself, and every half second adds what it let through to a sum in the database, of which it
then knows what all the others did. The error: with R processes, up to (R - 1) times what one of them lets through in
the half second between two sums, and a twentieth of the limit per process, below which nothing is told.

Windows are those of the database's clock, which comes with the sums; until the first of them, of the machine's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from time import time
from typing import NamedTuple

from eci_payments.store.rate_windows import Place

WINDOW_S = 10
KNOWN_MAX = 20_000
"""Subjects that one process remembers; beyond it the oldest begin anew."""
TOLD_FROM = 20
"""A subject is told to the others from a twentieth of its limit on: small callers cost the database nothing."""
CLOCK_TOLERANCE_S = 1.0
"""A difference of clocks that may as well be how long the database's answer took."""
BURST = 100
"""Requests that every subject may do in one second, whatever its limit over ten is."""


class Subject(NamedTuple):
    """Who is limited, and to how many requests in a window."""

    merchant_id: int
    name: str
    limit: int

    @property
    def burst(self) -> int:
        """How many requests in one second."""
        return max(self.limit // WINDOW_S, BURST)


@dataclass(slots=True)
class _Count:
    number: int
    used: int = 0
    before: int = 0
    untold: int = 0
    second: int = 0
    in_second: int = 0
    in_second_before: int = 0

    def is_burst(self, now: float, most: int) -> bool:
        """Whether one more would be too many for the last second; begins a new second where it is time."""
        second = int(now)
        if second != self.second:
            self.in_second_before = self.in_second if second == self.second + 1 else 0
            self.second, self.in_second = second, 0
        return self.in_second + self.in_second_before * (1 - (now - second)) + 1 > most


class Verdict(NamedTuple):
    """Whether a request may pass, and what the RateLimit header says of the next ones. ``burst`` as in `Subject`."""

    limit: int
    remaining: int
    reset_s: int
    burst: int
    passes: bool
    is_burst: bool = False

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them; of the burst only where it may be what one meets."""
        policy = f'"default";q={self.limit};w={WINDOW_S}'
        return {
            "RateLimit-Policy": policy
            if self.burst >= self.limit
            else f'{policy}, "burst";q={self.burst};w=1',
            "RateLimit": '"burst";r=0;t=1'
            if self.is_burst
            else f'"default";r={self.remaining};t={self.reset_s}',
        }


class Limits:
    """The counts of one process. ``clock`` is seconds since 1970, by this machine."""

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._ahead_s = 0.0
        self._counts: dict[tuple[int, str], _Count] = {}
        self._untold: Counter[Place] = Counter()

    @property
    def has_untold(self) -> bool:
        """Whether there is something that the others should know."""
        return bool(self._untold)

    @property
    def number(self) -> int:
        """The window of this moment."""
        return int(self._now()) // WINDOW_S

    def keep_time_with(self, now_s: float) -> None:
        """The database's clock says so; from now on it counts, however far this machine's own is off."""
        ahead_s = now_s - self._clock()
        if abs(ahead_s - self._ahead_s) > CLOCK_TOLERANCE_S:
            self._ahead_s = ahead_s

    def _now(self) -> float:
        return self._clock() + self._ahead_s

    def take(self, subject: Subject) -> Verdict:
        """Count one request of this subject, if it may pass."""
        now = self._now()
        number, into = divmod(now, WINDOW_S)
        count = self._count((subject.merchant_id, subject.name), int(number))
        used = count.used + count.before * (1 - into / WINDOW_S)
        limit, burst = subject.limit, subject.burst
        if used + 1 > limit:
            return Verdict(limit, 0, _wait_s(count, limit, into), burst, passes=False)
        remaining = int(limit - used - 1)
        if burst < limit and count.is_burst(now, burst):
            return Verdict(limit, remaining + 1, 1, burst, passes=False, is_burst=True)
        count.used += 1
        count.in_second += 1
        count.untold += 1
        if count.used * TOLD_FROM >= limit:
            self._untold[subject.merchant_id, subject.name, count.number] += count.untold
            count.untold = 0
        return Verdict(limit, remaining, ceil(WINDOW_S - into), burst, passes=True)

    def taken_untold(self) -> dict[Place, int]:
        """What the others do not know yet; from now on it counts as told."""
        untold, self._untold = self._untold, Counter()
        return dict(untold)

    def put_back(self, untold: Mapping[Place, int]) -> None:
        """It could not be told after all."""
        self._untold.update(untold)

    def learn(self, sums: Mapping[Place, int]) -> None:
        """What all processes together have let through."""
        for (merchant_id, name, number), total in sums.items():
            count = self._counts.get((merchant_id, name))
            if count is None:
                continue
            untold = self._untold.get((merchant_id, name, number), 0)
            if count.number == number:
                count.used = max(count.used, total + untold + count.untold)
            elif count.number == number + 1:
                count.before = max(count.before, total + untold)

    def _count(self, who: tuple[int, str], number: int) -> _Count:
        count = self._counts.get(who)
        if count is None:
            while len(self._counts) >= KNOWN_MAX:
                del self._counts[next(iter(self._counts))]
            count = self._counts[who] = _Count(number)
        elif count.number != number:
            before = count.used if count.number == number - 1 else 0
            count.number, count.used, count.before, count.untold = number, 0, before, 0
        return count


def _wait_s(count: _Count, limit: int, into: float) -> int:
    """Whole seconds until one more passes, if nothing else is let through meanwhile."""
    if count.used >= limit:
        return ceil(WINDOW_S - into) + 1
    share = (limit - 1 - count.used) / max(count.before, 1)
    return max(1, ceil(WINDOW_S * (1 - share) - into))
