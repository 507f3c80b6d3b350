"""``eci-payments limits``: what a merchant limits; each change is in the trail."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.owning import act, existing, owning
from eci_payments.domain.limits import IN_A_WINDOW, WINDOW_MAX_S, Limit, LimitKind
from eci_payments.domain.money import InvalidMoney, currency, major_units, minor_units
from eci_payments.settings import load
from eci_payments.store.admin_events import record_one
from eci_payments.store.limits import list_limits, remove_limit, set_limit

if TYPE_CHECKING:
    from collections.abc import Sequence

SOON = "Every process knows it within 5 s."
HOUR_S = 3600


def set_one(
    merchant: int,
    kind: LimitKind,
    code: str,
    amount: str | None,
    charges: int | None = None,
    hours: float | None = None,
) -> None:
    """Have a limit hold."""
    limit = _limit(kind, code, amount, charges, hours)
    if kind is LimitKind.CARD and load().card_fingerprint_key is None:
        raise CommandError(
            "cards are recognised by keyed fingerprints only: give CARD_FINGERPRINT_KEY to every process first",
            WRONG_SETTING,
        )
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
    most = [] if limit.amount_minor is None else [f"{major_units(limit.amount_minor, unit):f} {unit.code}"]
    if limit.charges is not None:
        most.append(f"{limit.charges} charges in {unit.code}")
    within = f" in {limit.window_s / HOUR_S:g} h" if limit.window_s else ""
    word = "above" if limit.kind is LimitKind.REFUND_APPROVAL else "at most"
    return f"{limit.kind}  {word} {' and '.join(most)}{within}"


def _limit(kind: LimitKind, code: str, amount: str | None, charges: int | None, hours: float | None) -> Limit:
    try:
        unit = currency(code)
        amount_minor = None if amount is None else 0 if amount == "0" else minor_units(amount, unit)
    except InvalidMoney as wrong:
        raise CommandError(f"{amount} {code}: {wrong}", WRONG_SETTING) from None
    window_s = None if hours is None else round(hours * HOUR_S)
    if amount_minor is None and charges is None:
        raise CommandError("a limit needs --amount or --charges", WRONG_SETTING)
    if kind in IN_A_WINDOW and not 1 <= (window_s or 0) <= WINDOW_MAX_S:
        raise CommandError(f"--hours is at most {WINDOW_MAX_S // HOUR_S}", WRONG_SETTING)
    return Limit(kind=kind, currency=unit.code, amount_minor=amount_minor, charges=charges, window_s=window_s)


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
