"""Migrations: bring a database to the schema of this release, and say what stands between it and a start.

`upgrade` runs as the owner of the schema, in one transaction: all of it happens or nothing. The service's own role is
granted what it needs and no more (`grants`). Two upgrades at once are safe: the second waits for the first and then
finds nothing to do. Every lock is waited for a few seconds only, so that writers are never queued up behind a
migration that itself waits; it gives up, lets them pass and tries again. What would hold writers up however short the
wait (`afterwards`) is done when the transaction has committed.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
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
    from collections.abc import Awaitable, Callable

    from alembic.script import Script
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from eci_payments.store.afterwards import Afterwards

VERSION_TABLE = "alembic_version"
MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS: tuple[Path, ...] = (MIGRATIONS / "versions",)
"""The folders in which the chain of migrations lies."""
MIGRATION_LOCK = 0x6563695F6D696772
"""The advisory lock of migrations, held until the transaction ends: ``eci_migr`` in ASCII."""
WAIT_FOR_ANOTHER_MIGRATION_MS = 30_000
"""Replicas that start together all migrate; the later ones wait this long for the first."""
ASK_AGAIN_S = 0.2
LOCK_TIMEOUT_MS = 3_000
"""Whoever writes waits behind a waiting migration: three seconds are a slow answer, not an outage."""
WAIT_BESIDE_WRITERS_MS = 30_000
"""Nobody queues up behind an index that is built concurrently: it may wait for transactions that began before it."""
TRIES = 5
PAUSE_S = 2.0
"""Between two tries, so that what had queued up behind the first is through before the next."""
LOCK_NOT_AVAILABLE = "55P03"
STAYED_LOCKED = "a table or another migration stayed locked; nothing was changed, try again later"
STAYED_UNFINISHED = (
    "the schema is migrated, but an index or a check of old rows had to wait too long for other transactions;"
    " try again later"
)


class _Busy(Exception):
    """Another migration is at work."""


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
        await _patiently(partial(_upgrade_once, engine, service_role), STAYED_LOCKED)
        await _patiently(partial(_finish, engine), STAYED_UNFINISHED)
    finally:
        await engine.dispose()


async def current(session: ReadSession | WriteSession) -> str | None:
    """The revision that the database is at; None before the first migration."""
    (row,) = await run(session, "SELECT to_regclass($1) IS NOT NULL AS made", VERSION_TABLE)
    rows = await run(session, f"SELECT version_num FROM {VERSION_TABLE}") if row.made else ()
    return rows[0].version_num if rows else None


async def pending(session: ReadSession | WriteSession) -> list[str]:
    """The revisions that the database lacks, in the order in which they will run; else what they left for afterwards.

    Raises MigrationRefused.
    """
    return _missing(await current(session)) or [each.name for each in await _unfinished(session)]


async def check(session: ReadSession | WriteSession) -> list[str]:
    """What keeps this release from starting on this database, one line each; empty when nothing does.

    A database of a later release is no hindrance: migrations only expand, so that old and new run side by side.
    """
    at = await current(session)
    if at is None:
        return ["the database has no schema of this service; run `eci-payments migrate`"]
    if at in _revisions() and (missing := _missing(at)):
        return [f"the database lacks migration {', '.join(missing)}; run `eci-payments migrate`"]
    if at in _revisions() and (unfinished := await _unfinished(session)):
        names = ", ".join(each.name for each in unfinished)
        return [f"the last migration was interrupted before: {names}; run `eci-payments migrate` again"]
    if await has_foreign_stamps(session):
        return [
            "the database was restored from another cluster; run `eci-payments migrate` before it is used"
        ]
    return []


async def _patiently(step: Callable[[], Awaitable[None]], else_say: str) -> None:
    """Do this step, with pauses between tries while a lock is not to be had. Raises MigrationRefused."""
    for _ in range(TRIES - 1):
        if await _done(step):
            return
        await asyncio.sleep(PAUSE_S)
    if not await _done(step):
        raise MigrationRefused(else_say)


async def _done(step: Callable[[], Awaitable[None]]) -> bool:
    """Whether it is done; False when a lock was not to be had in time."""
    try:
        await step()
    except _Busy:
        return False
    except UnknownRole as error:
        raise MigrationRefused(str(error)) from error
    except DBAPIError as error:
        if is_denied(error):
            raise MigrationRefused(
                "the role may not change the schema; migrate as its owner (MIGRATION_DATABASE_URL)"
            ) from error
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            return False
        raise
    return True


async def _upgrade_once(engine: AsyncEngine, service_role: str | None) -> None:
    async with engine.begin() as connection:
        session = WriteSession(connection)
        await _lock(session)
        await _refuse_foreign(session)
        await connection.run_sync(_run_alembic)
        if service_role is not None:
            await grant(session, service_role)
        await restamp(session)


async def _lock(session: WriteSession) -> None:
    """Be the only migration until the transaction ends. Raises _Busy when another one is for too long.

    Asked again and again rather than waited for: a statement that waits holds a snapshot, for which a concurrent index
    of the very migration that it waits for would wait. The last statement is no query, which would keep one too.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + WAIT_FOR_ANOTHER_MIGRATION_MS / 1000
    while True:
        (row,) = await run(session, "SELECT pg_try_advisory_xact_lock($1) AS ours", MIGRATION_LOCK)
        await run(session, f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        if row.ours:
            return
        if loop.time() > give_up_at:
            raise _Busy
        await asyncio.sleep(ASK_AGAIN_S)


async def _finish(engine: AsyncEngine) -> None:
    """Do what is left for afterwards: one connection holds the lock, another one works.

    The first one's last statement is no query, whose snapshot it would keep: a concurrent index waits for those.
    """
    async with engine.begin() as holding, engine.connect() as connection:
        await _lock(WriteSession(holding))
        await run(WriteSession(holding), "SET LOCAL idle_in_transaction_session_timeout = 0")
        session = WriteSession(await connection.execution_options(isolation_level="AUTOCOMMIT"))
        await run(session, f"SET lock_timeout = {WAIT_BESIDE_WRITERS_MS}")
        for each in await _unfinished(session):
            await each.do(session)


async def _unfinished(session: ReadSession | WriteSession) -> list[Afterwards]:
    return [each for each in _afterwards() if not await each.is_done(session)]


def _afterwards() -> list[Afterwards]:
    """What every migration of this release leaves to be done beside the writers, oldest first."""
    return [each for script in _scripts() for each in getattr(script.module, "AFTERWARDS", ())]


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
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("version_locations", os.pathsep.join(map(str, VERSIONS)).replace("%", "%%"))
    return config


def _scripts() -> list[Script]:
    """Every migration of this release, oldest first."""
    return list(ScriptDirectory.from_config(_config()).walk_revisions())[::-1]


def _revisions() -> list[str]:
    return [script.revision for script in _scripts()]


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
