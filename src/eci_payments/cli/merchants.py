"""``eci-payments merchants``: who owns what is in the books."""

from __future__ import annotations

import asyncio

import typer

from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.owning import act, owning
from eci_payments.domain.ids import MerchantId
from eci_payments.store.admin_events import record_one
from eci_payments.store.merchants import Merchant, add_merchant, list_merchants

NAME_MAX = 100


def create(name: str) -> None:
    """Make a merchant, and say its number."""
    if not 1 <= len(name.strip()) <= NAME_MAX or not name.isprintable():
        raise CommandError(f"a name is 1 to {NAME_MAX} printable characters", WRONG_SETTING)
    merchant = asyncio.run(_create(name.strip()))
    typer.echo(f"Merchant {merchant} is made; `eci-payments keys create --merchant {merchant}` lets it in.")


def show() -> None:
    """Print every merchant."""
    for each in asyncio.run(_list()):
        typer.echo(
            f"{each.merchant_id:>8}  {each.created_at:%Y-%m-%dT%H:%M:%SZ}  {each.usable_keys} keys  {each.name}"
        )


async def _create(name: str) -> MerchantId:
    async with owning() as session:
        merchant = await add_merchant(session, name)
        await record_one(session, act(merchant, "merchant created", repr(name)))
    return merchant


async def _list() -> list[Merchant]:
    async with owning() as session:
        return await list_merchants(session)
