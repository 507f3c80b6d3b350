"""Who is measured on one database in interleaved rounds: the service in several ways, and pgbench in several ways."""

from __future__ import annotations

import json
import os
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import load
from bench.pgbench import PgBench, script
from bench.rows import charged
from bench.runs import Run, measured, spending
from bench.work import Charges, Reads, Replays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench.stack import Stack
    from bench.work import Work

ONE_COMMIT_RUNS_FROM = 1000
"""pgbench's runs are far fewer than this, so the ids of its two scripts cannot meet."""
READ_ORDERS = 500
"""Different payments that are read in turn: far more than answers under way, so that none is read twice at once."""


@dataclass(slots=True)
class Shop:
    """What contenders share: the service, pgbench's scripts, what was charged before, what went wrong."""

    running: Stack
    seconds: int
    two_commits: PgBench
    one_commit: PgBench
    name: str = field(default_factory=lambda: f"b{os.getpid()}x")
    """Digits, a letter, digits: thirteen of them in a row could be taken for a card number, and refused."""
    number: int = 0
    charged: tuple[str, int] = ("", 0)
    """The name of the run of charges that replays and reads go back to, and how many it answered."""
    maximum: list[float] = field(default_factory=list)
    """Charges/s at 64 connections, run by run."""
    wrong: list[str] = field(default_factory=list)

    def run_name(self) -> str:
        """A new name for a run of charges."""
        self.number += 1
        return f"{self.name}-{self.number}"


def open_shop(running: Stack, seconds: int) -> Shop:
    """The shop, with the rows of one real charge read for pgbench, and connections, caches and statistics warm."""
    sample = charged(running, f"sample-{os.getpid()}")
    shop = Shop(
        running,
        seconds,
        PgBench(running.server, script(sample)),
        PgBench(running.server, script(sample, commits=1), runs_from=ONE_COMMIT_RUNS_FROM),
    )
    warm = shop.run_name()
    outcome = load.run_apart(running.addresses, 64, 2.0, Charges(warm))
    if outcome.wrong:
        raise SystemExit(f"an answer was not {outcome.wanted}: {outcome.wrong[0]}")
    shop.charged = warm, outcome.right
    shop.maximum.append(outcome.per_second)
    running.analyze()
    return shop


def _over_http(
    shop: Shop,
    work: Work,
    connections: int,
    *,
    processes: int | None = None,
    per_second: float | None = None,
) -> Run:
    with spending(shop.running) as spent:
        outcome = load.run_apart(
            shop.running.addresses[:processes], connections, shop.seconds, work, per_second
        )
    shop.wrong += outcome.wrong
    generator = {"generator_cores": outcome.cpu_s / outcome.seconds}
    cores = {name: round(value, 3) for name, value in (spent.cores | generator).items()}
    return measured(outcome) | cores


def charges(connections: int, processes: int | None = None) -> Callable[[Shop], Run]:
    """New charges, as fast as they are answered."""

    def run(shop: Shop) -> Run:
        made = _over_http(shop, Charges(shop.run_name()), connections, processes=processes)
        if connections == 64 and processes is None:  # noqa: PLR2004 - two commits or one - what the half is taken of
            shop.maximum.append(made["per_second"])
        return made

    return run


def at_half(shop: Shop) -> Run:
    """New charges at half the rate that was reached at 64 connections before, by the median of the last three runs."""
    last = sorted(shop.maximum[-3:])
    rate = last[len(last) // 2] / 2
    return _over_http(shop, Charges(shop.run_name()), 64, per_second=rate) | {"asked_per_second": rate}


def replays(shop: Shop) -> Run:
    """Requests of the warm-up again, under their old keys."""
    return _over_http(shop, Replays(*shop.charged), 64)


def reads(shop: Shop) -> Run:
    """Payments of the warm-up by their ids."""
    return _over_http(shop, Reads(_paths(shop)), 64)


def _paths(shop: Shop) -> tuple[str, ...]:
    name, count = shop.charged
    host, port = shop.running.addresses[0]
    url = f"http://{host}:{port}/v1/payments/order/{name}-{count - 1:08d}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        last = int(json.load(answer)["payment_id"])
    found = shop.running.ask(
        "SELECT payment_id FROM payments WHERE payment_id <= $1 AND order_id LIKE $2"
        " ORDER BY payment_id DESC LIMIT $3",
        last,
        f"{name}-%",
        READ_ORDERS,
    )
    return tuple(f"/v1/payments/{row['payment_id']}" for row in found)


def pgbench(clients: int, commits: int = 2) -> Callable[[Shop], Run]:
    """The same rows, one charge at a time, by so many clients."""

    def run(shop: Shop) -> Run:
        bench = shop.two_commits if commits == 2 else shop.one_commit  # noqa: PLR2004 - two commits or one
        return measured(bench.run(clients, max(2, shop.seconds - 1)))

    return run


CLIENTS = (8, 16, 32)
TWO_COMMITS = tuple(f"pgbench-{clients}" for clients in CLIENTS)
ONE_COMMIT = tuple(f"pgbench-one-commit-{clients}" for clients in CLIENTS)
CONTENDERS: dict[str, Callable[[Shop], Run]] = {
    "charges-64": charges(64),
    "charges-256": charges(256),
    "charges-1": charges(1),
    "charges-64-at-half": at_half,
    "charges-64-one-process": charges(64, processes=1),
    "replays-64": replays,
    "reads-64": reads,
    "pgbench-1": pgbench(1),
    **{f"pgbench-{clients}": pgbench(clients) for clients in CLIENTS},
    **{f"pgbench-one-commit-{clients}": pgbench(clients, commits=1) for clients in CLIENTS},
}


def in_rounds(
    shop: Shop, wanted: Iterable[str], rounds: int, said: Callable[[str], None]
) -> dict[str, list[Run]]:
    """Every wanted contender once in every round, every other round backwards, each from a checkpoint on."""
    names = [name for name in CONTENDERS if name in set(wanted)]
    found: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            shop.running.checkpoint()
            run = CONTENDERS[name](shop)
            found[name].append(run)
            said(f"round {number + 1}: {name:24}{run['per_second']:9.0f}/s{run['p50_ms']:9.2f} ms p50")
    return found
