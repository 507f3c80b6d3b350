"""Every migration keeps to docs/migrations.md: it asks for no long lock, rewrites nothing, and fits rows that exist."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from alembic import command
from sqlalchemy import event
from sqlalchemy.engine import Engine

from eci_payments.gateways.contract import Declined, Unknown
from eci_payments.store import migrate
from eci_payments.store.migrate import check, upgrade
from eci_payments.store.session import Database, run
from eci_payments.store.verify import verify
from support import next_release
from support.migration_rules import faults
from support.world import APPROVED, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

FIRST = "0001"
WAIVED: dict[tuple[str, str], str] = {}
"""By revision and the beginning of what `faults` says of a statement: why it may be so."""

ALLOWED = (
    "CREATE TABLE notes (a bigint)",
    "ALTER TABLE payments ADD COLUMN note text",
    "ALTER TABLE payments ADD COLUMN note text DEFAULT 'a, (b' NOT NULL, ADD COLUMN other integer",
    "ALTER TABLE payments ADD CONSTRAINT some_check CHECK (note IN ('a', 'b')) NOT VALID",
    "ALTER TABLE payments DROP CONSTRAINT status_check, ADD CONSTRAINT status_check CHECK (status > '') NOT VALID",
    "ALTER TABLE payments SET (fillfactor = 70)",
    "INSERT INTO merchants (merchant_id, name) VALUES (2, 'second')",
)
FORBIDDEN = (
    "ALTER TABLE payments ADD COLUMN note text NOT NULL",
    "ALTER TABLE payments ADD COLUMN note uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE payments ADD COLUMN note bigserial",
    "ALTER TABLE payments ADD COLUMN note text REFERENCES merchants",
    "ALTER TABLE payments ADD CONSTRAINT some_check CHECK (note > '')",
    "ALTER TABLE payments ADD UNIQUE (merchant_id, note)",
    "ALTER TABLE payments ALTER COLUMN amount_minor TYPE numeric",
    "ALTER TABLE payments ALTER COLUMN note SET NOT NULL",
    "ALTER TABLE payments ADD COLUMN a text, DROP COLUMN note",
    "ALTER TABLE payments RENAME COLUMN note TO memo",
    "ALTER TABLE payments VALIDATE CONSTRAINT some_check",
    "CREATE INDEX some_idx ON payments (note)",
    "CREATE UNIQUE INDEX some_idx ON public.payments USING btree (note)",
    "DROP TABLE refunds",
    "DROP INDEX some_idx",
    "UPDATE payments SET note = ''",
    "DELETE FROM idempotency_keys",
    "LOCK TABLE payments",
    "SET LOCAL lock_timeout = 0",
    "CREATE TRIGGER t AFTER UPDATE ON payments EXECUTE FUNCTION f()",
)


@pytest.mark.parametrize("statement", ALLOWED)
def test_the_rules_allow(statement):
    assert faults([statement]) == []


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_rules_forbid(statement):
    assert faults([statement])


def test_what_a_migration_makes_itself_nobody_uses_yet():
    made = ("CREATE TABLE notes (a bigint)", "CREATE INDEX notes_idx ON notes (a)")
    assert faults([*made, "ALTER TABLE notes ADD CONSTRAINT notes_check CHECK (a > 0)"]) == []


@contextmanager
def statements_by_revision() -> Iterator[dict[str, list[str]]]:
    """What Alembic sends meanwhile, by the revision that sent it."""
    sent: dict[str, list[str]] = {}
    waiting: list[str] = []
    noted = re.compile(r"(?:INSERT INTO|UPDATE) alembic_version\b")

    def remember(_connection, _cursor, statement, parameters, _context, _many):
        if noted.match(statement):
            (revision,) = re.findall(r"\d{4}", f"{statement} {parameters}")[:1]
            sent[revision] = waiting.copy()
            waiting.clear()
        elif not re.search(r"\b(alembic_version|pg_catalog)\b", statement):
            waiting.append(statement)

    event.listen(Engine, "before_cursor_execute", remember)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", remember)


async def climb(url: str, revision: str) -> None:
    """Bring a database to this revision only."""
    engine = migrate._engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_climb, revision)
    finally:
        await engine.dispose()


def _climb(connection, revision):
    config = migrate._config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_every_migration_keeps_to_the_rules(empty_database):
    with statements_by_revision() as sent:
        await climb(empty_database.owner_url, "head")
    assert list(sent) == migrate._revisions()
    found = {
        f"{revision}: {fault}"
        for revision, statements in sent.items()
        if revision != FIRST
        for fault in faults(statements)
        if not any(revision == at and fault.startswith(what) for at, what in WAIVED)
    }
    assert found == set()


@asynccontextmanager
async def opened(url) -> AsyncIterator[Database]:
    database = Database(url, pool_size=2)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def next_chain(template, monkeypatch):
    """One migration more, that of `support.next_release`; the template of other tests is made without it."""
    assert template
    monkeypatch.setattr(migrate, "VERSIONS", (*migrate.VERSIONS, next_release.VERSIONS))


COLUMNS = """
SELECT table_name AS name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) AS columns
FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name <> 'alembic_version' GROUP BY table_name
"""
FILES = """
SELECT relname AS name, pg_relation_filenode(oid) AS file FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname <> 'alembic_version'
"""


async def read(url: str, sql: str) -> dict[str, object]:
    async with opened(url) as database, database.read() as session:
        return {row[0]: row[1] for row in await run(session, sql)}


async def copy_rows(source: str, target: str) -> None:
    """Every row of ``source``, as far as ``target`` has the columns for it."""
    there, here = await read(source, COLUMNS), await read(target, COLUMNS)
    reading, writing = [await asyncpg.connect(url.replace("+asyncpg", "")) for url in (source, target)]
    try:
        await writing.execute("SET session_replication_role = replica; DELETE FROM merchants")
        for table, columns in here.items():
            shared = [name for name in str(columns).split(", ") if name in str(there[table]).split(", ")]
            rows: list[Any] = await reading.fetch(f"SELECT {', '.join(shared)} FROM {table}")
            await writing.copy_records_to_table(table, records=rows, columns=[c.strip('"') for c in shared])
    finally:
        await reading.close()
        await writing.close()


async def populate(url: str) -> None:
    """Payments in several states, by the real operations."""
    async with opened(url) as database:
        shop = world(database)
        for _ in range(3):
            await shop.refund(await shop.charge(APPROVED), "10", APPROVED)
        await shop.charge(Declined("insufficient_funds", "No money"))
        await shop.charge(Unknown("no answer"))
        await shop.create()


@pytest.mark.parametrize("place", [0, -2])
@pytest.mark.usefixtures("next_chain")
async def test_a_database_with_rows_in_it_is_migrated_without_rewriting_a_table(
    database, empty_database, place
):
    """From the first and from the last but one; the rows are today's, less the columns that came later."""
    await populate(database.service_url)
    await climb(empty_database.owner_url, migrate._revisions()[place])
    await copy_rows(database.admin_url, empty_database.admin_url)
    before = await read(empty_database.owner_url, FILES)
    await upgrade(empty_database.owner_url, empty_database.service_role)
    after = await read(empty_database.owner_url, FILES)
    assert {name: after[name] for name in before} == before
    async with opened(empty_database.service_url) as migrated:
        async with migrated.read() as session:
            assert await check(session) == []
        report = await verify(migrated, [])
    assert report.ok, report.findings
    assert report.counted["payments"] == 6
