"""The only door to a transaction: sessions that may write, and sessions that cannot.

SQLAlchemy keeps the connections; statements go to the driver at once, which prepares each of them once per connection.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


@dataclass(frozen=True, slots=True)
class _Session:
    """An open transaction: on the driver's connection, or on SQLAlchemy's where Alembic shares it."""

    connection: asyncpg.Connection[Row] | AsyncConnection


@dataclass(frozen=True, slots=True)
class WriteSession(_Session):
    """One transaction that may write; it commits when its block ends and rolls back when the block raises."""


@dataclass(frozen=True, slots=True)
class ReadSession(_Session):
    """One snapshot that the database itself keeps from writing."""


class Row(asyncpg.Record):
    """A row whose columns are attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


CONNECT_TIMEOUT_S = 5
"""A database that does not take a connection in this time is reported as away rather than waited for."""
STATEMENT_TIMEOUT_MS = 15_000
"""No statement of ours takes a second; one that takes this long waits on a lock that will not come."""
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
"""No transaction waits for anything but the database (law 3); one that does has lost its process."""
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Database:
    """The connections of one process to PostgreSQL. ``url`` is ``postgresql+asyncpg://…``."""

    def __init__(
        self, url: str, *, pool_size: int = 8, prepared_statements: bool = True, name: str = "eci-payments"
    ) -> None:
        self._pool_size = pool_size
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_S,
            pool_pre_ping=False,
            pool_use_lifo=True,
            hide_parameters=True,
            json_deserializer=msgspec.json.decode,
            connect_args=_connect_args(prepared_statements=prepared_statements, name=name),
        )

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """A transaction: READ COMMITTED, committed at the end of the block."""
        async with self._transaction(_WRITE) as connection:
            yield WriteSession(connection)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A read-only snapshot of one moment (REPEATABLE READ READ ONLY)."""
        async with self._transaction(_READ) as connection:
            yield ReadSession(connection)

    async def ping(self) -> None:
        """Ask the database for a sign of life. Raises whatever the driver raises when there is none."""
        async with self._connection() as connection:
            await connection.execute("SELECT 1")

    async def close(self) -> None:
        """Give every connection back."""
        await self.engine.dispose()

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[asyncpg.Connection[Row]]:
        async with self._connection() as connection:
            await connection.execute(begin)
            try:
                yield connection
            except BaseException:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection[Row]]:
        """The driver's own connection. One that has closed, or whose transaction did not end, is not kept."""
        async with self.engine.connect() as kept:
            connection = await self._open(kept)
            try:
                yield connection
            finally:
                if connection.is_closed() or connection.is_in_transaction():
                    await kept.invalidate()

    async def _open(self, kept: AsyncConnection) -> asyncpg.Connection[Row]:
        """One that is open: the server may have closed any that was idle."""
        for _ in range(self._pool_size):
            connection = await _driver_of(kept)
            if not connection.is_closed():
                return connection
            await kept.invalidate()
        return await _driver_of(kept)


async def _driver_of(kept: AsyncConnection) -> asyncpg.Connection[Row]:
    raw: Any = (await kept.get_raw_connection()).driver_connection
    connection: asyncpg.Connection[Row] = raw
    return connection


async def run(session: WriteSession | ReadSession, sql: str, *values: object) -> Sequence[Any]:
    """Run one statement with ``$1``-style places and return its rows (empty when it returns none)."""
    connection = session.connection
    if isinstance(connection, AsyncConnection):
        result = await connection.exec_driver_sql(sql, values)
        return result.all() if result.returns_rows else ()
    return await connection.fetch(sql, *values)


def _connect_args(*, prepared_statements: bool, name: str) -> dict[str, Any]:
    shared = {"application_name": name, "timezone": "UTC"}
    args: dict[str, Any] = {
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": STATEMENT_TIMEOUT_MS / 1000 + 5,
        "record_class": Row,
    }
    if prepared_statements:
        return args | {"server_settings": shared | _LIMITS}
    # A transaction pooler refuses start-up parameters that it does not track, and breaks named statements.
    return args | {
        "server_settings": shared,
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": str,
    }


_LIMITS = {
    "jit": "off",
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
}
