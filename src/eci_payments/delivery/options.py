"""How the relay works: its bounds and times, and what it takes from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

LEASE_MARGIN_S = 10.0
"""Beyond the time-out of a call: what writing a conclusion may take while the database is slow."""
SETTLE_S = 8.0
"""A process that is told to stop is gone within 10 s; two are left for everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOptions:
    """``timeout_s`` bounds one call to a peer; ``max_age_s`` is how long a delivery is tried before it is parked.

    ``concurrency`` is how many calls one process has on the way to one peer; ``…_idle_s`` is how long its loops rest
    when there is nothing to do; ``sweep_every_s`` is how often what waits behind a peer that is down is looked over.
    """

    timeout_s: float = 5.0
    max_age_s: float = 72 * 3600.0
    concurrency: int = 32
    fan_out_idle_s: float = 0.2
    courier_idle_s: float = 0.5
    sweep_every_s: float = 600.0

    @property
    def claim_least(self) -> int:
        """How many places must be free before more is claimed beside what is on its way: a claim is a transaction."""
        return self.concurrency // 3

    @property
    def lease_s(self) -> float:
        """How long a claimed delivery is ours alone; a process that dies makes it late by this much."""
        return self.timeout_s * 2 + LEASE_MARGIN_S

    @property
    def settle_s(self) -> float:
        """How long calls on their way are waited for when the process stops."""
        return min(self.timeout_s, SETTLE_S)


Measured = Callable[[str, str, float], None]
"""Told of every try: the peer, the state that the delivery is left in, and how many seconds the try took."""


@dataclass(frozen=True, slots=True)
class Seams:
    """Time, chance and measuring. ``clock`` gives seconds that only ever grow, ``spread`` numbers in [0, 1)."""

    clock: Callable[[], float] = time.monotonic
    spread: Callable[[], float] = SystemRandom().random
    measured: Measured = lambda _peer, _state, _seconds: None
