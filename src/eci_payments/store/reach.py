"""Whether the database answers at all, and is one that we can use: asked once at the start of every process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from eci_payments.store.lane import AWAY, DatabaseAway
from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import Database

OLDEST_MAJOR, NEWEST_MAJOR = 15, 18
"""The versions of PostgreSQL that the tests run on."""


class WrongVersion(Exception):
    """This PostgreSQL lacks what our statements need."""


async def reach(database: Database, oldest: int = OLDEST_MAJOR) -> None:
    """Come back when the database has answered. Raises DatabaseAway or WrongVersion, one line each, without secrets.

    ``oldest`` is the major version that is old enough for what it is asked.
    """
    try:
        async with database.read() as session:
            (row,) = await run(session, "SELECT current_setting('server_version_num')::int / 10000 AS major")
    except DBAPIError as error:
        raise DatabaseAway(_unreachable(database, error.orig or error)) from error
    except AWAY as error:
        raise DatabaseAway(_unreachable(database, error)) from error
    if row.major < oldest:
        raise WrongVersion(
            f"the database is PostgreSQL {row.major}; {oldest} to {NEWEST_MAJOR} are supported"
        )


def _unreachable(database: Database, error: BaseException) -> str:
    return f"the database {place(database)} cannot be reached: {_reason(error)}"


def place(database: Database) -> str:
    """Where the database is, as an address without user and password."""
    url = database.engine.url
    host = url.host or url.query.get("host") or "localhost"
    port = url.port or url.query.get("port") or 5432
    return f"{url.database} at {host}:{port}"


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
