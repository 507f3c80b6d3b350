"""What is true of this installation as a whole, noted once in its database: ``installation`` of merchant 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import Database

HOME_MERCHANT = 1
"""The merchant under which the installation's own notes stand; a single shop is merchant 1."""


async def note_once(database: Database, name: str, value: str) -> str:
    """Note this value unless there is one; returns what stands there now, whoever wrote it."""
    if (noted := await noted_value(database, name)) is not None:
        return noted
    async with database.write() as session:
        await run(session, _NOTE, HOME_MERCHANT, name, value)
    return await noted_value(database, name) or value


async def noted_value(database: Database, name: str) -> str | None:
    """What is noted under this name."""
    async with database.read() as session:
        rows = await run(session, _READ, HOME_MERCHANT, name)
    return rows[0].value if rows else None


_NOTE = "INSERT INTO installation (merchant_id, name, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_READ = "SELECT value FROM installation WHERE merchant_id = $1 AND name = $2"
