"""Starting, sharing and stopping the embedded server.

Any number of processes share the server of one data folder. The first starts it, under ``start.lock``; each holds
``users.lock`` shared while it uses it; whoever stops and finds nobody else holding it stops the server. The locks are
the kernel's, so that a process that is killed lets go. The server is no child of its users: a small keeper process runs
it and stops it when nobody has used it for a while. So a kill of everything that was started leaves at most a server
without users, which the next start finds by its process number, checks to be ours, and uses. A server that died (kill
-9, out of memory) recovers from its log at its next start; ``ensure_running`` does that for a process that lives on.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast
from urllib.parse import quote

from eci_payments.store.embedded import cluster, keeper
from eci_payments.store.embedded.account import Account, server_account
from eci_payments.store.embedded.errors import EmbeddedError
from eci_payments.store.embedded.layout import (
    PORT,
    Layout,
    layout_of,
    make_private_folder,
)
from eci_payments.store.embedded.locks import POLL_S, FileLock
from eci_payments.store.embedded.postmaster import Postmaster, disown_stale_pid, running_postmaster
from eci_payments.store.embedded.programs import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

START_TIMEOUT_S = 120
"""A start takes some tenths of a second; after a crash up to max_wal_size of log is read again first."""
OLD_PROCESSES_TIMEOUT_S = 10
"""How long the sessions of a killed server may take to notice and end; they look after every statement."""
LINGER_S = 10
"""How long a server without users waits for the next: a restart after a crash finds it warm."""
LOG_MAX_BYTES = 10_000_000
"""At a start a longer log makes room for a new one; one old one is kept."""


class Urls(NamedTuple):
    """Addresses for SQLAlchemy on asyncpg: of the owner of the schema, and of the service, which owns nothing."""

    owner: str
    service: str


class EmbeddedPostgres:
    """The PostgreSQL of one data folder; a context manager, plain and asynchronous, around start and stop.

    ``durable=False`` is for tests: a crash of the machine may lose everything. ``ephemeral=True`` removes the whole
    data folder when the server ends, and it ends as soon as it has no users.
    """

    def __init__(self, data_dir: Path | str, *, durable: bool = True, ephemeral: bool = False) -> None:
        self.layout: Layout = layout_of(Path(data_dir))
        self._durable = durable
        self._ephemeral = ephemeral
        self._starting = FileLock(self.layout.start_lock)
        self._using = FileLock(self.layout.users_lock)

    def start(self) -> Urls:
        """Start the server, or join those who use it. Blocks. Raises EmbeddedError with one line when it cannot."""
        self._make_home()
        with self._starting.holding(START_TIMEOUT_S):
            self._using.wait(START_TIMEOUT_S, shared=True)
            try:
                self._start_unless_running()
            except BaseException:
                self._using.release()
                raise
        return self.urls

    def stop(self) -> None:
        """Let go of the server, and stop it when nobody else uses it. Blocks; repeating it does nothing."""
        if not self._using.held:
            return
        with self._starting.holding(START_TIMEOUT_S):
            self._using.release()
            last = FileLock(self.layout.users_lock)
            if not last.take():
                return
            try:
                running = running_postmaster(self.layout.cluster)
                if running is not None:
                    running.stop()
            finally:
                last.release()

    def ensure_running(self) -> bool:
        """Start the server again if it has died while we use it; whether that was needed. Blocks."""
        if running_postmaster(self.layout.cluster) is not None:
            return False
        with self._starting.holding(START_TIMEOUT_S):
            return self._start_unless_running()

    @property
    def urls(self) -> Urls:
        """The addresses; they stay the same over restarts."""
        return Urls(self.url(cluster.OWNER_ROLE), self.url(cluster.SERVICE_ROLE))

    @property
    def socket_folder(self) -> Path:
        """What ``psql -h`` and ``pgbench -h`` take."""
        return self.layout.sockets

    def url(self, role: str, database: str = cluster.DATABASE) -> str:
        """The address for one role and database."""
        return f"postgresql+asyncpg://{role}@/{database}?host={quote(str(self.layout.sockets))}&port={PORT}"

    def __enter__(self) -> Urls:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Urls:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _make_home(self) -> None:
        try:
            self.layout.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(f"the folder {self.layout.home} cannot be made: {error.strerror}") from None

    def _start_unless_running(self) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        running = running_postmaster(self.layout.cluster)
        if running is not None and self._becomes_ready(running, deadline):
            return False
        account = server_account(self.layout.cluster)
        cluster.ensure_cluster(self.layout, account, durable=self._durable)
        cluster.write_access_rules(self.layout)
        make_private_folder(self.layout.sockets, account.uid, account.gid)
        self._launch_until_ready(account, deadline)
        cluster.ensure_roles(self.layout)
        return True

    def _becomes_ready(self, running: Postmaster | None, deadline: float) -> bool:
        """Wait for a server that is starting, or is on its way out. Whether there is one that is ready."""
        while running is not None and not running.ready and time.monotonic() < deadline:
            time.sleep(POLL_S)
            running = running_postmaster(self.layout.cluster)
        return running is not None and running.ready

    def _launch_until_ready(self, account: Account, deadline: float) -> None:
        retry_until = time.monotonic() + OLD_PROCESSES_TIMEOUT_S
        while not self._launch(account, deadline):
            said = _last_words(self.layout.log)
            if "still in use" not in said or time.monotonic() > retry_until:
                raise EmbeddedError(f"the embedded PostgreSQL did not start: {said} (see {self.layout.log})")
            time.sleep(POLL_S * 10)

    def _launch(self, account: Account, deadline: float) -> bool:
        """Start the keeper with the server; whether the server is ready, or has ended instead."""
        disown_stale_pid(self.layout.cluster)
        with _start_keeper(self._keeper_command(account), self.layout.log) as end_of_keeper:
            while not _within(POLL_S, end_of_keeper) and time.monotonic() < deadline:
                running = running_postmaster(self.layout.cluster)
                if running is not None and running.ready:
                    return True
        return False

    def _keeper_command(self, account: Account) -> list[str]:
        linger_s, removed = (0, str(self.layout.home.parent)) if self._ephemeral else (LINGER_S, "")
        locks = (str(self.layout.start_lock), str(self.layout.users_lock))
        server = cluster.server_command(self.layout, account, durable=self._durable)
        folders = (str(self.layout.sockets), removed)
        return [sys.executable, "-I", "-S", keeper.__file__, *locks, str(linger_s), *folders, *server]


@contextmanager
def _start_keeper(command: list[str], log: Path) -> Iterator[IO[bytes]]:
    """Start it in a session of its own: the Ctrl-C that ends the service must not end the database under it.

    Gives a pipe that ends when the keeper does.
    """
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))
    environment = clean_environment() | {"PG_GRANDPARENT_PID": str(os.getpid())}
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd="/",
            env=environment,
            start_new_session=True,
        ) as forking,
    ):
        yield cast("IO[bytes]", forking.stdout)


def _within(timeout_s: float, ended: IO[bytes]) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        return bool(selector.select(timeout_s))


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-20:] or ["it said nothing"]
    return next((line for line in reversed(lines) if "FATAL" in line or "PANIC" in line), lines[-1]).strip()
