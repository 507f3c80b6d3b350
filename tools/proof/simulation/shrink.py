"""A failing plan made small: whatever it fails without is left out, halves first, then one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from proof.simulation.plan import Plan
    from proof.simulation.run import Ended

MOST_RUNS = 80
"""A run takes a second or two, and most plans are small after thirty."""


def laws(found: tuple[str, ...]) -> frozenset[str]:
    """The names of the laws that were broken."""
    return frozenset(each.partition(":")[0] for each in found)


def shrunk(first: Ended, run: Callable[[Plan], Ended], most_runs: int = MOST_RUNS) -> Ended:
    """The smallest plan found that still breaks one of the same laws, as it ended."""
    smallest, broken, runs = first, laws(first.found), 0
    size = max(1, len(first.plan.parts) // 2)
    while runs < most_runs:
        left, at = len(smallest.plan.parts), 0
        while at < len(smallest.plan.parts) and runs < most_runs:
            tried = run(smallest.plan.without(smallest.plan.parts[at : at + size]))
            runs += 1
            if laws(tried.found) & broken:
                smallest = tried
            else:
                at += size
        if size == 1 and len(smallest.plan.parts) == left:
            break
        size = max(1, size // 2)
    return smallest
