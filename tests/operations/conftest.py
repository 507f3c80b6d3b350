"""One process of the core over a database that holds nothing but the merchant."""

from __future__ import annotations

import asyncpg
import pytest

from support.engine import open_house
from support.gateway import ScriptedGateway
from support.postgres import run_apart

KEPT = ["merchants", "alembic_version"]


@pytest.fixture(scope="module")
def shared(postgres, template):
    """One database for a module: emptying it takes a hundredth of what a new one does."""
    made = postgres.create(template)
    yield made
    postgres.drop(made)


@pytest.fixture
def service_url(shared):
    """Its address for the service, with nothing in it."""
    run_apart(_emptied(shared.admin_url.replace("+asyncpg", "")))
    return shared.service_url


async def _emptied(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL ($1::text[])",
            KEPT,
        )
        deletes = "; ".join(f"DELETE FROM {row['tablename']}" for row in found)
        await connection.execute(f"SET session_replication_role = replica; {deletes}")
    finally:
        await connection.close()


@pytest.fixture
def owner_url(shared, service_url):  # noqa: ARG001 - emptied first
    """Its address for the owner of the schema."""
    return shared.owner_url


@pytest.fixture
def gateway():
    """One gateway account, whoever asks it."""
    return ScriptedGateway()


@pytest.fixture
async def house(service_url, gateway):
    """A process of the service."""
    opened = open_house(service_url, gateway)
    yield opened
    await opened.close()


@pytest.fixture
async def second(service_url, gateway):
    """Another process over the same database and gateway, with a lane and ids of its own."""
    opened = open_house(service_url, gateway, seed=2)
    yield opened
    await opened.close()
