"""One worker process and healthy peers: how fast it tells them, and how soon after the commit it has their answer.

Each round charges through one API process while no worker runs, then starts a worker and lets it tell the peers of
all of it: deliveries/s by the database's own times, from the first try to the last conclusion. Then, with both
running, charges come at a fixed rate: higher and higher until the worker falls behind, then several rounds at the
highest that it sustained.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import load
from bench.peer import peer
from bench.runs import Run, measured
from bench.stack import stack
from bench.work import Charges

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from bench.peer import Peer
    from bench.stack import Stack

PEERS = ("order", "inventory", "notification")
DRAIN_TIMEOUT_S = 300.0
STEPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the rate at which a backlog is told, tried in turn: with charges coming in beside it, it cannot be more."""
STEP_S = 4
TRIES = 2
"""A rate is given up when it was too high twice: one run may have met somebody else's work on the machine."""
SETTLED_S = 1.0
"""A rate is sustained when what its last charges committed is told as soon as this, at the 99th of a hundred."""
CHARGES_AT_ONCE = 32


@dataclass(slots=True)
class Told:
    """The stack, its peer, and what went wrong."""

    running: Stack
    peer: Peer
    wrong: list[str]

    def charge(self, seconds: int, run: str, per_second: float | None = None) -> load.Outcome:
        """Charges through the one API process."""
        outcome = load.run_apart(
            self.running.addresses[:1], 64 if per_second is None else CHARGES_AT_ONCE, seconds,
            Charges(run), per_second,
        )  # fmt: skip
        self.wrong += outcome.wrong
        return outcome


def measure(
    asked: argparse.Namespace, said: Callable[[str], None]
) -> tuple[dict[str, list[Run]], dict[str, object], list[str]]:
    """The rounds, what else is worth saying, and what went wrong (wrong books too)."""
    with ExitStack() as held:
        healthy = held.enter_context(peer())
        urls = {f"{name.upper()}_SERVICE_URL": healthy.url for name in PEERS}
        running = held.enter_context(stack(asked.folder, 1, urls))
        told = Told(running, healthy, [])
        rounds: dict[str, list[Run]] = {"api": [], "worker": [], "worker-sustained": []}
        told.charge(2, "warm")
        running.analyze()
        with running.worker():
            drained(running)
        for number in range(asked.rounds):
            api, worker = _backlog(told, asked.seconds, f"backlog-{number}")
            rounds["api"].append(api)
            rounds["worker"].append(worker)
            said(
                f"round {number + 1}: {api['per_second']:6.0f} charges/s, {worker['per_second']:6.0f} told/s"
            )
        tried = _sustained(told, rounds, asked, said)
        code, words = running.verify()
        if code:
            told.wrong.append(words)
    return rounds, {"sustained": tried}, told.wrong


def _backlog(told: Told, seconds: int, run: str) -> tuple[Run, Run]:
    told.running.checkpoint()
    api = measured(told.charge(seconds, run))
    told.peer.answered()
    with told.running.worker():
        drained(told.running)
    (row,) = told.running.ask(
        "SELECT count(*) AS told, extract(epoch FROM max(d.concluded_at) - min(d.first_attempt_at)) AS seconds"
        " FROM deliveries d JOIN payments p USING (merchant_id, payment_id) WHERE p.order_id LIKE $1",
        f"{run}-%",
    )
    if len(told.peer.answered()) != row["told"]:
        told.wrong.append(f"{run}: the peer did not answer as many calls as there are deliveries")
    return api, {"per_second": round(row["told"] / float(row["seconds"]), 1), "told": row["told"]}


def drained(running: Stack) -> None:
    """Wait until every event has been fanned out and every delivery concluded."""
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    while time.monotonic() < deadline:
        (row,) = running.ask(_LEFT)
        if not row["left"]:
            return
        time.sleep(0.3)
    raise RuntimeError("the worker did not tell everything in time")


_LEFT = """
SELECT EXISTS (SELECT FROM deliveries WHERE state = 'PENDING')
    OR EXISTS (SELECT FROM events e JOIN cursors c ON c.merchant_id = e.merchant_id AND c.reader = 'relay'
               WHERE (e.committed_in, e.event_id) > (c.committed_in, c.position))
    OR NOT EXISTS (SELECT FROM cursors WHERE reader = 'relay') AS left
"""


def _sustained(
    told: Told, rounds: dict[str, list[Run]], asked: argparse.Namespace, said: Callable[[str], None]
) -> list[Run]:
    events_told = sorted(run["per_second"] for run in rounds["worker"])[len(rounds["worker"]) // 2]
    charges_told = events_told / (rounds["worker"][-1]["told"] / _charged(told, asked))
    tried: list[Run] = []
    with told.running.worker():
        best = STEPS[0]
        for step in STEPS:
            for attempt in range(TRIES):
                run = _paced(
                    told, charges_told * step, STEP_S, f"step-{step:.1f}-{attempt}".replace(".", "-")
                )
                tried.append(run)
                said(
                    f"{run['asked_per_second']:6.0f} charges/s: last second's p99 {run['last_p99_ms']:.0f} ms"
                )
                if run["last_p99_ms"] <= SETTLED_S * 1000:
                    best = step
                    break
            if best != step:
                break
        for number in range(asked.rounds):
            run = _paced(told, charges_told * best, asked.seconds, f"sustained-{number}")
            rounds["worker-sustained"].append(run)
            said(f"{run['asked_per_second']:6.0f} charges/s: p99 {run['p99_ms']:.0f} ms")
    return tried


def _charged(told: Told, asked: argparse.Namespace) -> int:
    (row,) = told.running.ask(
        "SELECT count(*) AS charged FROM payments WHERE order_id LIKE $1", f"backlog-{asked.rounds - 1}-%"
    )
    return int(row["charged"])


def _paced(told: Told, per_second: float, seconds: int, run: str) -> Run:
    told.peer.answered()
    outcome = told.charge(seconds, run, per_second)
    drained(told.running)
    waits = list(_waits(told, run))
    ordered = sorted(wait for _, wait in waits)
    begun = min(at for at, _ in waits)
    last = sorted(wait for at, wait in waits if at >= begun + seconds - 1)
    return {
        "asked_per_second": round(per_second, 1),
        "charges_per_second": round(outcome.per_second, 1),
        "per_second": round(len(waits) / seconds, 1),
        "p50_ms": _at(ordered, 0.5),
        "p99_ms": _at(ordered, 0.99),
        "last_p99_ms": _at(last, 0.99),
    }


def _waits(told: Told, run: str) -> Iterator[tuple[float, float]]:
    """(when its transaction began, seconds until the peer had answered) of every call of this run."""
    began = {
        f"{row['transaction_id']}-{row['sequence']}": float(row["at"])
        for row in told.running.ask(
            "SELECT p.transaction_id, e.sequence, extract(epoch FROM e.created_at) AS at"
            " FROM events e JOIN payments p USING (merchant_id, payment_id) WHERE p.order_id LIKE $1",
            f"{run}-%",
        )
    }
    answered = told.peer.answered()
    for key, at in answered.items():
        event = key.rpartition("-")[0]
        if event in began:
            yield began[event], at - began[event]


def _at(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1) if ordered else 0.0
