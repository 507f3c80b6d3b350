"""Real outages of real parts under load: no acknowledged payment is lost, nothing is taken twice, all heals by itself.

``make chaos`` runs all of them; `make test` those that are quick. Each ends with an audit of everybody's books.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest

from support.archived_server import DATABASE, OWNER, SERVICE, ArchivedServer
from support.auditor import auditor
from support.customers import Asked, Customers
from support.line import Line, State
from support.processes import Processes, Running, processes, run_command
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

ALL = os.environ.get("CHAOS") == "all"
whole = pytest.mark.skipif(not ALL, reason="`make chaos` does it")
CUSTOMERS = 6
BEFORE_S, AFTER_S = 1.5, 2.5
HEALED_WITHIN_S = 180.0
LEASE_S = 3.0


@dataclass
class Town:
    """A service of two `serve` and a `work` over a database that is reached by a line of ours."""

    database: ArchivedServer
    line: Line
    folder: Path
    running: Processes
    serves: dict[str, Running]
    worker: Running
    leads: list[ArchivedServer]
    """Where the line leads; the first counts."""

    @property
    def owner_url(self) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.line.port}/{DATABASE}"


async def leading_to(server: ArchivedServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(server.sockets / ".s.PGSQL.5432")


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    folder = tmp_path / "server"
    folder.mkdir()
    for each in (tmp_path, *tmp_path.parents[:3]):
        each.chmod(each.stat().st_mode | 0o711)
    server = await asyncio.to_thread(ArchivedServer.made, folder)
    await server.start()
    await server.execute(f"CREATE ROLE {OWNER} LOGIN", f"CREATE ROLE {SERVICE} LOGIN", database="postgres")
    await server.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}", database="postgres")
    leads = [server]
    line = Line(lambda: leading_to(leads[0]))
    await line.start()
    async with _opened(tmp_path, line, leads) as made:
        yield made
    await line.stop()
    server.kill()


@asynccontextmanager
async def _opened(tmp_path: Path, line: Line, leads: list[ArchivedServer]) -> AsyncIterator[Town]:
    settings = {
        "DATA_DIR": tmp_path,
        "DATABASE_URL": f"postgresql://{SERVICE}@127.0.0.1:{line.port}/{DATABASE}",
        "MIGRATION_DATABASE_URL": f"postgresql://{OWNER}@127.0.0.1:{line.port}/{DATABASE}",
        "GATEWAYS": "simulator",
        "GATEWAY_TIMEOUT_S": 2,
        "OPERATION_LEASE_S": LEASE_S,
        "DELIVERY_TIMEOUT_S": 1,
        "DB_POOL_SIZE": 4,
        "REQUIRE_RESTRICTED_ROLE": "on",
    }
    with processes(tmp_path / "processes", **settings) as made:
        address = await asyncio.to_thread(made.standins)
        made.environment |= {
            f"{peer}_SERVICE_URL": address for peer in ("ORDER", "INVENTORY", "NOTIFICATION")
        }
        assert await asyncio.to_thread(made.start("migrate").process.wait, 60) == 0
        serves = {}
        for _ in range(2):
            running, base = await asyncio.to_thread(made.serve)
            serves[base] = running
        worker = await asyncio.to_thread(made.work)
        yield Town(leads[0], line, tmp_path, made, serves, worker, leads)


async def survives(town: Town, outage: Callable[[], Awaitable[None]], *, seed: int = 7) -> None:
    """Load, the outage in the middle of it, load; then everybody's books."""
    async with httpx.AsyncClient(timeout=20, limits=httpx.Limits(max_connections=100)) as client:
        customers = Customers(list(town.serves), Random(seed), client)
        stop = asyncio.Event()
        visits = [asyncio.create_task(customers.visit_until(stop)) for _ in range(CUSTOMERS)]
        await asyncio.sleep(BEFORE_S)
        before = sum(asked.status == 201 for asked in customers.history)
        await outage()
        await asyncio.sleep(AFTER_S)
        stop.set()
        await asyncio.gather(*visits)
        await _audited(town)
        await _all_stand_by_their_word(customers)
    answered = sum(asked.status == 201 for asked in customers.history)
    print(
        f"{len(customers.history)} requests, {answered} answered with 201, {answered - before} of them since"
    )
    assert answered > before > 0


async def _audited(town: Town) -> None:
    books = await auditor(town.owner_url, town.folder / "simulator.sqlite3", town.folder / "standins.sqlite3")
    try:
        await until(books.drained, within_s=HEALED_WITHIN_S, every_s=0.3)
        assert await books.wrong_money() == []
        assert await books.wrong_deliveries() == []
        assert await books.stock_of_paid() == []
    finally:
        await books.connection.close()
    verified = await asyncio.to_thread(run_command, "verify", environment=town.running.environment)
    assert verified.returncode == 0, verified.stderr


async def _all_stand_by_their_word(customers: Customers) -> None:
    """What was acknowledged is still so: the same key gets the same bytes. Nobody was left without an answer."""
    assert [asked for asked in customers.history if asked.status is None] == []
    for asked in customers.history:
        if asked.status in {200, 201}:
            again = Asked(asked.method, asked.path, asked.key, asked.body)
            await customers.pursue(again)
            assert (again.status, again.text) == (asked.status, asked.text)


@pytest.mark.timeout(600)
async def test_the_database_is_restarted_at_once_without_a_checkpoint(town: Town):
    async def outage() -> None:
        await asyncio.to_thread(town.database.kill)
        await asyncio.sleep(1)
        await town.database.start()

    await survives(town, outage)


@whole
@pytest.mark.timeout(600)
async def test_answers_of_the_database_do_not_arrive(town: Town):
    """Commits land and nobody hears of it; then every connection breaks."""

    async def outage() -> None:
        town.line.be(State.HALF)
        await asyncio.sleep(2)
        town.line.be(State.CUT)
        await asyncio.sleep(1)
        town.line.be(State.WHOLE)

    await survives(town, outage)


@whole
@pytest.mark.timeout(600)
async def test_the_database_is_slow(town: Town):
    async def outage() -> None:
        town.line.be(State.SLOW)
        await asyncio.sleep(4)
        town.line.be(State.WHOLE)

    await survives(town, outage)


@whole
@pytest.mark.timeout(600)
async def test_no_connection_is_left_for_us(town: Town):
    async def outage() -> None:
        held = []
        town.line.reset()
        try:
            while True:
                held.append(await asyncpg.connect(town.owner_url, timeout=5))
        except (asyncpg.TooManyConnectionsError, OSError):
            await asyncio.sleep(3)
        finally:
            for each in held:
                each.terminate()
        assert len(held) > 10

    await survives(town, outage)


@whole
@pytest.mark.timeout(600)
async def test_a_worker_is_stopped_past_its_lease_and_goes_on(town: Town):
    """Somebody else does its work meanwhile; what it still holds is fenced."""

    async def outage() -> None:
        town.worker.process.send_signal(signal.SIGSTOP)
        second = await asyncio.to_thread(town.running.work)
        await asyncio.sleep(2 * LEASE_S)
        town.worker.process.send_signal(signal.SIGCONT)
        await asyncio.sleep(1)
        assert second.process.poll() is None
        assert town.worker.process.poll() is None

    await survives(town, outage)


@whole
@pytest.mark.timeout(600)
async def test_the_primary_is_killed_and_its_synchronous_standby_promoted(town: Town):
    """What was acknowledged had reached the standby: it is there, and the service finds it by itself."""
    standby = await _standby(town)

    async def outage() -> None:
        await asyncio.to_thread(town.database.kill)
        await asyncio.to_thread(standby.run_program, "pg_ctl", "promote", "-D", str(standby.cluster), "-w")
        await standby.execute("ALTER SYSTEM SET synchronous_standby_names = ''", database="postgres")
        await standby.execute("SELECT pg_reload_conf()", database="postgres")
        town.leads[0] = standby
        town.line.reset()

    try:
        await survives(town, outage)
    finally:
        standby.kill()


async def _standby(town: Town) -> ArchivedServer:
    """A copy of the primary that follows it, without which the primary acknowledges nothing any more."""
    primary = town.database
    folder = town.folder / "standby"
    folder.mkdir()
    for name in ("archive", "sockets"):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, primary.account.uid, primary.account.gid)
    copied = primary.folder / "backups" / "standby"
    connection = (f"--host={primary.sockets}", "--port=5432", "--username=postgres")
    await asyncio.to_thread(
        primary.run_program,
        "pg_basebackup",
        *connection,
        f"--pgdata={copied}",
        "--checkpoint=fast",
        "--no-sync",
        "--write-recovery-conf",
    )
    shutil.move(copied, folder / "cluster")
    standby = ArchivedServer(folder, folder / "cluster", primary.account)
    with (standby.cluster / "postgresql.auto.conf").open("a") as settings:
        settings.write("hot_standby = on\n")
    standby._launch()
    await primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'", database="postgres")
    await primary.execute("SELECT pg_reload_conf()", database="postgres")
    await until(lambda: _follows(primary), within_s=60, every_s=0.2)
    return standby


async def _follows(primary: ArchivedServer) -> bool:
    state = await primary.execute("SELECT sync_state FROM pg_stat_replication", database="postgres")
    return bool(state == "sync")
