"""A PostgreSQL of a test's own that archives its log, so that it can be restored to a point in time."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import asyncpg

from eci_payments.store.embedded.account import Account, server_account
from eci_payments.store.embedded.programs import clean_environment, program_path
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

PORT = 5432
DATABASE, OWNER, SERVICE, ADMIN = "payments", "drill_owner", "drill_service", "postgres"
SETTINGS = {
    "archive_mode": "on",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "port": str(PORT),
    "shared_buffers": "32MB",
    "unix_socket_permissions": "0700",
    "wal_level": "replica",
}
READY_WITHIN_S = 60.0


@dataclass(slots=True)
class ArchivedServer:
    """The server of one cluster below ``folder``; ``archive`` is where its log goes."""

    folder: Path
    cluster: Path
    account: Account
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def made(cls, folder: Path, cluster: Path | None = None) -> ArchivedServer:
        """A new cluster, not started. Its folders belong to the user that PostgreSQL runs as.

        ``cluster`` is where its data folder is made, below a folder that is there; None: below ``folder``. Segments
        of its log are small there, so that a small disk holds some.
        """
        account = server_account(folder / "none")
        place = cluster or folder / "cluster"
        for made in (place, *(folder / name for name in ("archive", "sockets", "backups"))):
            made.mkdir(mode=0o700)
            os.chown(made, account.uid, account.gid)
        server = cls(folder, place, account)
        initdb = (f"--pgdata={server.cluster}", f"--username={ADMIN}", "--auth=trust", "--no-sync")
        small = () if cluster is None else ("--wal-segsize=1",)
        server.run_program("initdb", *initdb, *small, "--encoding=UTF8", "--locale=C")
        return server

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    @property
    def socket(self) -> Path:
        """On which it listens."""
        return self.sockets / f".s.PGSQL.{PORT}"

    @property
    def is_running(self) -> bool:
        """Whether its first process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def sockets(self) -> Path:
        return self.folder / "sockets"

    def url(self, role: str) -> str:
        return f"postgresql+asyncpg://{role}@/{DATABASE}?host={quote(str(self.sockets))}&port={PORT}"

    def run_program(self, name: str, *arguments: str) -> None:
        """One of PostgreSQL's programs, as its own user."""
        command = self.account.command(program_path(name), *arguments, folder=self.folder)
        done = subprocess.run(
            command, env=clean_environment(), cwd="/", check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    async def start(self) -> None:
        """Run the server until it takes writes, which after a restore is when the point in time is reached."""
        self._launch()
        await until(self._takes_writes, within_s=READY_WITHIN_S, every_s=0.1)

    def _launch(self) -> None:
        kept = f"{self.folder}/archive/%f"  # its name says that it is whole, whenever the server is killed
        archive = f"test ! -f {kept} && cp %p {kept}.part && mv {kept}.part {kept}"
        settings = SETTINGS | {"archive_command": archive, "unix_socket_directories": str(self.sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = self.account.command(
            program_path("postgres"), "-D", str(self.cluster), *options, folder=self.cluster
        )
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=clean_environment(), cwd="/", stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    async def lose(self) -> None:
        """The machine is gone: the server is killed, its cluster removed; what was archived is left."""
        self.kill()
        await asyncio.to_thread(shutil.rmtree, self.cluster)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(3)  # SIGQUIT: its children end with it, without a checkpoint
            self.process.wait(30)

    def back_up(self, to: Path) -> None:
        """A base backup, taken while the server runs."""
        connection = (f"--host={self.sockets}", f"--port={PORT}", f"--username={ADMIN}")
        self.run_program("pg_basebackup", *connection, f"--pgdata={to}", "--checkpoint=fast", "--no-sync")

    def restore(self, backup: Path, at: datetime) -> None:
        """Put the backup in the cluster's place, to be rolled forward from the archive to this moment."""
        shutil.move(backup, self.cluster)
        with (self.cluster / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"restore_command = 'cp {self.folder}/archive/%f %p'\n"
                f"recovery_target_time = '{at.isoformat()}'\n"
                "recovery_target_action = promote\n"
            )
        signal = self.cluster / "recovery.signal"
        signal.touch()
        os.chown(signal, self.account.uid, self.account.gid)

    async def execute(self, *statements: str, database: str = DATABASE) -> Any:
        """Run statements as the administrator; the last one's value."""
        connection = await asyncpg.connect(
            host=str(self.sockets), port=PORT, user=ADMIN, database=database, timeout=10
        )
        try:
            return await _all(connection, statements)
        finally:
            await connection.close()

    async def everything_is_archived(self) -> None:
        """Until what was committed so far is in the archive."""
        name = await self.execute("SELECT pg_walfile_name(pg_switch_wal())")
        await until((self.folder / "archive" / name).exists, within_s=READY_WITHIN_S, every_s=0.1)

    async def _takes_writes(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return not await self.execute("SELECT pg_is_in_recovery()", database="postgres")
        except (OSError, asyncpg.PostgresError):
            return False


async def _all(connection: Any, statements: Sequence[str]) -> Any:
    value = None
    for statement in statements:
        value = await connection.fetchval(statement)
    return value
