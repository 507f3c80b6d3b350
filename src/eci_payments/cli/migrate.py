"""``eci-payments migrate``: the schema of this release, and the service's grants."""

from __future__ import annotations

import asyncio

import typer

from eci_payments.cli.bootstrap_key import store_bootstrap_key
from eci_payments.cli.opening import Place, connected, located, opened
from eci_payments.cli.owning import act
from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.settings import load
from eci_payments.store.admin_events import record_one
from eci_payments.store.migrate import pending, upgrade


def run(service_role: str | None) -> None:
    """Migrate, and say what was done."""
    done = asyncio.run(_run(service_role))
    typer.echo("The database is migrated." if done else "The database was up to date.")


def check() -> None:
    """Say whether this release can start on the database, as the service. Raises CommandError saying why not."""
    asyncio.run(_check())
    typer.echo("The database is ready for this release.")


async def _check() -> None:
    async with opened(load(), "migrate --check"):
        return


async def _run(service_role: str | None) -> list[str]:
    async with located(load()) as place:
        return await migrated(place, service_role)


async def migrated(place: Place, service_role: str | None = None) -> list[str]:
    """Migrate this database as its owner; the migrations that ran. Raises DatabaseAway, MigrationRefused."""
    async with connected(place.settings, place.owner_url, "migrate") as database, database.read() as session:
        lacking = await pending(session)
    await upgrade(place.owner_url, service_role or place.service_role)
    await store_bootstrap_key(place)
    if lacking:
        async with (
            connected(place.settings, place.owner_url, "migrate") as database,
            database.write() as session,
        ):
            await record_one(session, act(SINGLE_SHOP, "schema migrated", f"to {lacking[-1]}"))
    return lacking
