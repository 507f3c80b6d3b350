"""The only door to a transaction: sessions that may write, and sessions that cannot.

SQLAlchemy makes the connections, and they are kept here; statements go to the driver at once, which prepares each of
them once per connection.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from eci_payments.store.driver import arrays, take_lists_as_arrays

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType


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


take_lists_as_arrays()

CONNECT_TIMEOUT_S = 5
"""A database that does not take a connection in this time is reported as away rather than waited for."""
STATEMENT_TIMEOUT_MS = 15_000
"""No statement of ours takes a second; one that takes this long waits on a lock that will not come."""
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
"""No transaction waits for anything but the database (law 3); one that does has lost its process."""
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


S = TypeVar("S", bound=_Session)


class Database:
    """The connections of one process to PostgreSQL, ``pool_size`` at most. ``url`` is ``postgresql+asyncpg://…``."""

    def __init__(
        self, url: str, *, pool_size: int = 8, prepared_statements: bool = True, name: str = "eci-payments"
    ) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            poolclass=NullPool,
            hide_parameters=True,
            json_deserializer=msgspec.json.decode,
            connect_args=_connect_args(prepared_statements=prepared_statements, name=name),
        )
        self._places = asyncio.Semaphore(pool_size)
        self._idle: list[_Kept] = []
        """The one that was used last is used next."""

    def write(self) -> AbstractAsyncContextManager[WriteSession]:
        """A transaction: READ COMMITTED, committed at the end of the block."""
        return _Transaction(self, _WRITE, WriteSession)

    def read(self) -> AbstractAsyncContextManager[ReadSession]:
        """A read-only snapshot of one moment (REPEATABLE READ READ ONLY)."""
        return _Transaction(self, _READ, ReadSession)

    async def ping(self) -> None:
        """Ask the database for a sign of life. Raises whatever the driver raises when there is none."""
        async with self.connection() as connection:
            await connection.execute("SELECT 1")

    async def close(self) -> None:
        """Give every connection back that nobody uses."""
        while self._idle:
            await self._idle.pop().maker.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection[Row]]:
        """The driver's own connection."""
        kept = await self.take()
        try:
            yield kept.driver
        finally:
            await self.give_back(kept)

    async def take(self) -> _Kept:
        """One that is open: the server may have closed any that was idle. Raises TimeoutError when none gets free."""
        if self._places.locked():
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            while self._idle:
                kept = self._idle.pop()
                if not kept.driver.is_closed():
                    return kept
                await kept.end()
            return await _made(self.engine)
        except BaseException:
            self._places.release()
            raise

    async def give_back(self, kept: _Kept, *, is_sound: bool = True) -> None:
        """One that has closed, or whose transaction did not end, is not kept; nor one that is not sound."""
        try:
            if not is_sound or kept.driver.is_closed() or kept.driver.is_in_transaction():
                await kept.end()
            else:
                self._idle.append(kept)
        finally:
            self._places.release()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection of the driver's, and SQLAlchemy's that it was made by."""

    maker: AsyncConnection
    driver: asyncpg.Connection[Row]

    async def end(self) -> None:
        """It is of no use any more."""
        await self.maker.invalidate()
        await self.maker.close()


async def _made(engine: AsyncEngine) -> _Kept:
    maker = await engine.connect()
    raw: Any = (await maker.get_raw_connection()).driver_connection
    return _Kept(maker, raw)


class _Transaction(Generic[S]):
    """From ``begin`` to a commit, or to a rollback where the block raises."""

    __slots__ = ("_begin", "_database", "_kept", "_session")

    def __init__(
        self, database: Database, begin: str, session: Callable[[asyncpg.Connection[Row]], S]
    ) -> None:
        self._database = database
        self._begin = begin
        self._session = session

    async def __aenter__(self) -> S:
        self._kept = kept = await self._database.take()
        try:
            await kept.driver.execute(self._begin)
        except BaseException:
            # Cancelled on the way, it may have begun without the driver having heard: the next one would be within it.
            await self._database.give_back(kept, is_sound=False)
            raise
        return self._session(kept.driver)

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, _: TracebackType | None
    ) -> None:
        kept = self._kept
        try:
            if kind is None:
                await kept.driver.execute("COMMIT")
            elif not kept.driver.is_closed():
                await kept.driver.execute("ROLLBACK")
        finally:
            await self._database.give_back(kept)


async def run(session: WriteSession | ReadSession, sql: str, *values: object) -> Sequence[Any]:
    """Run one statement with ``$1``-style places and return its rows (empty when it returns none)."""
    connection = session.connection
    if isinstance(connection, AsyncConnection):
        result = await connection.exec_driver_sql(sql, values)
        return result.all() if result.returns_rows else ()
    return await connection.fetch(sql, *arrays(values))


def _connect_args(*, prepared_statements: bool, name: str) -> dict[str, Any]:
    shared = {"application_name": name, "timezone": "UTC"}
    args: dict[str, Any] = {
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": STATEMENT_TIMEOUT_MS / 1000 + 5,
        "record_class": Row,
        "max_cacheable_statement_size": 0,  # whatever its length, a statement is prepared once
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
