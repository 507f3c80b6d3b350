"""PostgreSQL in simulated time: ``now()`` is what the transaction was told, and every sequence begins anew.

The service judges time by the database's clock only, and calls it by its unqualified name: a schema that comes before
PostgreSQL's own has functions of that name. Nothing else of the database is simulated.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg

from eci_payments.store.session import Database, ReadSession, WriteSession, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import _AsyncGeneratorContextManager

    from proof.place import Server
    from proof.simulation.turns import Turns

BEGINNING = datetime(2030, 1, 7, 12, tzinfo=UTC)
"""When every run begins."""
_CLOCK = """
CREATE SCHEMA sim;
GRANT USAGE ON SCHEMA sim TO PUBLIC;
CREATE FUNCTION sim.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT pg_catalog.current_setting('sim.now')::timestamptz $$;
CREATE FUNCTION sim.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT pg_catalog.current_setting('sim.now')::timestamptz $$;
"""
_DEFAULTS = """
SELECT format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT sim.now()', d.adrelid::regclass, a.attname)
FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE pg_get_expr(d.adbin, d.adrelid) = 'now()'
"""
_UNVACUUMED = """
SELECT format('ALTER TABLE %s SET (autovacuum_enabled = false)', c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r'
"""
"""So that no statistics are gathered at some moment of real time: they change plans, and these the order of rows."""
_TABLES = """
SELECT 'TRUNCATE ' || string_agg(c.oid::regclass::text, ', ' ORDER BY c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname <> 'alembic_version'
"""
_SEQUENCES = """
SELECT string_agg(format('SELECT setval(%L, 1, false)', c.oid::regclass), '; ' ORDER BY c.relname)
FROM pg_class c WHERE c.relkind = 'S'
"""

_RUNNING = """
SELECT pg_snapshot_xmin(s)::text::bigint AS first, pg_snapshot_xmax(s)::text::bigint AS last
FROM pg_current_snapshot() AS s
"""


def moment(seconds: float) -> str:
    """A simulated time, as PostgreSQL reads it."""
    return (BEGINNING + timedelta(seconds=seconds)).isoformat()


def put_in_simulated_time(on: Server, database: str) -> None:
    """Give a database the clock that it is told, from the next connection on."""
    owner, _ = on.urls(database)
    asyncio.run(_prepared(owner.replace("+asyncpg", "")))
    on.execute(
        f"ALTER DATABASE {database} SET search_path = sim, pg_catalog, public",
        f"ALTER DATABASE {database} SET sim.now = '{moment(0)}'",
    )


async def _prepared(owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(_CLOCK)
        for (statement,) in [*await connection.fetch(_DEFAULTS), *await connection.fetch(_UNVACUUMED)]:
            await connection.execute(statement)
    finally:
        await connection.close()


async def emptied(admin: asyncpg.Connection[Any]) -> None:
    """Leave nothing of the run before: no row, no place where one was, and every number from its beginning.

    Rows come in the order in which they lie where a statement does not say otherwise; so they lie as in a new database.
    """
    async with admin.transaction():
        await admin.execute(await admin.fetchval(_TABLES))
        await admin.execute(await admin.fetchval(_SEQUENCES))


class TimedDatabase(Database):
    """One process's way to the database: a turn for every transaction, in which time stands still.

    The connections are shared by all processes of a run: what is torn down with a process is nothing that it could
    keep a secret in.
    """

    def __init__(self, shared: Database, turns: Turns) -> None:
        self.__dict__.update(shared.__dict__)
        self._turns = turns

    def write(self) -> _AsyncGeneratorContextManager[WriteSession]:
        """A transaction; what befalls it is the turns' to say."""
        return self._timed_write()

    @asynccontextmanager
    async def _timed_write(self) -> AsyncIterator[WriteSession]:
        await self._turns.before_commit()
        with self._turns.moments.outside():
            if self._turns.walks():
                await self._settled()
            async with super().write() as session:
                await self._tell_time(session)
                yield session
        await self._turns.after_commit()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A snapshot."""
        await self._turns.before_read()
        with self._turns.moments.outside():
            async with super().read() as session:
                await self._tell_time(session)
                yield session

    async def close(self) -> None:
        """The connections are everybody's."""

    async def _settled(self) -> None:
        """Until nothing that began before this is still running, in whatever database of this server.

        Who walks history stops at the oldest running transaction: here that could only be a stranger's, which would
        make two runs of one seed different.
        """
        seen: int | None = None
        while True:
            async with super().read() as session:
                (running,) = await run(session, _RUNNING)
            seen = running.last if seen is None else seen
            if running.first >= seen:
                return

    async def _tell_time(self, session: WriteSession | ReadSession) -> None:
        now = moment(self._turns.moments.now_s)
        await run(session, "SELECT set_config('sim.now', $1, true)", now)
