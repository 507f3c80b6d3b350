"""docs/methods.md, pasted into a shell: it works, and shows what it shows, over both forms of the simulator.

Once against the demo; once with the service on a database of its own, charging through a sandbox that is a process of
its own, over HTTP. The tours need nothing of each other, and so run side by side.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from support.demo import demo
from support.processes import ADDRESS, processes, run_command
from support.tours import tours_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.postgres import Server
    from support.processes import Processes

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
BEFORE, TOURS = tours_of(PAGE)
METHODS = ["Credit card", "Debit card", "UPI", "Wallet", "Net banking", "Cash on delivery"]


@dataclass
class Stack:
    """A service that runs, and where its gateway keeps its books."""

    service: str
    made: Processes
    record: Path


@contextmanager
def as_demo(folder: Path, _: Server, __: str) -> Iterator[Stack]:
    with demo(folder / ".data") as running:
        yield Stack(running.address("API docs"), running.made, folder / ".data" / "simulator.sqlite3")


@contextmanager
def over_http(folder: Path, postgres: Server, template: str) -> Iterator[Stack]:
    record = folder / "sandbox.sqlite3"
    database = postgres.create(template)
    settings = {
        "DATA_DIR": folder,
        "DATABASE_URL": database.service_url,
        "GATEWAYS": "sandbox",
        "SANDBOX_API_KEY": "sk_sandbox_of_the_tour",
        "SANDBOX_DB": record,
    }
    with processes(folder / "out", **settings) as made:
        found = ADDRESS.search(made.start("sandbox").wait_for("http://"))
        assert found
        made.environment["SANDBOX_URL"] = found.group(0)
        service = made.serve()[1]
        made.work()
        yield Stack(service, made, record)


@dataclass
class Toured:
    """What each tour printed, and the stack that it was made with."""

    printed: dict[str, list[str]]
    stack: Stack


@pytest.fixture(scope="module", params=[as_demo, over_http], ids=["demo", "sandbox"])
def toured(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres: Server,
    template: str,
) -> Iterator[Toured]:
    folder = tmp_path_factory.mktemp("tour")
    folder.chmod(0o755)
    with request.param(folder, postgres, template) as stack:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = stack.made.environment | {"PATH": path}
        with ThreadPoolExecutor(len(TOURS)) as together:
            running = {
                tour.name: together.submit(tour.run, stack.service, BEFORE, folder, environment)
                for tour in TOURS
            }
            printed = {name: each.result() for name, each in running.items()}
        yield Toured(printed, stack)


@pytest.mark.parametrize("tour", TOURS, ids=lambda tour: tour.name)
def test_what_is_shown_is_what_it_prints(toured: Toured, tour: Any):
    assert len(tour.shown) >= 2
    assert toured.printed[tour.name] == tour.shown


def test_the_gateways_books_are_ours(toured: Toured):
    listed = httpx.get(f"{toured.stack.service}/v1/payments", params={"page_size": 100}).json()
    ours = [each for each in listed["payments"] if each["gateway"]]
    kept = sum(each["amount_captured_minor"] - each["amount_refunded_minor"] for each in ours)
    books = SimulatorRecord(toured.stack.record)
    totals = books.totals("INR")
    books.close()
    assert (totals.net_minor, listed["next_cursor"]) == (kept, None)
    assert len(ours) >= 15
    proved = run_command("verify", environment=toured.stack.made.environment)
    assert (proved.returncode, "The books are right" in proved.stdout) == (0, True), proved.stdout


def test_there_is_a_tour_of_every_method():
    assert [tour.name for tour in TOURS] == METHODS
