"""``eci-payments limits``: what a merchant limits; each change is in the trail."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.owning import act, existing, owning
from eci_payments.domain.limits import Limit, LimitKind
from eci_payments.domain.money import InvalidMoney, currency, major_units, minor_units
from eci_payments.store.admin_events import record_one
from eci_payments.store.limits import list_limits, remove_limit, set_limit

if TYPE_CHECKING:
    from collections.abc import Sequence

SOON = "Every process knows it within 5 s."


def set_one(merchant: int, kind: LimitKind, code: str, amount: str) -> None:
    """Have a limit hold."""
    limit = _limit(kind, code, amount)
    asyncio.run(_set(merchant, limit))
    typer.echo(f"{line(limit)}\n{SOON}")


def show(merchant: int) -> None:
    """Print a merchant's limits."""
    for each in asyncio.run(_list(merchant)):
        typer.echo(line(each))


def remove(merchant: int, kind: LimitKind, code: str) -> None:
    """Let a limit hold no longer."""
    asyncio.run(_remove(merchant, kind, code))
    typer.echo(f"{kind} {code} is removed. {SOON}")


def line(limit: Limit) -> str:
    """A limit in words."""
    unit = currency(limit.currency)
    return f"{limit.kind}  above {major_units(limit.amount_minor, unit):f} {unit.code}"


def _limit(kind: LimitKind, code: str, amount: str) -> Limit:
    try:
        unit = currency(code)
        amount_minor = 0 if amount == "0" else minor_units(amount, unit)
    except InvalidMoney as wrong:
        raise CommandError(f"{amount} {code}: {wrong}", WRONG_SETTING) from None
    return Limit(kind=kind, currency=unit.code, amount_minor=amount_minor)


async def _set(merchant: int, limit: Limit) -> None:
    async with owning() as session:
        known = await existing(session, merchant)
        await set_limit(session, known, limit)
        await record_one(session, act(known, "limit set", line(limit)))


async def _list(merchant: int) -> Sequence[Limit]:
    async with owning() as session:
        return await list_limits(session, await existing(session, merchant))


async def _remove(merchant: int, kind: LimitKind, code: str) -> None:
    async with owning() as session:
        known = await existing(session, merchant)
        if not await remove_limit(session, known, kind, code):
            raise CommandError(f"merchant {merchant} has no limit {kind} in {code}")
        await record_one(session, act(known, "limit removed", f"{kind} {code}"))
