"""A service under load over real parts, each reached by a line of ours: what outages are tried on, and the audit after.

Customers go on buying while something fails; then everybody's books are compared, and everybody stands by their word.
"""

from __future__ import annotations

import asyncio
import base64
import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from support import sandbox
from support.archived_server import DATABASE, OWNER, SERVICE, ArchivedServer
from support.auditor import Auditor, auditor
from support.customers import MOSTLY_QUICK_ENDINGS, QUICK_ENDINGS, Asked, Customers
from support.line import Line, leading_to_port, leading_to_socket
from support.processes import Processes, Running, free_port, processes, run_command
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    Outage = Callable[[], Awaitable[None]]

ALL = os.environ.get("CHAOS") == "all"
"""Whether all is tried, as `make chaos` does; else only what is quick."""
SEED = int(os.environ.get("CHAOS_SEED", "0")) or Random().randrange(1, 2**31)
"""What the customers want. Who is quicker is the machine's."""
CUSTOMERS = 12 if ALL else 6
BEFORE_S, BETWEEN_S = 1.0, 1.5
HEALED_WITHIN_S = 180.0
LEASE_S = 3.0
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of the test, 32 bytes..").decode()


@dataclass
class Town:
    """A service of two `serve` and a `work`; lines lead to the database, the peers, and a gateway that is apart."""

    folder: Path
    database: ArchivedServer
    leads: list[ArchivedServer]
    """Where the line to the database leads; the first counts."""
    to_database: Line
    to_peers: Line
    to_gateway: Line | None
    running: Processes
    serves: dict[str, Running]
    worker: Running
    tell: Callable[[str, object], None]
    """Takes what the table of outages says of this test, by name."""

    @property
    def owner_url(self) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.to_database.port}/{DATABASE}"

    async def books(self) -> Auditor:
        """Everybody's, for an auditor whose connection is closed by whoever asked."""
        gateway = "simulator" if self.to_gateway is None else "sandbox"
        record, journal = self.folder / f"{gateway}.sqlite3", self.folder / "standins.sqlite3"
        return await auditor(self.owner_url, record, journal, gateway)


@asynccontextmanager
async def database_server(folder: Path, *, cluster: Path | None = None) -> AsyncIterator[ArchivedServer]:
    """A server in this folder, with an empty database and its two roles; ``cluster`` is where its data folder lies."""
    server = await asyncio.to_thread(ArchivedServer.made, folder, cluster)
    try:
        await server.start()
        await server.execute(
            f"CREATE ROLE {OWNER} LOGIN", f"CREATE ROLE {SERVICE} LOGIN", database="postgres"
        )
        await server.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}", database="postgres")
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def town(
    folder: Path,
    server: ArchivedServer,
    tell: Callable[[str, object], None],
    *,
    gateway_apart: bool = False,
    workers: tuple[dict[str, str], ...] = ({},),
    serves: tuple[dict[str, str], ...] = ({}, {}),
    command: Sequence[str] = (),
    **settings: object,
) -> AsyncIterator[Town]:
    """The town in this folder. ``workers`` and ``serves`` name what each process has in its environment besides.

    ``command`` starts processes anew instead of forking them. With ``gateway_apart`` the gateway is a process of its
    own that speaks HTTP and sends webhooks, else the simulator in ours.
    """
    async with AsyncExitStack() as stack:
        leads = [server]
        to_database = Line(lambda: leading_to_socket(leads[0].socket))
        to_peers = Line(lambda: leading_to_port(urlsplit(peers).port or 0))
        for line in (to_database, to_peers):
            await line.start()
            stack.push_async_callback(line.stop)
        given = _settings(folder, to_database, to_peers)
        ports = [free_port() for _ in serves]
        to_gateway = None
        if gateway_apart:
            to_gateway = await _gateway(stack, folder, ports[0])
            given |= _gateway_settings(to_gateway)
        made = stack.enter_context(processes(folder / "processes", **(given | settings)))
        made.command = command
        peers = await asyncio.to_thread(made.standins)
        assert await asyncio.to_thread(made.start("migrate").process.wait, 60) == 0
        serving = {}
        for port, besides in zip(ports, serves, strict=True):
            running, base = await asyncio.to_thread(made.serve, port, **besides)
            serving[base] = running
        working = [await asyncio.to_thread(made.work, **besides) for besides in workers]
        yield Town(
            folder, server, leads, to_database, to_peers, to_gateway, made, serving, working[0], tell
        )  # fmt: skip


def _settings(folder: Path, to_database: Line, to_peers: Line) -> dict[str, object]:
    at = f"127.0.0.1:{to_database.port}/{DATABASE}"
    peers = {
        f"{peer}_SERVICE_URL": f"http://127.0.0.1:{to_peers.port}"
        for peer in ("ORDER", "INVENTORY", "NOTIFICATION")
    }
    return {
        "DATA_DIR": folder,
        "DATABASE_URL": f"postgresql://{SERVICE}@{at}",
        "MIGRATION_DATABASE_URL": f"postgresql://{OWNER}@{at}",
        "GATEWAYS": "simulator",
        "GATEWAY_TIMEOUT_S": 2,
        "OPERATION_LEASE_S": LEASE_S,
        "DELIVERY_TIMEOUT_S": 1,
        "DB_POOL_SIZE": 4,
        "REQUIRE_RESTRICTED_ROLE": "on",
        **peers,
    }


async def _gateway(stack: AsyncExitStack, folder: Path, hook_port: int) -> Line:
    """A line to a sandbox that tells the service at this port what happens."""
    started = sandbox.running_sandbox(
        folder / "sandbox.sqlite3",
        webhook_url=f"http://127.0.0.1:{hook_port}/v1/gateways/sandbox/webhooks",
        webhook_secrets=[WEBHOOK_SECRET],
    )
    apart = await asyncio.to_thread(stack.enter_context, started)
    line = Line(lambda: leading_to_port(urlsplit(apart.url).port or 0))
    await line.start()
    stack.push_async_callback(line.stop)
    return line


def _gateway_settings(to_gateway: Line) -> dict[str, object]:
    return {
        "GATEWAYS": "sandbox",
        "SANDBOX_URL": f"http://127.0.0.1:{to_gateway.port}",
        "SANDBOX_API_KEY": sandbox.API_KEY,
        "SANDBOX_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    }


@dataclass
class Load:
    """Customers at work; ``history`` and what they saw are theirs."""

    customers: Customers
    visits: list[asyncio.Task[None]]
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def end(self) -> None:
        """Everybody finishes what they began."""
        self.stop.set()
        await asyncio.gather(*self.visits)


@asynccontextmanager
async def load(town: Town) -> AsyncIterator[Load]:
    """Customers buy while the block lasts, or until it ends the load."""
    async with httpx.AsyncClient(timeout=20, limits=httpx.Limits(max_connections=100)) as client:
        customers = Customers(
            list(town.serves), Random(SEED), client, MOSTLY_QUICK_ENDINGS if ALL else QUICK_ENDINGS
        )
        made = Load(customers, [])
        made.visits = [asyncio.create_task(customers.visit_until(made.stop)) for _ in range(CUSTOMERS)]
        try:
            yield made
        finally:
            made.stop.set()
            for each in made.visits:
                each.cancel()


async def survives(town: Town, outage: Outage, *, times: int = 1) -> Customers:
    """Load, so many outages in the middle of it, load; then everybody's books."""
    print(f"CHAOS_SEED={SEED}")
    async with load(town) as under_load:
        customers = under_load.customers
        await asyncio.sleep(BEFORE_S)
        before = customers.answered_with(201)
        for _ in range(times):
            await outage()
            await asyncio.sleep(BETWEEN_S)
        await under_load.end()
        await audited(town)
        await all_stand_by_their_word(customers)
    answered = customers.answered_with(201)
    town.tell("times", times)
    town.tell("seed", SEED)
    town.tell(
        "under", f"{len(customers.history)} requests, {answered} answered with 201, {answered - before} since"
    )
    assert answered > before > 0
    return customers


async def audited(town: Town) -> None:
    """Nothing is under way any more, and nobody's books say anything else than the others'."""
    books = await town.books()
    try:
        await until(books.drained, within_s=HEALED_WITHIN_S, every_s=0.3)
        assert await books.wrong_money() == []
        assert await books.wrong_deliveries() == []
        assert await books.stock_of_paid() == []
    finally:
        await books.connection.close()
    verified = await asyncio.to_thread(run_command, "verify", environment=town.running.environment)
    assert verified.returncode == 0, verified.stderr


async def all_stand_by_their_word(customers: Customers) -> None:
    """What was acknowledged is still so: the same key gets the same bytes. Nobody was left without an honest answer."""
    assert customers.dishonest == []
    assert [asked for asked in customers.history if asked.status is None] == []
    for asked in customers.history:
        if asked.status in {200, 201}:
            again = Asked(asked.method, asked.path, asked.key, asked.body)
            await customers.pursue(again)
            assert (again.status, again.text) == (asked.status, asked.text)
