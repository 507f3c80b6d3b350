"""The service's role may do its work and cannot rewrite history; a role that could is named."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from asyncpg import InsufficientPrivilegeError

from eci_payments.store.grants import GRANTS, can_rewrite_history
from eci_payments.store.migrate import upgrade
from eci_payments.store.session import Database, WriteSession, run
from eci_payments.store.tables import INSERT_ONLY, metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def writing(url) -> AsyncIterator[WriteSession]:
    database = Database(url, pool_size=1)
    try:
        async with database.write() as session:
            yield session
    finally:
        await database.close()


def test_every_table_has_its_grants_and_history_only_grows():
    assert set(GRANTS) == {*metadata.tables, "alembic_version"}
    for table in INSERT_ONLY:
        assert set(GRANTS[table]) == {"SELECT", "INSERT"}


@pytest.mark.parametrize("table", INSERT_ONLY)
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET merchant_id = 2", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
async def test_history_cannot_be_rewritten_by_the_service(service_url, table, statement):
    with pytest.raises(InsufficientPrivilegeError, match="permission denied"):
        async with writing(service_url) as session:
            await run(session, statement.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "DROP TABLE events",
        "ALTER TABLE payments DISABLE TRIGGER ALL",
        "DELETE FROM payments",
        "DELETE FROM operations",
        "INSERT INTO merchants (merchant_id, name) VALUES (2, 'x')",
        "UPDATE alembic_version SET version_num = 'x'",
        "CREATE RULE r AS ON INSERT TO events DO INSTEAD NOTHING",
        "SELECT setval('payment_ids', 1)",
        "INSERT INTO events (committed_in) VALUES ('0')",
        "INSERT INTO transactions (committed_in) VALUES ('0')",
        "INSERT INTO api_keys (merchant_id, key_id, name, hash, scopes) VALUES (1, 'x', 'x', 'x', '{admin}')",
        "UPDATE api_keys SET revoked_at = NULL",
        "UPDATE api_keys SET scopes = '{admin}'",
        "UPDATE api_keys SET rate_per_second = 1000000",
        "DELETE FROM api_keys",
    ],
)
async def test_the_service_can_do_nothing_else_either(service_url, statement):
    with pytest.raises(InsufficientPrivilegeError, match=r"permission denied|must be owner"):
        async with writing(service_url) as session:
            await run(session, statement)


async def test_the_service_can_do_what_it_needs(service_url):
    async with writing(service_url) as session:
        for table, privileges in GRANTS.items():
            for privilege in privileges:
                (row,) = (
                    await run(session, "SELECT has_any_column_privilege($1, $2) AS may", table, privilege)
                    if privilege != "DELETE"
                    else await run(session, "SELECT has_table_privilege($1, $2) AS may", table, privilege)
                )
                assert row.may, f"{privilege} on {table}"
        for sequence in metadata._sequences:
            await run(session, f"SELECT nextval('{sequence}')")


async def test_the_restricted_role_is_not_complained_about(service_url):
    async with writing(service_url) as session:
        assert await can_rewrite_history(session) == []


async def test_the_owner_and_the_superuser_are_named(database):
    async with writing(database.admin_url) as session:
        assert await can_rewrite_history(session) == ["the role is a superuser"]
    if database.owner_url == database.admin_url:
        return
    async with writing(database.owner_url) as session:
        reasons = await can_rewrite_history(session)
    for table in INSERT_ONLY:
        assert f"the role is, or may become, the owner of {table}" in reasons


@pytest.mark.parametrize(
    ("grant", "reason"),
    [
        ("GRANT UPDATE ON events TO {role}", "the role has UPDATE on events"),
        ("GRANT UPDATE (hash) ON audit_seals TO {role}", "the role has UPDATE on audit_seals"),
        ("GRANT TRUNCATE, DELETE ON transactions TO {role}", "the role has DELETE, TRUNCATE on transactions"),
        ("GRANT DELETE ON ledger_entries TO PUBLIC", "the role has DELETE on ledger_entries"),
    ],
)
async def test_a_grant_too_many_is_named_and_taken_away_by_the_next_migration(database, grant, reason):
    async with writing(database.owner_url) as session:
        await run(session, grant.format(role=database.service_role))
    async with writing(database.service_url) as session:
        assert await can_rewrite_history(session) == [reason]
    await upgrade(database.owner_url, database.service_role)
    async with writing(database.service_url) as session:
        assert await can_rewrite_history(session) == []
