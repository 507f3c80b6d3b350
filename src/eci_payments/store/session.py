"""The only door to a transaction: sessions that may write, and sessions that cannot."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NewType

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

WriteSession = NewType("WriteSession", AsyncConnection)
"""One transaction that may write; it commits when its block ends and rolls back when the block raises."""
ReadSession = NewType("ReadSession", AsyncConnection)
"""One snapshot that the database itself keeps from writing."""

CONNECT_TIMEOUT_S = 5
"""A database that does not take a connection in this time is reported as away rather than waited for."""
STATEMENT_TIMEOUT_MS = 15_000
"""No statement of ours takes a second; one that takes this long waits on a lock that will not come."""
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
"""No transaction waits for anything but the database (law 3); one that does has lost its process."""


class Database:
    """The connections of one process to PostgreSQL. ``url`` is ``postgresql+asyncpg://…``."""

    def __init__(
        self, url: str, *, pool_size: int = 8, prepared_statements: bool = True, name: str = "eci-payments"
    ) -> None:
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
        async with self.engine.begin() as connection:
            yield WriteSession(connection)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A read-only snapshot of one moment (REPEATABLE READ READ ONLY)."""
        async with self.engine.connect() as connection:
            connection = await connection.execution_options(  # noqa: PLW2901 - the same connection, with options
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            yield ReadSession(connection)

    async def ping(self) -> None:
        """Ask the database for a sign of life. Raises whatever the driver raises when there is none."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give every connection back."""
        await self.engine.dispose()


async def run(session: WriteSession | ReadSession, sql: str, *values: object) -> Sequence[Any]:
    """Run one statement with ``$1``-style places and return its rows (empty when it returns none)."""
    result = await session.exec_driver_sql(sql, values)
    return result.all() if result.returns_rows else ()


def _connect_args(*, prepared_statements: bool, name: str) -> dict[str, Any]:
    shared = {"application_name": name, "timezone": "UTC"}
    args: dict[str, Any] = {"timeout": CONNECT_TIMEOUT_S, "command_timeout": STATEMENT_TIMEOUT_MS / 1000 + 5}
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
