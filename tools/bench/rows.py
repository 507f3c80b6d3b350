"""The rows of one real charge, as its two commits write them, read back from the database.

While the sample is charged, triggers of ours note every row as it was before an update: that is what the first commit
wrote. So the script for pgbench follows the service by itself, whatever a charge comes to write.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.stack import Stack

UPDATED = ("payments", "operations", "idempotency_keys")
"""Tables whose row the first commit inserts and the second updates."""
GROWING = ("transactions", "ledger_entries", "events")
"""Tables whose rows are never updated."""
ORDERED = ("transaction_log_id", "entry_id", "event_id")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its table, each column's name, type and value as text (None: NULL), and the commit that wrote it."""

    table: str
    types: dict[str, str]
    values: dict[str, str | None]
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Inserted by the first commit, updated by the second (as it became), inserted by the second."""

    inserted: list[Row]
    updated: list[Row]
    added: list[Row]


async def sample(owner_url: str, charge: Callable[[], Awaitable[str]]) -> Sample:
    """Have one order charged and read what was written. ``charge`` gives the order's id."""
    owner = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        await _watch(owner)
        try:
            order = await charge()
            return await _read(owner, order)
        finally:
            await _unwatch(owner)
    finally:
        await owner.close()


async def _watch(owner: Any) -> None:
    for table in UPDATED:
        await owner.execute(f"CREATE TABLE bench_{table} (LIKE {table})")
        await owner.execute(
            f"CREATE FUNCTION bench_note_{table}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
            f" $$BEGIN INSERT INTO bench_{table} SELECT OLD.*; RETURN NULL; END$$"
        )
        await owner.execute(
            f"CREATE TRIGGER bench_note AFTER UPDATE ON {table} FOR EACH ROW"
            f" EXECUTE FUNCTION bench_note_{table}()"
        )


async def _unwatch(owner: Any) -> None:
    for table in UPDATED:
        await owner.execute(f"DROP FUNCTION bench_note_{table}() CASCADE")
        await owner.execute(f"DROP TABLE bench_{table}")


async def written(owner: Any, order: str) -> list[Row]:
    """Every row of this order's payment as it stands now."""
    payment = await owner.fetchval("SELECT payment_id FROM payments WHERE order_id = $1", order)
    return [
        row
        for table in UPDATED + GROWING
        for row in await _rows(owner, table, table, "payment_id = $1", payment)
    ]


async def _read(owner: Any, order: str) -> Sample:
    after = await written(owner, order)
    updated = [row for row in after if row.table in UPDATED]
    (last,) = {row.commit for row in updated}
    before = [(await _rows(owner, table, f"bench_{table}"))[0] for table in UPDATED]
    grown = [row for row in after if row.table in GROWING]
    return Sample(
        inserted=before + [row for row in grown if row.commit != last],
        updated=updated,
        added=[row for row in grown if row.commit == last],
    )


async def _rows(owner: Any, table: str, source: str, where: str = "true", *values: object) -> list[Row]:
    columns = await owner.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
        " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'committed_in'"
        " ORDER BY attnum",
        table,
    )
    types = {column["attname"]: column["type"] for column in columns}
    texts = ", ".join(f'"{name}"::text AS "{name}"' for name in types)
    order = ", ".join(f'{source}."{name}"' for name in types if name in ORDERED) or "1"
    sql = f"SELECT {texts}, xmin::text AS commit FROM {source} WHERE {where} ORDER BY {order}"  # noqa: S608 - names of our own tables
    found = await owner.fetch(sql, *values)
    return [Row(table, types, {name: row[name] for name in types}, row["commit"]) for row in found]


def charged(running: Stack, order: str) -> Sample:
    """The rows of one charge over HTTP, watched."""

    async def charge() -> str:
        await asyncio.to_thread(running.charge, order)
        return order

    return asyncio.run(sample(running.admin_url, charge))
