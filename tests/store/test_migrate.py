"""Migrations: what they make is what the metadata says, however often and by however many they are run."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint
from sqlalchemy.dialects.postgresql import base as postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import ColumnCollectionConstraint

from eci_payments.store import migrate
from eci_payments.store.migrate import MigrationRefused, check, current, pending, upgrade
from eci_payments.store.session import Database, run
from eci_payments.store.tables import TransactionNumber, metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REVISIONS = sorted(path.name[:4] for path in Path(migrate.__file__).parent.glob("migrations/versions/0*.py"))
CATALOGUE = """
SELECT 'column' AS kind, c.relname || '.' || a.attname AS name,
       format('%s %s %s', format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
         AS definition
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0
UNION ALL
SELECT 'constraint', c.conname, format('%s: %s', c.conrelid::regclass, pg_get_constraintdef(c.oid))
FROM pg_constraint c WHERE c.connamespace = current_schema()::regnamespace AND c.contype <> 'n'
UNION ALL
SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL
SELECT 'sequence', sequencename, format('%s %s %s %s', data_type, start_value, increment_by, cycle)
FROM pg_sequences WHERE schemaname = current_schema()
UNION ALL
SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
ORDER BY 1, 2, 3
"""


@asynccontextmanager
async def opened(url) -> AsyncIterator[Database]:
    database = Database(url, pool_size=2)
    try:
        yield database
    finally:
        await database.close()


async def catalogue(url):
    async with opened(url) as database, database.read() as session:
        rows = await run(session, CATALOGUE)
    return [tuple(row) for row in rows if not row.name.startswith("alembic_version")]


async def test_the_migrations_make_exactly_what_the_metadata_says(database, empty_database):
    async with opened(empty_database.owner_url) as other, other.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)

    assert await catalogue(database.owner_url) == await catalogue(empty_database.owner_url)


async def test_alembic_finds_nothing_left_to_migrate(database, monkeypatch):
    monkeypatch.setitem(postgresql.ischema_names, "xid8", TransactionNumber)

    def differences(connection):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "autoincrement and existing SERIAL sequence" talk of reflection
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return compare_metadata(context, metadata)

    async with opened(database.owner_url) as own, own.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_schema_can_be_distributed_by_merchant():
    for table in metadata.tables.values():
        assert "merchant_id" in table.primary_key.columns, table.name
        keys = [key for key in table.constraints if isinstance(key, ColumnCollectionConstraint)]
        for key in keys:
            assert isinstance(key, CheckConstraint) or "merchant_id" in key.columns, (
                f"{table.name}: {key.name}"
            )
        for index in table.indexes:
            assert not index.unique or "merchant_id" in index.columns, index.name
        for foreign in table.foreign_key_constraints:
            assert [c.name for c in foreign.columns] == [e.column.name for e in foreign.elements]
        assert table.autoincrement_column is None, f"{table.name} is numbered by a serial"


async def test_there_is_no_trigger_and_no_identity_column(database):
    found = await catalogue(database.owner_url)

    assert not [row for row in found if row[0] == "trigger"]
    assert [row for row in found if "nextval" in (row[2] or "")] == [
        ("column", "admin_events.event_id", "bigint t nextval('admin_event_ids'::regclass)"),
        ("column", "deliveries.delivery_id", "bigint t nextval('delivery_ids'::regclass)"),
        ("column", "gateway_inbox.inbox_id", "bigint t nextval('inbox_ids'::regclass)"),
    ]


async def test_upgrading_twice_changes_nothing(database):
    before = await catalogue(database.owner_url)
    await upgrade(database.owner_url, database.service_role)

    assert await catalogue(database.owner_url) == before
    async with opened(database.service_url) as own, own.read() as session:
        assert await current(session) == REVISIONS[-1]
        assert await pending(session) == []
        assert await check(session) == []
        (merchant,) = await run(session, "SELECT merchant_id, name FROM merchants")
        assert tuple(merchant) == (1, "default")


async def test_two_at_once_make_one_schema(empty_database):
    async with opened(empty_database.owner_url) as own:
        async with own.read() as session:
            assert await current(session) is None
            assert await pending(session) == REVISIONS
            assert "run `eci-payments migrate`" in (await check(session))[0]
        await asyncio.gather(
            *(upgrade(empty_database.owner_url, empty_database.service_role) for _ in range(3))
        )
        async with own.read() as session:
            assert await check(session) == []
            assert len(await run(session, "SELECT 1 FROM merchants")) == 1


async def test_hot_tables_keep_room_on_their_pages(database):
    async with opened(database.owner_url) as own, own.read() as session:
        rows = await run(session, "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL")
    options = {row.relname: row.reloptions for row in rows}
    for table in ("payments", "operations", "idempotency_keys", "deliveries"):
        assert "fillfactor=85" in options[table]


async def test_a_database_with_the_seeds_tables_is_refused_and_left_alone(empty_database):
    async with opened(empty_database.owner_url) as own:
        async with own.write() as session:
            await run(session, "CREATE TABLE payments (id serial PRIMARY KEY, amount float)")
        before = await catalogue(empty_database.owner_url)
        with pytest.raises(MigrationRefused, match=r"did not make \(payments\)") as refused:
            await upgrade(empty_database.owner_url, empty_database.service_role)
        assert "\n" not in str(refused.value)
        assert await catalogue(empty_database.owner_url) == before


async def test_a_database_of_a_later_release_is_not_migrated_but_may_be_served(database):
    async with opened(database.owner_url) as own:
        async with own.write() as session:
            await run(session, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(MigrationRefused, match="migration 9999"):
            await upgrade(database.owner_url, database.service_role)
        async with own.read() as session:
            assert await check(session) == []


async def test_a_role_that_does_not_exist_is_named_and_nothing_is_made(empty_database):
    with pytest.raises(MigrationRefused, match="nobody_at_all"):
        await upgrade(empty_database.owner_url, "nobody_at_all")
    assert await catalogue(empty_database.owner_url) == []


async def test_a_table_that_stays_locked_is_given_up_on(database, monkeypatch):
    monkeypatch.setattr(migrate, "TRIES", 2)
    monkeypatch.setattr(migrate, "PAUSE_S", 0.01)
    monkeypatch.setattr(migrate, "WAIT_FOR_ANOTHER_MIGRATION_MS", 50)
    async with opened(database.owner_url) as own, own.write() as session:
        await run(session, "SELECT pg_advisory_xact_lock($1)", migrate.MIGRATION_LOCK)
        with pytest.raises(MigrationRefused, match="stayed locked"):
            await upgrade(database.owner_url, database.service_role)


async def test_a_role_that_does_not_own_the_schema_is_told_so(empty_database):
    with pytest.raises(MigrationRefused, match="MIGRATION_DATABASE_URL"):
        await upgrade(empty_database.service_url)


async def test_any_other_failure_is_not_hidden(empty_database, monkeypatch):
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", "nonsense")
    with pytest.raises(DBAPIError):
        await upgrade(empty_database.owner_url)
