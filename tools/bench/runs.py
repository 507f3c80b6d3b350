"""What one run of one contender gave, as named quantities, and how its processors' time was spent."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.load import Outcome
    from bench.stack import Stack

Run = dict[str, float]
"""``per_second``, ``p50_ms``, ``p99_ms``, ``mean_ms``, and whatever else its contender measures; units last."""


def measured(outcome: Outcome) -> Run:
    """An outcome's numbers."""
    return {
        "per_second": round(outcome.per_second, 2),
        "p50_ms": round(outcome.quantile_ms(0.5), 3),
        "p99_ms": round(outcome.quantile_ms(0.99), 3),
        "mean_ms": round(outcome.mean_ms, 3),
    }


@dataclass(slots=True)
class Spent:
    """Cores' worth of processor time, on average, of each kind of process while the block ran."""

    seconds: float = 0.0
    cores: dict[str, float] = field(default_factory=dict)


@contextmanager
def spending(running: Stack) -> Iterator[Spent]:
    """Watch the `serve` processes and PostgreSQL's. A connection that ends meanwhile takes its time with it."""
    spent, begun = Spent(), time.monotonic()
    before, busy_s = _cpu_s(running), _busy_s()
    try:
        yield spent
    finally:
        spent.seconds = time.monotonic() - begun
        after = _cpu_s(running)
        machine_s = _busy_s() - busy_s
        spent.cores = {
            name: sum(seconds - before[name].get(pid, 0.0) for pid, seconds in now.items()) / spent.seconds
            for name, now in after.items()
        } | {"machine_cores": machine_s / spent.seconds}


def _busy_s() -> float:
    """What every process of the machine has used: who else was at work shows in the difference."""
    used = psutil.cpu_times()
    return float(sum(used) - used.idle - getattr(used, "iowait", 0.0) - getattr(used, "guest", 0.0))


def _cpu_s(running: Stack) -> dict[str, dict[int, float]]:
    return {"serve_cores": _each(running.pids), "postgres_cores": _each(postgres_pids(running))}


def _each(pids: Sequence[int]) -> dict[int, float]:
    times = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            used = psutil.Process(pid).cpu_times()
            times[pid] = used.user + used.system
    return times


def postgres_pids(running: Stack) -> list[int]:
    """PostgreSQL's processes, its main one first."""
    main = int((running.server.layout.cluster / "postmaster.pid").read_text().split()[0])
    return [main, *(child.pid for child in psutil.Process(main).children(recursive=True))]
