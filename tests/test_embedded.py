"""The embedded PostgreSQL is started, shared, killed and stopped for real, each time in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil
import pytest

from eci_payments.store.embedded import (
    DataDirInUse,
    EmbeddedError,
    EmbeddedPostgres,
    claim_data_dir,
    launcher,
    pgbench_path,
)
from eci_payments.store.embedded.account import _may_enter, server_account
from eci_payments.store.embedded.cluster import ADMIN_ROLE
from eci_payments.store.embedded.postmaster import running_postmaster
from eci_payments.store.embedded.programs import program_path, programs_folder

if TYPE_CHECKING:
    from collections.abc import Callable

only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")

START_AND_WAIT = """
import sys, time
from eci_payments.store.embedded import EmbeddedPostgres
EmbeddedPostgres(sys.argv[1], ephemeral=sys.argv[2] == "ephemeral").start()
print("ready", flush=True)
time.sleep(600)
"""
CLAIM_AND_WAIT = """
import sys, time, pathlib
from eci_payments.store.embedded import claim_data_dir
with claim_data_dir(pathlib.Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(600)
"""
START_AND_STOP = """
import sys
from eci_payments.store.embedded import EmbeddedPostgres
with EmbeddedPostgres(sys.argv[1]):
    print("ready")
"""
CONNECT_AS_STRANGER = """
import os, socket, sys
os.setuid(12345)
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
"""


async def ask(url: str, sql: str) -> Any:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def pid_of(server: EmbeddedPostgres) -> int:
    running = running_postmaster(server.layout.cluster)
    assert running is not None
    return running.process.pid


def eventually(happened: Callable[[], bool], within_s: float = 20) -> bool:
    deadline = time.monotonic() + within_s
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def run_until_ready(code: str, *arguments: str) -> subprocess.Popen[str]:
    started = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def kill_server(server: EmbeddedPostgres) -> None:
    os.kill(pid_of(server), signal.SIGKILL)
    assert eventually(lambda: running_postmaster(server.layout.cluster) is None)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


async def test_what_was_written_is_there_after_a_restart(tmp_path):
    async with EmbeddedPostgres(tmp_path) as urls:
        await ask(urls.owner, "CREATE TABLE kept AS SELECT 42 AS answer")
    async with EmbeddedPostgres(tmp_path) as urls:
        assert await ask(urls.owner, "SELECT answer FROM kept") == 42


async def test_an_acknowledged_commit_is_on_disk_and_times_are_utc(tmp_path):
    async with EmbeddedPostgres(tmp_path) as urls:
        shown = {
            name: await ask(urls.service, f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "full_page_writes", "TimeZone", "server_encoding")
        }
        order = await ask(
            urls.service, "SELECT string_agg(c, '' ORDER BY c) FROM unnest('{b,B,a,_}'::text[]) AS c"
        )
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }
    assert order == "B_ab"


async def test_a_killed_server_recovers_what_was_committed(tmp_path):
    server = EmbeddedPostgres(tmp_path)
    urls = server.start()
    await ask(urls.owner, "CREATE TABLE kept AS SELECT generate_series(1, 1000)")
    kill_server(server)
    with EmbeddedPostgres(tmp_path) as again:
        assert await ask(again.owner, "SELECT count(*) FROM kept") == 1000
    server.stop()


async def test_a_server_killed_under_a_living_user_is_started_again_at_the_same_address(tmp_path):
    server = EmbeddedPostgres(tmp_path)
    urls = server.start()
    assert server.ensure_running() is False
    kill_server(server)
    assert server.ensure_running() is True
    assert await ask(urls.service, "SELECT 1") == 1
    server.stop()


async def test_it_stops_with_its_last_user(tmp_path):
    first, second = EmbeddedPostgres(tmp_path), EmbeddedPostgres(tmp_path)
    first.start()
    urls = second.start()
    pid = pid_of(first)
    assert pid_of(second) == pid
    first.stop()
    assert await ask(urls.service, "SELECT 1") == 1
    second.stop()
    second.stop()
    assert running_postmaster(first.layout.cluster) is None
    assert eventually(lambda: not psutil.pid_exists(pid))


async def test_a_server_without_users_or_keeper_is_taken_over(tmp_path):
    starter = run_until_ready(START_AND_WAIT, str(tmp_path), "")
    server = EmbeddedPostgres(tmp_path)
    orphan = pid_of(server)
    keeper = psutil.Process(orphan).parent()
    assert keeper is not None
    kill(starter)
    keeper.kill()
    urls = server.start()
    assert pid_of(server) == orphan
    assert await ask(urls.service, "SELECT 1") == 1
    server.stop()
    assert running_postmaster(server.layout.cluster) is None


def test_the_keeper_stops_a_server_whose_users_were_killed(tmp_path):
    folder = tmp_path / "passing"
    starter = run_until_ready(START_AND_WAIT, str(folder), "ephemeral")
    pid = pid_of(EmbeddedPostgres(folder))
    kill(starter)
    assert eventually(lambda: not psutil.pid_exists(pid))
    assert eventually(lambda: not folder.exists())


def test_the_keeper_stops_a_server_whose_data_folder_was_removed(tmp_path):
    folder = tmp_path / "removed"
    server = EmbeddedPostgres(folder)
    server.start()
    pid = pid_of(server)
    folder.rename(tmp_path / "elsewhere")
    assert eventually(lambda: not psutil.pid_exists(pid))


async def test_ctrl_c_at_the_terminal_does_not_reach_the_database(tmp_path):
    server = EmbeddedPostgres(tmp_path)
    urls = server.start()
    assert os.getpgid(pid_of(server)) != os.getpgid(0)
    assert os.getsid(pid_of(server)) != os.getsid(0)
    assert await ask(urls.service, "SELECT 1") == 1
    server.stop()


@pytest.mark.parametrize("name", ["d" * 60 + "/" + "e" * 60, "comma, colon: and ünïcode"])
async def test_a_folder_too_deep_or_too_odd_for_a_socket_has_its_socket_in_a_short_one(tmp_path, name):
    server = EmbeddedPostgres(tmp_path / name)
    async with server as urls:
        assert server.socket_folder.parent == Path("/tmp")
        assert server.socket_folder.stat().st_mode & 0o077 == 0
        assert await ask(urls.service, "SELECT current_database()") == "payment_db"
    assert eventually(lambda: not server.socket_folder.exists())


def test_a_socket_folder_made_by_somebody_else_is_refused(tmp_path):
    server = EmbeddedPostgres(tmp_path / ("d" * 120))
    server.socket_folder.mkdir(mode=0o755)
    try:
        with pytest.raises(EmbeddedError, match="is not a private folder"):
            server.start()
    finally:
        server.socket_folder.rmdir()


def test_a_stale_process_number_that_now_belongs_to_another_process_is_no_obstacle(tmp_path):
    server = EmbeddedPostgres(tmp_path)
    server.start()
    pid_file = server.layout.cluster / "postmaster.pid"
    kill_server(server)
    account = server_account(server.layout.cluster)
    other = subprocess.Popen(["sleep", "600"], user=None if account.is_us else account.uid)
    try:
        lines = pid_file.read_text().splitlines(keepends=True)
        pid_file.write_text("".join([f"{other.pid}\n", *lines[1:]]))
        assert server.ensure_running() is True
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        server.stop()


def test_a_cluster_whose_making_was_interrupted_is_made_again(tmp_path):
    server = EmbeddedPostgres(tmp_path)
    server.layout.unfinished_cluster.mkdir(parents=True)
    (server.layout.unfinished_cluster / "PG_VERSION").write_text("18\n")
    with server:
        assert running_postmaster(server.layout.cluster) is not None


def test_a_cluster_of_another_release_is_refused_by_name(tmp_path):
    server = EmbeddedPostgres(tmp_path)
    server.layout.cluster.mkdir(parents=True)
    (server.layout.cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 16, this release brings 18"):
        server.start()


def test_a_server_that_cannot_start_says_why_in_one_line(tmp_path):
    server = EmbeddedPostgres(tmp_path)
    with server:
        pass
    (server.layout.cluster / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(
        EmbeddedError, match=r"did not start: .*(configuration|no_such_setting).*server.log"
    ) as refused:
        server.start()
    assert "\n" not in str(refused.value)


def test_a_data_folder_has_one_holder_who_is_named(tmp_path):
    holder = run_until_ready(CLAIM_AND_WAIT, str(tmp_path))
    line = f"in use by process {holder.pid}: stop it, or choose another DATA_DIR"
    with pytest.raises(DataDirInUse, match=line), claim_data_dir(tmp_path):
        pass
    kill(holder)
    with claim_data_dir(tmp_path):
        pass


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("CREATE TABLE mine (x int)", "permission denied for schema public"),
        ("CREATE SCHEMA mine", "permission denied for database payment_db"),
        ("CREATE TEMPORARY TABLE mine (x int)", "permission denied to create temporary tables"),
        ("CREATE ROLE mine", "permission denied to create role"),
        ("CREATE DATABASE mine", "permission denied to create database"),
        ("SET ROLE payment_owner", "permission denied to set role"),
        ("DELETE FROM history", "permission denied for table history"),
        ("COPY history TO '/tmp/stolen'", "permission denied"),
    ],
)
async def test_the_service_may_not(one_server, sql, refusal):
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=refusal):
        await ask(one_server.urls.service, sql)


async def test_the_owner_is_no_superuser(one_server):
    assert (
        await ask(one_server.urls.owner, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        is False
    )
    assert await ask(one_server.urls.owner, "SELECT count(*) FROM history") == 0


@only_as_root
def test_another_user_of_the_machine_cannot_connect(one_server):
    address = one_server.socket_folder / ".s.PGSQL.5432"
    stranger = subprocess.run(
        [sys.executable, "-c", CONNECT_AS_STRANGER, address], capture_output=True, check=False
    )
    assert stranger.returncode != 0
    assert b"PermissionError" in stranger.stderr


@only_as_root
def test_even_the_user_that_runs_the_server_cannot_connect_in_our_roles(one_server):
    account = server_account(one_server.layout.cluster)
    command = account.command(
        program_path("psql"), f"--host={one_server.socket_folder}", f"--username={ADMIN_ROLE}", "postgres",
        folder=one_server.layout.home,
    )  # fmt: skip
    runner = subprocess.run(command, input=b"SELECT 1", capture_output=True, check=False)
    assert runner.returncode != 0
    assert b"Peer authentication failed" in runner.stderr


@only_as_root
def test_an_ordinary_user_runs_it_as_themselves_and_root_may_join(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    account = server_account(folder / "none")
    os.chown(folder, account.uid, account.gid)
    become = [sys.executable, launcher.__file__, str(account.uid), str(account.gid), "1"]
    theirs = subprocess.run(
        [*become, sys.executable, "-c", START_AND_STOP, folder], capture_output=True, check=False
    )
    assert (theirs.stdout, theirs.stderr) == (b"ready\n", b"")
    server = EmbeddedPostgres(folder)
    assert server.layout.cluster.stat().st_uid == account.uid
    with server:
        assert psutil.Process(pid_of(server)).uids().effective == account.uid


@only_as_root
def test_an_ordinary_user_is_refused_the_cluster_of_another(tmp_path):
    server = EmbeddedPostgres(tmp_path)
    with server:
        pass
    become = [sys.executable, launcher.__file__, "1", "1", "1"]
    theirs = subprocess.run(
        [*become, sys.executable, "-c", START_AND_STOP, tmp_path], capture_output=True, check=False
    )
    assert b"run as that user, or choose another DATA_DIR" in theirs.stderr


@only_as_root
def test_the_server_has_no_power_of_root_but_the_one_to_pass_closed_folders(one_server):
    running = running_postmaster(one_server.layout.cluster)
    assert running is not None
    account = server_account(one_server.layout.cluster)
    power = 0 if _may_enter(account, programs_folder()) else 1 << launcher.CAP_DAC_OVERRIDE
    assert running.process.uids().effective == account.uid != 0
    assert f"CapEff:\t{power:016x}" in Path(f"/proc/{running.process.pid}/status").read_text()


def test_pgbench_is_that_of_the_server():
    said = subprocess.run([pgbench_path(), "--version"], capture_output=True, check=True, text=True).stdout
    assert said.startswith("pgbench (PostgreSQL) 18.")


@pytest.fixture(scope="module")
def one_server():
    """A server in a folder that everybody may pass through, with one table of the owner's."""
    with tempfile.TemporaryDirectory(prefix="eci-open-") as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(folder)
        with server:
            command = [
                str(program_path("psql")),
                f"--host={server.socket_folder}",
                "--username=payment_owner",
            ]
            made = b"CREATE TABLE history (x int)"
            subprocess.run([*command, "payment_db"], input=made, check=True, capture_output=True)
            yield server
