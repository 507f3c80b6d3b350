"""``make bench-large``: what the service keeps of its speed when the database has grown.

Two databases on one server: a small one and a large one, both filled by COPY with payments and all the rows of a
charge. The same requests go to a `serve` on each in turn, in interleaved rounds. Loading goes on where it stopped
(``--keep``), so that it can be done in parts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from bench import copying, load
from bench.figures import FIGURES, Group
from bench.large_books import wrong_in
from bench.report import Report, asked_as
from bench.rows import Row, charged, written
from bench.runs import Run, measured
from bench.stack import Stack, migrated, serving, without_settings
from bench.work import Charges, Reads
from eci_payments.store.embedded import EmbeddedPostgres
from eci_payments.store.embedded.cluster import ADMIN_ROLE, OWNER_ROLE, SERVICE_ROLE

if TYPE_CHECKING:
    from bench.work import Work

SMALL, LARGE = "small", "large"
BYTES_EACH = 6_500
"""Of one payment with all its rows and indexes (5,950 measured) with a margin: looked at before anything else."""
SPARE_BYTES = 6e9
"""The log, and what building the largest index sorts on disk."""
CHUNK = 50_000
"""Payments of one transaction."""
PAGES_DEEP = 900
READ_CONNECTIONS, CHARGE_CONNECTIONS = 4, 64
READ_ORDERS = 2000
SAID_EVERY = 500_000
KINDS = ("charges", "by-order", "first-page", "deep-page")
UNFINISHED = 3
"""The exit code of a load that has to be gone on with."""


def main() -> int:
    """Load, measure, print; 1 when books or answers are wrong, 3 when the time for loading ended first."""
    asked = _arguments()
    folder = asked.keep or asked.folder / "bench-large"
    try:
        return _run(asked, folder)
    finally:
        if asked.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _run(asked: argparse.Namespace, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    _ensure_space(folder, asked.payments)
    begun = time.monotonic()
    with EmbeddedPostgres(folder):
        places = {name: _place(folder, name) for name in (SMALL, LARGE)}
        for place, payments in ((places[SMALL], asked.small), (places[LARGE], asked.payments)):
            if not place.load(payments, begun + 60 * asked.minutes):
                print("The time for loading has ended: run it again with the same --keep to go on.")
                return UNFINISHED
        if asked.load_only:
            return 0
        report, wrong = _measured(places, asked)
    print(f"\n{report.text()}")
    asked.json.write_text(json.dumps(report.json(), indent=1) + "\n")
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    print(f"The numbers are in {asked.json}. It took {time.monotonic() - begun:.0f} s.")
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-large BENCH_ARGS=...", description=__doc__)
    parser.add_argument("--payments", type=int, default=10_000_000, help="in the large database")
    parser.add_argument("--small", type=int, default=10_000, help="payments in the small one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each contender in each round")
    parser.add_argument(
        "--folder", type=Path, default=Path(".data"), help="where the databases are made, and removed"
    )
    parser.add_argument(
        "--keep", type=Path, help="a folder that is kept, and gone on with where there is one"
    )
    parser.add_argument("--minutes", type=float, default=600.0, help="load no longer than this in one go")
    parser.add_argument("--load-only", action="store_true")
    parser.add_argument("--json", type=Path, default=Path(".data/bench-large.json"))
    return parser.parse_args()


def _ensure_space(folder: Path, payments: int) -> None:
    used = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    free, needed = shutil.disk_usage(folder).free, payments * BYTES_EACH + SPARE_BYTES - used
    print(
        f"{payments:,} payments need up to {needed / 1e9:.0f} GB more; {free / 1e9:.0f} GB are free.",
        flush=True,
    )
    if free < needed:
        raise SystemExit("there is not enough space: choose fewer --payments")


@dataclass(slots=True)
class Place:
    """One database: how to reach it, and the file that says how far it is loaded."""

    name: str
    server: EmbeddedPostgres
    environment: dict[str, str]
    state: Path

    def load(self, payments: int, until: float) -> bool:
        """Load what is still missing; whether all of it is there."""
        state = json.loads(self.state.read_text()) if self.state.exists() else self._begin()
        while state["loaded"] < payments and time.monotonic() < until:
            numbers = range(state["loaded"], min(state["loaded"] + CHUNK, payments))
            begun = time.monotonic()
            asyncio.run(self._copy(state, numbers))
            state["copy_s"] += time.monotonic() - begun
            state["loaded"] = numbers.stop
            self._remember(state)
            if numbers.stop % SAID_EVERY == 0 or numbers.stop == payments:
                print(f"  {self.name}: {numbers.stop:,} payments, {state['copy_s']:.0f} s", flush=True)
        if state["loaded"] < payments or (state["again"] and time.monotonic() >= until):
            return False
        if state["again"]:
            begun = time.monotonic()
            asyncio.run(self._finish(state))
            state |= {"index_s": time.monotonic() - begun, "again": []}
            self._remember(state)
        return True

    def _begin(self) -> dict[str, Any]:
        asyncio.run(_create(self.server, self.name))
        migrated(self.environment)
        with contextlib.ExitStack() as running:
            stack = serving(running, self.server, self.environment, 1)
            charged(stack, "sample")
        rows, again = asyncio.run(self._prepare())
        kept = [{"table": r.table, "types": r.types, "values": r.values, "commit": r.commit} for r in rows]
        state: dict[str, Any] = {"rows": kept, "again": again, "loaded": 0, "copy_s": 0.0, "index_s": 0.0}
        self._remember(state)
        return state

    async def _prepare(self) -> tuple[list[Row], list[str]]:
        owner = await asyncpg.connect(self.url)
        try:
            rows = await written(owner, "sample")
            return rows, await copying.set_aside(owner, sorted({row.table for row in rows}))
        finally:
            await owner.close()

    async def _copy(self, state: dict[str, Any], numbers: range) -> None:
        owner = await asyncpg.connect(self.url)
        try:
            await copying.copy(owner, [Row(**row) for row in state["rows"]], numbers)
        finally:
            await owner.close()

    async def _finish(self, state: dict[str, Any]) -> None:
        owner = await asyncpg.connect(self.url)
        try:
            await copying.put_back(owner, state["again"])
            await copying.go_on_above(owner, state["loaded"])
        finally:
            await owner.close()

    def _remember(self, state: dict[str, Any]) -> None:
        self.state.write_text(json.dumps(state))

    @property
    def url(self) -> str:
        """For asyncpg, as the owner."""
        return self.server.url(OWNER_ROLE, self.name).replace("+asyncpg", "")


def _place(folder: Path, name: str) -> Place:
    server = EmbeddedPostgres(folder)
    environment = without_settings() | {
        "DATA_DIR": str(folder),
        "DATABASE_URL": server.url(SERVICE_ROLE, name),
        "MIGRATION_DATABASE_URL": server.url(OWNER_ROLE, name),
        "BENCH_DATABASE": name,
        "GATEWAYS": "simulator",
        "SIMULATOR_DB": ":memory:",
    }
    return Place(name, server, environment, folder / f"{name}.json")


async def _create(server: EmbeddedPostgres, name: str) -> None:
    admin = await asyncpg.connect(server.url(ADMIN_ROLE).replace("+asyncpg", ""))
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {name}")
        await admin.execute(f"CREATE DATABASE {name} OWNER {OWNER_ROLE}")
        await admin.execute(f"GRANT CONNECT ON DATABASE {name} TO {SERVICE_ROLE}")
    finally:
        await admin.close()


@dataclass(slots=True)
class Contender:
    """One kind of request to one of the two."""

    running: Stack
    work: Work
    connections: int

    def run(self, seconds: int) -> load.Outcome:
        """One run."""
        work = self.work
        if isinstance(work, Charges):
            work = Charges(f"{work.run}-{_letters(time.time_ns())}")
        return load.run_apart(self.running.addresses, self.connections, seconds, work)


def _letters(number: int) -> str:
    """A number in letters: beside the count of a request, digits would now and then be a card's number."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def _measured(places: dict[str, Place], asked: argparse.Namespace) -> tuple[Report, list[str]]:
    sizes = {SMALL: asked.small, LARGE: asked.payments}
    wrong: list[str] = []
    rounds: dict[str, list[Run]] = {}
    with contextlib.ExitStack() as held:
        running = {name: serving(held, place.server, place.environment, 1) for name, place in places.items()}
        contenders = {
            f"{name}-{kind}": _contender(stack, kind, sizes[name])
            for kind in KINDS
            for name, stack in running.items()
        }
        for contender in contenders.values():
            contender.run(1)
        for number in range(asked.rounds):
            for name in contenders if number % 2 == 0 else reversed(contenders):
                contenders[name].running.checkpoint()
                outcome = contenders[name].run(asked.seconds)
                wrong += outcome.wrong
                run = measured(outcome)
                rounds.setdefault(name, []).append(run)
                print(
                    f"  round {number + 1}: {name:18}{run['per_second']:8.0f}/s p99 {run['p99_ms']:.2f} ms",
                    flush=True,
                )
        notes = {name: _facts(place, running[name]) for name, place in places.items()}
        for name, place in places.items():
            wrong += wrong_in(place.server.url(OWNER_ROLE, name), copying.FIRST_ID, sizes[name])
    setting = {
        name: str(value) for name, value in vars(asked).items() if name not in {"folder", "keep", "json"}
    }
    setting |= asked_as("make bench-large", sys.argv[1:])
    figures = [figure for figure in FIGURES if figure.group is Group.LARGE]
    return Report(figures, rounds, setting, notes), wrong


def _contender(running: Stack, kind: str, payments: int) -> Contender:
    if kind == "charges":
        return Contender(running, Charges(kind), CHARGE_CONNECTIONS)
    return Contender(running, Reads(_paths(running, kind, payments)), READ_CONNECTIONS)


def _paths(running: Stack, kind: str, payments: int) -> tuple[str, ...]:
    if kind == "by-order":
        chosen = random.Random(2026).choices(range(payments), k=READ_ORDERS)
        return tuple(f"/v1/payments/order/large-{number:08d}" for number in chosen)
    if kind == "first-page":
        return ("/v1/payments",)
    host, port = running.addresses[0]
    with urllib.request.urlopen(f"http://{host}:{port}/v1/payments?page={PAGES_DEEP}", timeout=120) as answer:
        return (f"/v1/payments?cursor={json.load(answer)['next_cursor']}",)


def _facts(place: Place, running: Stack) -> dict[str, Any]:
    state = json.loads(place.state.read_text())
    (row,) = running.ask(
        "SELECT pg_database_size(current_database()) AS bytes, (SELECT count(*) FROM payments) AS n"
    )
    return {
        "payments_loaded": state["loaded"],
        "payments_at_the_end": row["n"],
        "copy_s": round(state["copy_s"], 1),
        "index_s": round(state["index_s"], 1),
        "gigabytes": round(row["bytes"] / 1e9, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
