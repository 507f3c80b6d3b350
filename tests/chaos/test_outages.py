"""Real outages of real parts under load: no acknowledged payment is lost, nothing is taken twice, all heals by itself.

``make chaos`` runs all of them; `make test` those that are quick. Each ends with an audit of everybody's books.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from support import pooler
from support.archived_server import DATABASE, OWNER, SERVICE, ArchivedServer
from support.small_disk import small_disk
from support.town import ALL, LEASE_S, database_server, survives, town
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from support.town import Town

whole = pytest.mark.skipif(not ALL, reason="`make chaos` does it")
pytestmark = pytest.mark.timeout(300)
NO_SPACE = "No space left on device"
DISK_MB = 96
"""An empty cluster with our schema takes 50; what is left is filled by somebody else."""
FULL_TIMES = 30
"""So often what the server gave back is taken again, in three seconds."""


async def test_the_database_is_restarted_at_once_without_a_checkpoint(a_town: Town):
    async def outage() -> None:
        await asyncio.to_thread(a_town.database.kill)
        await asyncio.sleep(0.5)
        await a_town.database.start()

    await survives(a_town, outage, times=2 if ALL else 1)


@whole
async def test_the_database_has_no_space_left_on_its_disk(tmp_path: Path, ground: Path, record_property):
    """First for its tables, then for its log too, whereupon PostgreSQL ends and is started as an operator would."""
    with small_disk(ground / "disk", DISK_MB) as disk:
        async with (
            database_server(ground, cluster=disk.folder / "cluster") as server,
            town(tmp_path, server, record_property) as made,
        ):
            log_too = iter((False, True))

            async def outage() -> None:
                also_log = next(log_too)
                if not also_log:
                    await _lay_in_log(server)
                told = server.log.read_text().count(NO_SPACE)
                for _ in range(FULL_TIMES):
                    await asyncio.to_thread(disk.fill)
                    if also_log:
                        await _write_log(server)
                    await asyncio.sleep(0.1)
                said = server.log.read_text()
                assert said.count(NO_SPACE) > told
                assert ("PANIC" in said) is also_log
                disk.free()
                if not server.is_running:
                    await server.start()

            customers = await survives(made, outage, times=2)
            assert customers.seen[503] > 0


async def _lay_in_log(server: ArchivedServer) -> None:
    """Segments of its log that are there already, more than three seconds fill: the tables are without space first."""
    await server.execute("ALTER SYSTEM SET min_wal_size = '16MB'", "SELECT pg_reload_conf()")
    for _ in range(8):
        await _write_log(server)
    await server.everything_is_archived()
    await server.execute("CHECKPOINT")


async def _write_log(server: ArchivedServer) -> None:
    """Somebody else's transaction, of more log than a segment holds; where there is no space for it, it fails."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await server.execute("SELECT pg_logical_emit_message(true, 'much', repeat('x', 2000000))")


@whole
async def test_no_connection_is_left_for_us(a_town: Town):
    async def outage() -> None:
        held = []
        a_town.to_database.reset()
        try:
            while True:
                held.append(await asyncpg.connect(a_town.owner_url, timeout=5))
        except (asyncpg.TooManyConnectionsError, OSError):
            await asyncio.sleep(3)
        finally:
            for each in held:
                each.terminate()
        assert len(held) > 10

    await survives(a_town, outage)


@whole
@pytest.mark.skipif(pooler.program() is None, reason="pgbouncer is missing (Debian: pgbouncer)")
async def test_pgbouncer_in_transaction_mode_is_killed_and_started_again(
    tmp_path: Path, server: ArchivedServer, record_property
):
    """Between the service and PostgreSQL, with fewer connections than clients have, and no prepared statements."""
    record_property("noted", pooler.version())
    between = pooler.Pooler.before(server)
    between.start()
    settings: dict[str, Any] = {
        "DATABASE_URL": f"postgresql://{SERVICE}@127.0.0.1:{between.port}/{DATABASE}",
        "MIGRATION_DATABASE_URL": f"postgresql://{OWNER}@127.0.0.1:{between.port}/{DATABASE}",
        "DB_PREPARED_STATEMENTS": "off",
    }

    async def outage() -> None:
        between.kill()
        await asyncio.sleep(0.5)
        await asyncio.to_thread(between.start)

    try:
        async with town(tmp_path, server, record_property, **settings) as made:
            await survives(made, outage, times=3)
            through = await server.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = 'drill_service'", database="postgres"
            )
            assert 0 < through <= 3
    finally:
        between.kill()


@whole
async def test_a_worker_is_stopped_past_its_lease_and_goes_on(a_town: Town):
    """Somebody else does its work meanwhile; what it still holds is fenced."""

    async def outage() -> None:
        a_town.worker.process.send_signal(signal.SIGSTOP)
        second = await asyncio.to_thread(a_town.running.work)
        await asyncio.sleep(2 * LEASE_S)
        a_town.worker.process.send_signal(signal.SIGCONT)
        await asyncio.sleep(1)
        assert second.process.poll() is None
        assert a_town.worker.process.poll() is None

    await survives(a_town, outage)


@whole
async def test_the_primary_is_killed_and_its_synchronous_standby_promoted(a_town: Town):
    """What was acknowledged had reached the standby: it is there, and the service finds it by itself."""
    standby = await _standby(a_town)

    async def outage() -> None:
        await asyncio.to_thread(a_town.database.kill)
        await asyncio.to_thread(standby.run_program, "pg_ctl", "promote", "-D", str(standby.cluster), "-w")
        await standby.execute("ALTER SYSTEM SET synchronous_standby_names = ''", database="postgres")
        await standby.execute("SELECT pg_reload_conf()", database="postgres")
        a_town.leads[0] = standby
        a_town.to_database.reset()

    try:
        await survives(a_town, outage)
    finally:
        standby.kill()


async def _standby(town: Town) -> ArchivedServer:
    """A copy of the primary that follows it, without which the primary acknowledges nothing any more."""
    primary = town.database
    folder = primary.folder / "standby"
    folder.mkdir(mode=0o711)
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
