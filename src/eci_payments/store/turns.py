"""Whose turn it is in a lane: several callers take turns, so that nobody waits behind all that another has sent.

While one caller is alone, everything is in the order of its arrival and a batch takes what fits. As soon as another one
comes, each has at most `SHARE` in a batch, in turns, and the rest of a long backlog waits behind its own beginning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SHARE = 8
"""Of one caller in a batch that it has to share. What a batch takes is what the others wait for, twice for each charge.
Beside one other caller, a backlog goes on at seven tenths of its pace for it, and the other's charges wait a third less
than with whole batches (docs/asvs.md); eight callers fill a batch."""
ALONE_AFTER_S = 1.0
"""A caller that was the only one for so long has the batches to itself again."""


class Turns(Generic[T]):
    """What waits, by caller. ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._waiting: dict[Hashable, deque[T]] = {}
        self._depth = 0
        self._latest: Hashable = None
        self._mixed_at = -ALONE_AFTER_S

    def __len__(self) -> int:
        return self._depth

    def add(self, whose: Hashable, item: T) -> None:
        """The newest of this caller."""
        if whose != self._latest:
            if self._latest is not None:
                self._mixed_at = self._clock()
            self._latest = whose
        waiting = self._waiting.get(whose)
        if waiting is None:
            waiting = self._waiting[whose] = deque()
        waiting.append(item)
        self._depth += 1

    def take(self, most: int) -> list[T]:
        """The next batch: at most so many, and of each caller its oldest. Whoever leaves some is last the next time."""
        share = min(most, SHARE) if self._is_shared() else most
        taken: list[T] = []
        for whose in list(self._waiting):
            if len(taken) == most:
                break
            waiting = self._waiting.pop(whose)
            count = min(share, most - len(taken), len(waiting))
            taken += [waiting.popleft() for _ in range(count)]
            if waiting:
                self._waiting[whose] = waiting
        self._depth -= len(taken)
        return taken

    def _is_shared(self) -> bool:
        return len(self._waiting) > 1 or self._clock() - self._mixed_at < ALONE_AFTER_S
