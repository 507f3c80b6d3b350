"""What is looked at every few seconds while the load goes on."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from bench.runs import postgres_pids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.stack import Stack

MEGABYTE = 1e6
EVERY_S = 5.0
VACUUMING = "autovacuum worker"
"""What a process of PostgreSQL's calls itself that comes, takes its maintenance_work_mem, and goes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. ``at_s`` counts from the first; sizes are in bytes, memory in megabytes."""

    at_s: float
    serve_mb: float
    """Resident memory of the largest `serve`."""
    work_mb: float
    postgres_mb: float
    """What PostgreSQL's processes have for themselves: not the shared buffers, nor the workers of autovacuum."""
    files: int
    """Open in all processes of ours together."""
    connections: int
    waiting: int
    """Operations that are open, events that nobody was told of yet, deliveries that wait."""
    payments: int
    live_rows: int
    dead_rows: int
    size_bytes: int
    """Of all tables and their indexes."""

    @property
    def dead_share(self) -> float:
        """Rows that nobody sees any more for each that is there."""
        return self.dead_rows / max(self.live_rows, 1)

    @property
    def bytes_per_payment(self) -> float:
        """Of all tables and indexes."""
        return self.size_bytes / max(self.payments, 1)


def looked(running: Stack, worker: int, at_s: float) -> Sample:
    """One look at everything."""
    ours = [psutil.Process(pid) for pid in (*running.pids, worker)]
    resident = [each.memory_info().rss / MEGABYTE for each in ours]
    (row,) = running.ask(_LOOK)
    return Sample(
        at_s=round(at_s, 1),
        serve_mb=round(max(resident[:-1]), 1),
        work_mb=round(resident[-1], 1),
        postgres_mb=round(_private(postgres_pids(running)) / MEGABYTE, 1),
        files=sum(each.num_fds() for each in ours),
        **dict(row),
    )


def _private(pids: Sequence[int]) -> float:
    total = 0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):  # a connection may end while it is looked at
            process = psutil.Process(pid)
            if VACUUMING not in " ".join(process.cmdline()):
                total += process.memory_full_info().uss
    return total


def sampled(running: Stack, worker: int, is_over: Callable[[], bool]) -> list[Sample]:
    """Look again and again until it is over."""
    begun = time.monotonic()
    samples: list[Sample] = []
    while not is_over():
        samples.append(looked(running, worker, time.monotonic() - begun))
        print(f"  {_words(samples[-1])}", flush=True)
        time.sleep(max(0.0, begun + EVERY_S * len(samples) - time.monotonic()))
    return samples


def _words(sample: Sample) -> str:
    return (
        f"{sample.at_s:6.0f} s  {sample.payments:8,} payments  serve {sample.serve_mb:.0f} MB"
        f"  work {sample.work_mb:.0f} MB  PostgreSQL {sample.postgres_mb:.0f} MB"
        f"  {sample.connections} connections  {sample.files} files"
        f"  {sample.waiting} waiting  {sample.dead_share:.3f} dead"
    )


_LOOK = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()) AS connections,
       (SELECT count(*) FROM operations WHERE due_at IS NOT NULL)
       + (SELECT count(*) FROM deliveries WHERE state = 'PENDING')
       + (SELECT count(*) FROM events e JOIN cursors c ON c.merchant_id = e.merchant_id AND c.reader = 'relay'
          WHERE (e.committed_in, e.event_id) > (c.committed_in, c.position)) AS waiting,
       (SELECT count(*) FROM payments) AS payments,
       sum(n_live_tup)::bigint AS live_rows, sum(n_dead_tup)::bigint AS dead_rows,
       sum(pg_total_relation_size(relid))::bigint AS size_bytes
FROM pg_stat_user_tables
"""
