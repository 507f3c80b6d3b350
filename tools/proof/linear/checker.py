"""Is a concurrent history linearizable? The algorithm of Wing and Gong, with Lowe's memory of what was tried.

J. M. Wing and C. Gong, "Testing and verifying concurrent objects" (1993); G. Lowe, "Testing for
linearizability" (2017).
Knows nothing of payments. Histories of different orders are checked apart (a history is linearizable if each of its
objects is: Herlihy and Wing, 1990), which keeps each search small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

State = TypeVar("State", bound="Hashable")
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    """Something that took effect at one moment between ``begun`` and ``ended``, or never where ``ended`` is NEVER.

    ``apply`` gives the state after it, or None where it cannot have happened in this state. ``after`` is the place, in
    the history, of a step that comes before it.
    """

    name: str
    begun: float
    ended: float
    apply: Callable[[State], State | None]
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """An order of the steps that explains the history, or the longest that was found when none does."""

    holds: bool
    order: tuple[str, ...]


class TooManyStates(Exception):
    """The search was given up: the history is too concurrent to be judged."""


def explain(history: Sequence[Step[State]], initial: State, *, most: int = 2_000_000) -> Explained:
    """Search an order in which every step that ended took effect within its time. ``most`` bounds the search."""
    must = frozenset(i for i, step in enumerate(history) if step.ended != NEVER)
    seen: set[tuple[frozenset[int], State]] = set()
    waiting: list[tuple[frozenset[int], State, tuple[int, ...]]] = [(frozenset(), initial, ())]
    longest: tuple[int, ...] = ()
    while waiting:
        done, state, order = waiting.pop()
        if must <= done:
            return Explained(True, tuple(history[i].name for i in order))  # noqa: FBT003 - it holds
        if (done, state) in seen:
            continue
        seen.add((done, state))
        if len(seen) > most:
            raise TooManyStates
        longest = max(longest, order, key=len)
        waiting += _further(history, done, state, order)
    return Explained(False, tuple(history[i].name for i in longest))  # noqa: FBT003 - it does not hold


def _further(
    history: Sequence[Step[State]], done: frozenset[int], state: State, order: tuple[int, ...]
) -> list[tuple[frozenset[int], State, tuple[int, ...]]]:
    """Every step that may come next: begun before any step that is left has ended."""
    left = [i for i in range(len(history)) if i not in done]
    horizon = min((history[i].ended for i in left), default=NEVER)
    found = []
    for i in left:
        step = history[i]
        if step.begun > horizon or (step.after is not None and step.after not in done):
            continue
        following = step.apply(state)
        if following is not None:
            found.append((done | {i}, following, (*order, i)))
    return found
