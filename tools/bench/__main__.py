"""``python -m bench``: measure, print, check the books."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

from bench import load, rows
from bench.pgbench import PgBench, script
from bench.report import Measured, Report
from bench.stack import Stack, stack

CLIENTS = (8, 16, 32)
WARM_UP_S = 1.5
"""Connections, statements and caches are there before the first round counts."""
TARGET = 0.3


def main() -> int:
    """Run it; 1 when the books are wrong, an answer was not 201, or --require is missed."""
    asked = _arguments()
    begun = time.monotonic()
    with stack(asked.folder, asked.serves) as running:
        report, wrong = _measure(running, asked)
        print(report.text())
        code, said = running.verify()
        print(f"verify: {said.splitlines()[-1] if said else code}" if code == 0 else said)
    asked.json.write_text(json.dumps(report.json(), indent=2) + "\n")
    print(f"The numbers are in {asked.json}. It took {time.monotonic() - begun:.0f} s.")
    for line in wrong:
        print(f"an answer was not 201: {line}", file=sys.stderr)
    if asked.require and sorted(report.ratios)[len(report.ratios) // 2] < asked.require:
        print(f"the ratio is below {asked.require}", file=sys.stderr)
        return 1
    return 1 if code or wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=...", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three short rounds, under a minute")
    parser.add_argument("--rounds", type=int, help="how many rounds, at least 3 (default 5)")
    parser.add_argument("--seconds", type=int, help="seconds of HTTP load per round (default 8)")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--serves", type=int, default=min(os.cpu_count() or 1, 2), help="serve processes")
    parser.add_argument("--require", type=float, default=0.0, help="fail below this ratio (median)")
    parser.add_argument(
        "--folder", type=Path, default=Path(".data"), help="where the database is made, and removed"
    )
    parser.add_argument("--json", type=Path, default=Path(".data/bench.json"))
    asked = parser.parse_args()
    asked.rounds = max(3, asked.rounds or (3 if asked.quick else 5))
    asked.seconds = asked.seconds or (3 if asked.quick else 8)
    asked.pgbench_seconds = max(2, asked.seconds // 2)
    return asked


def _measure(running: Stack, asked: argparse.Namespace) -> tuple[Report, list[str]]:
    print(
        f"{asked.rounds} rounds: {asked.seconds} s of charges over HTTP at {asked.connections} connections against"
        f" {asked.serves} serve processes (simulator in memory), then pgbench {asked.pgbench_seconds} s each with"
        f" {', '.join(map(str, CLIENTS))} clients; the same tables, indexes, disk and cores, fsync on.",
        flush=True,
    )
    ceiling = load.ceiling(asked.connections, 2.0)
    pgbench = PgBench(running.server, script(charged(running, f"sample-{os.getpid()}")))
    wrong = load.run_apart(running.addresses, asked.connections, WARM_UP_S, f"warm-{os.getpid()}").wrong
    if wrong:
        raise SystemExit(f"an answer was not 201: {wrong[0]}")
    running.analyze()
    service = f"HTTP, {asked.connections} connections"
    rounds: dict[str, list[Measured]] = {name: [] for name in (service, *map(_name, CLIENTS))}
    for number in range(asked.rounds):
        contenders = [service, *map(_name, CLIENTS)]
        for name in contenders if number % 2 == 0 else reversed(contenders):
            running.checkpoint()
            if name == service:
                outcome = load.run_apart(
                    running.addresses, asked.connections, asked.seconds, f"r{number}-{os.getpid()}"
                )
                wrong += outcome.wrong
            else:
                outcome = pgbench.run(int(name.split()[1]), asked.pgbench_seconds)
            rounds[name].append(_measured(outcome))
    setting = {name: str(value) for name, value in vars(asked).items() if name not in {"folder", "json"}}
    return Report(service, list(map(_name, CLIENTS)), rounds, ceiling, setting), wrong


def _name(clients: int) -> str:
    return f"pgbench {clients} clients"


def _measured(outcome: load.Outcome) -> Measured:
    return Measured(outcome.per_second, outcome.quantile_ms(0.5), outcome.quantile_ms(0.99))


def charged(running: Stack, order: str) -> rows.Sample:
    """The rows of one charge over HTTP, watched."""

    async def charge() -> str:
        await asyncio.to_thread(running.charge, order)
        return order

    return asyncio.run(rows.sample(running.server.urls.owner, charge))


if __name__ == "__main__":
    sys.exit(main())
