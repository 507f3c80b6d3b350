"""Migrations: bring a database to the schema of this release, and say what stands between it and a start.

`upgrade` runs as the owner of the schema, in one transaction: all of it happens or nothing. The service's own role is
granted what it needs and no more (`grants`). Two upgrades at once are safe: the second waits for the first and then
finds nothing to do. Every lock is waited for a few seconds only, so that writers are never queued up behind a
migration that itself waits; it gives up, lets them pass and tries again.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from eci_payments.store.grants import UnknownRole, grant, is_denied
from eci_payments.store.restored import has_foreign_stamps, restamp
from eci_payments.store.session import CONNECT_TIMEOUT_S, ReadSession, WriteSession, run
from eci_payments.store.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

VERSION_TABLE = "alembic_version"
MIGRATION_LOCK = 0x6563695F6D696772
"""The advisory lock of migrations, held until the transaction ends: ``eci_migr`` in ASCII."""
WAIT_FOR_ANOTHER_MIGRATION_MS = 30_000
"""Replicas that start together all migrate; the later ones wait this long for the first."""
LOCK_TIMEOUT_MS = 3_000
"""Whoever writes waits behind a waiting migration: three seconds are a slow answer, not an outage."""
TRIES = 5
PAUSE_S = 2.0
"""Between two tries, so that what had queued up behind the first is through before the next."""
LOCK_NOT_AVAILABLE = "55P03"


class MigrationRefused(Exception):
    """The database was left as it was; the message says why, in one line."""


async def upgrade(owner_url: str, service_role: str | None = None) -> None:
    """Bring the database to this release's schema and grant ``service_role`` what it needs; to be run as the owner.

    ``service_role`` None, or the owner itself, is granted nothing. Raises MigrationRefused for a database that is
    not ours, one of a later release, an unknown role, or locks that were not to be had. Alembic keeps its state in
    globals: one process migrates one database at a time.
    """
    engine = _engine(owner_url)
    try:
        for _ in range(TRIES - 1):
            if await _upgraded(engine, service_role):
                return
            await asyncio.sleep(PAUSE_S)
        if not await _upgraded(engine, service_role):
            raise MigrationRefused(
                "a table or another migration stayed locked; nothing was changed, try again later"
            )
    finally:
        await engine.dispose()


async def current(session: ReadSession | WriteSession) -> str | None:
    """The revision that the database is at; None before the first migration."""
    (row,) = await run(session, "SELECT to_regclass($1) IS NOT NULL AS made", VERSION_TABLE)
    rows = await run(session, f"SELECT version_num FROM {VERSION_TABLE}") if row.made else ()
    return rows[0].version_num if rows else None


async def pending(session: ReadSession | WriteSession) -> list[str]:
    """The revisions that the database lacks, in the order in which they will run. Raises MigrationRefused."""
    return _missing(await current(session))


async def check(session: ReadSession | WriteSession) -> list[str]:
    """What keeps this release from starting on this database, one line each; empty when nothing does.

    A database of a later release is no hindrance: migrations only expand, so that old and new run side by side.
    """
    at = await current(session)
    if at is None:
        return ["the database has no schema of this service; run `eci-payments migrate`"]
    if at in _revisions() and (missing := _missing(at)):
        return [f"the database lacks migration {', '.join(missing)}; run `eci-payments migrate`"]
    if await has_foreign_stamps(session):
        return [
            "the database was restored from another cluster; run `eci-payments migrate` before it is used"
        ]
    return []


async def _upgraded(engine: AsyncEngine, service_role: str | None) -> bool:
    """Whether it is done; False when a lock was not to be had in time."""
    try:
        await _upgrade_once(engine, service_role)
    except UnknownRole as error:
        raise MigrationRefused(str(error)) from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if is_denied(error):
            raise MigrationRefused(
                "the role may not change the schema; migrate as its owner (MIGRATION_DATABASE_URL)"
            ) from error
        if state == LOCK_NOT_AVAILABLE:
            return False
        raise
    return True


async def _upgrade_once(engine: AsyncEngine, service_role: str | None) -> None:
    async with engine.begin() as connection:
        session = WriteSession(connection)
        await run(session, f"SET LOCAL lock_timeout = {WAIT_FOR_ANOTHER_MIGRATION_MS}")
        await run(session, "SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
        await run(session, f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        await _refuse_foreign(session)
        await connection.run_sync(_run_alembic)
        if service_role is not None:
            await grant(session, service_role)
        await restamp(session)


def _engine(url: str) -> AsyncEngine:
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        isolation_level="READ COMMITTED",
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "statement_cache_size": 0,  # also right behind a transaction pooler, and plans do not outlive the DDL
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": str,
            "server_settings": {"application_name": "eci-payments migrate", "timezone": "UTC"},
        },
    )


def _run_alembic(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revisions() -> list[str]:
    """Every revision of this release, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def _missing(at: str | None) -> list[str]:
    revisions = _revisions()
    if at is not None and at not in revisions:
        raise MigrationRefused(
            f"the database is at migration {at}, which this release does not know:"
            " it is of a later release, or another program's"
        )
    return revisions if at is None else revisions[revisions.index(at) + 1 :]


async def _refuse_foreign(session: WriteSession) -> None:
    """A database that holds tables of our names without our migrations is somebody else's (the seed's, perhaps)."""
    at = await current(session)
    _missing(at)
    if at is not None:
        return
    rows = await run(
        session,
        "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL ORDER BY name",
        sorted(metadata.tables),
    )
    if rows:
        names = ", ".join(row.name for row in rows)
        raise MigrationRefused(
            f"the database already holds tables that this service did not make ({names}): name an empty database"
        )
