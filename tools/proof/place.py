"""Where the cases happen: a PostgreSQL of this run or a given one, and for each worker its own database and servers."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy import URL, make_url

import scratch
from eci_payments.store.embedded import EmbeddedPostgres
from eci_payments.store.embedded.cluster import ADMIN_ROLE, OWNER_ROLE, SERVICE_ROLE
from eci_payments.store.migrate import upgrade
from proof.house import Place
from proof.servers import closed_address, running

if TYPE_CHECKING:
    from collections.abc import Iterator

URLS = ("PROOF_ADMIN_URL", "PROOF_OWNER_URL", "PROOF_SERVICE_URL")
"""Variables that name a PostgreSQL to use: who may create databases, who owns them, who serves."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL, and a migrated database in it to copy."""

    admin: URL
    owner: URL
    service: URL
    template: str = ""

    def urls(self, database: str) -> tuple[str, str]:
        """The owner's and the service's address of a database."""
        return _text(self.owner.set(database=database)), _text(self.service.set(database=database))

    def create(self, template: str | None = None) -> str:
        """A new database of the owner's, to which the service may connect."""
        name = f"proof_{secrets.token_hex(6)}"
        copied = f"TEMPLATE {template} STRATEGY = FILE_COPY" if template else ""
        self.execute(
            f"CREATE DATABASE {name} OWNER {self.owner.username} {copied}",
            f"GRANT CONNECT ON DATABASE {name} TO {self.service.username}",
        )
        return name

    def drop(self, name: str) -> None:
        """Remove it, whoever is connected."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, *statements: str) -> None:
        """Each in a transaction of its own."""
        asyncio.run(_execute(_text(self.admin.set(drivername="postgresql")), statements))


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@contextmanager
def server() -> Iterator[Server]:
    """The PostgreSQL that the environment names, or one for this run that is removed after it; with its template."""
    given = [os.environ.get(name) for name in URLS]
    if all(given):
        admin, owner, service = (make_url(url) for url in given if url)
        with _with_template(Server(admin, owner, service)) as ready:
            yield ready
        return
    folder = scratch.folder("eci-proof-")
    folder.chmod(0o711)
    try:
        embedded = EmbeddedPostgres(str(folder), durable=False, ephemeral=True)
        with embedded:
            admin, owner, service = (
                make_url(embedded.url(r)) for r in (ADMIN_ROLE, OWNER_ROLE, SERVICE_ROLE)
            )
            with _with_template(Server(admin, owner, service)) as ready:
                yield ready
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _with_template(bare: Server) -> Iterator[Server]:
    template = bare.create()
    try:
        asyncio.run(upgrade(bare.urls(template)[0], bare.service.username or ""))
        yield Server(bare.admin, bare.owner, bare.service, template)
    finally:
        bare.drop(template)


@contextmanager
def place(on: Server) -> Iterator[Place]:
    """A database copied from the template, and a sandbox and peers for it alone."""
    folder = scratch.folder("eci-proof-")
    name = on.create(on.template)
    owner_url, service_url = on.urls(name)
    record, journal, box = folder / "sandbox.sqlite3", folder / "peers.sqlite3", folder / "box.sqlite3"
    try:
        with (
            running("box", box) as box_url,
            running("sandbox", record, box_url) as sandbox_url,
            running("standins", journal) as peers_url,
        ):
            yield Place(
                owner_url,
                service_url,
                sandbox_url,
                record,
                peers_url,
                journal,
                box,
                closed_address(),
                folder / "log",
            )
    finally:
        on.drop(name)
        shutil.rmtree(folder, ignore_errors=True)
