"""PgBouncer in transaction mode in front of a test's own PostgreSQL, as Debian packages it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from support.archived_server import DATABASE, OWNER, PORT, SERVICE
from support.processes import free_port

if TYPE_CHECKING:
    from support.archived_server import ArchivedServer

READY_WITHIN_S = 20.0
CONFIGURATION = """
[databases]
{database} = host={sockets} port={server_port} dbname={database}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
query_wait_timeout = 5
{more}
"""
"""Of fewer connections to the server than clients have, so that each transaction gets whichever is free."""


def program() -> str | None:
    """Where PgBouncer is; None where it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def version() -> str:
    """Its own word."""
    told = subprocess.run([program() or "", "--version"], capture_output=True, text=True, check=True)
    return told.stdout.splitlines()[0]


@dataclass(slots=True)
class Pooler:
    """PgBouncer on a port of its own, which stays the same when it is started again."""

    server: ArchivedServer
    port: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def before(cls, server: ArchivedServer, more: str = "") -> Pooler:
        """One that is configured and not started; with ``more`` lines of configuration."""
        made = cls(server, free_port())
        made._write("users", "".join(f'"{role}" ""\n' for role in (OWNER, SERVICE)))
        made._write(
            "configuration",
            CONFIGURATION.format(
                database=DATABASE,
                sockets=server.sockets,
                server_port=PORT,
                port=made.port,
                users=made._file("users"),
                more=more,
            ),
        )
        return made

    @property
    def log(self) -> Path:
        """What it says."""
        return self._file("log")

    def start(self) -> None:
        """Run it until it takes connections. It refuses to run as root, and runs as PostgreSQL's user."""
        found = program()
        assert found
        account = self.server.account
        command = account.command(Path(found), str(self._file("configuration")), folder=self.server.sockets)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/"
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End it at once, and everybody's connection with it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _file(self, name: str) -> Path:
        return self.server.folder / f"pgbouncer-{name}"

    def _write(self, name: str, text: str) -> None:
        self._file(name).write_text(text)
