"""One real PostgreSQL for a run of the tests, and a fresh database for each test that asks for one."""

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import URL, make_url

import scratch
from eci_payments.store.embedded import EmbeddedPostgres
from eci_payments.store.embedded.cluster import ADMIN_ROLE, OWNER_ROLE, SERVICE_ROLE
from eci_payments.store.embedded.locks import FileLock
from eci_payments.store.embedded.programs import clean_environment, program_path

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

FOLDER_VARIABLE = "ECI_TEST_POSTGRES_DIR"
"""Where the server of this run lies; set by the first process, inherited by the workers of pytest-xdist."""
OUTSIDE_VARIABLE = "TEST_DATABASE_URL"
"""A PostgreSQL to use instead: the address of a role that may create databases and roles."""


@dataclass(frozen=True, slots=True)
class Database:
    """One database of one test, by the addresses of those who use it."""

    name: str
    admin_url: str
    owner_url: str
    service_url: str
    service_role: str


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: who may create databases, who owns them, who serves."""

    admin: URL
    owner: URL
    service: URL

    def database(self, name: str) -> Database:
        """The addresses of one database, which need not exist yet."""
        admin, owner, service = (
            _text(url.set(database=name)) for url in (self.admin, self.owner, self.service)
        )
        return Database(name, admin, owner, service, self.service.username or "")

    def create(self, template: str | None = None) -> Database:
        """Make a database: empty, or a copy of ``template``. It is the owner's; the service may only connect."""
        made = self.database(f"test_{secrets.token_hex(6)}")
        copied = f"TEMPLATE {template} STRATEGY = FILE_COPY" if template else ""
        self.execute(
            f"CREATE DATABASE {made.name} OWNER {self.owner.username} {copied}",
            f"REVOKE ALL ON DATABASE {made.name} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {made.name} TO {made.service_role}",
        )
        return made

    def drop(self, database: Database) -> None:
        """Remove a database, with whoever is still connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")

    def execute(self, *statements: str) -> None:
        """Run statements as the one who may create databases, each in a transaction of its own."""
        run_apart(_execute(_text(self.admin.set(drivername="postgresql")), statements))


def run_apart(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine on a loop of its own in a thread of its own, whatever loop the test has."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(coroutine)
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that asked
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def postgres_program(program: str, url: str, *arguments: str) -> None:
    """One of PostgreSQL's programs on this database."""
    parts = make_url(url)
    environment = {
        **clean_environment(),
        "PGHOST": str(parts.query.get("host", parts.host)),
        "PGPORT": str(parts.query.get("port", parts.port or 5432)),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.database or "",
    }
    subprocess.run([program_path(program), *arguments], env=environment, check=True)


def migrate(database: Database) -> None:
    """Bring a database to the schema of today."""
    from eci_payments.store.migrate import upgrade  # noqa: PLC0415 - most tests need no schema

    done = upgrade(database.owner_url, database.service_role)
    if inspect.iscoroutine(done):
        run_apart(done)


@contextmanager
def folder_for_this_run() -> Iterator[None]:
    """Name the folder of the server, and keep the server from ending between two workers' use of it."""
    if OUTSIDE_VARIABLE in os.environ or FOLDER_VARIABLE in os.environ:
        yield
        return
    folder = scratch.folder("eci-tests-")
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder, durable=False, ephemeral=True)
    server.layout.home.mkdir()
    keeping = FileLock(server.layout.users_lock)
    keeping.wait(1, shared=True)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        del os.environ[FOLDER_VARIABLE]
        keeping.release()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_server() -> Iterator[Server]:
    """The server of this run, started by whoever comes first."""
    outside = os.environ.get(OUTSIDE_VARIABLE)
    if outside:
        with _outside_server(make_url(outside)) as server:
            yield server
        return
    embedded = EmbeddedPostgres(os.environ[FOLDER_VARIABLE], durable=False, ephemeral=True)
    with embedded:
        yield Server(*(make_url(embedded.url(role)) for role in (ADMIN_ROLE, OWNER_ROLE, SERVICE_ROLE)))


@contextmanager
def _outside_server(given: URL) -> Iterator[Server]:
    admin = given.set(drivername="postgresql+asyncpg")
    role, password = f"test_service_{secrets.token_hex(4)}", secrets.token_hex(16)
    server = Server(admin, admin, admin.set(username=role, password=password))
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    try:
        yield server
    finally:
        server.execute(f"DROP ROLE {role}")


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
