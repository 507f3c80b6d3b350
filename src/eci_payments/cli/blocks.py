"""``eci-payments blocks``: whom a merchant takes no money from; each change is in the trail."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import typer

from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.owning import act, existing, owning
from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.domain.ids import MAX_SAFE_INTEGER, InvalidId, external_id
from eci_payments.domain.limits import BlockKind
from eci_payments.store.admin_events import record_one
from eci_payments.store.blocks import Block, add_block, card_of_payment, list_blocks, remove_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.store.session import WriteSession

SOON = "Every process knows it within 5 s."
REASON_MAX = 200
_FORMS = {
    BlockKind.BIN: (re.compile(r"[0-9]{6}", re.ASCII), "a card number's first six digits"),
    BlockKind.UPI: (re.compile(r"[a-z0-9._-]{1,256}@[a-z0-9.-]{1,64}", re.ASCII), "a UPI address"),
    BlockKind.CARD: (re.compile(r"[1-9][0-9]{0,15}", re.ASCII), "the id of a payment that was made with it"),
}


def add(merchant: int, kind: BlockKind, value: str, reason: str) -> None:
    """Put somebody on the list."""
    if not 1 <= len(reason) <= REASON_MAX or not reason.isprintable() or contains_card_number(reason):
        raise CommandError(
            f"--reason is 1 to {REASON_MAX} printable characters, and no card data", WRONG_SETTING
        )
    typer.echo(f"{asyncio.run(_add(merchant, kind, _checked(kind, value), reason))} is blocked. {SOON}")


def show(merchant: int) -> None:
    """Print the list."""
    for each in asyncio.run(_list(merchant)):
        typer.echo(f"{each.subject}  {each.added_at:%Y-%m-%dT%H:%M:%SZ}  {each.reason}")


def remove(merchant: int, subject: str) -> None:
    """Take somebody off the list."""
    asyncio.run(_remove(merchant, subject))
    typer.echo(f"{subject} is not blocked any more. {SOON}")


def _checked(kind: BlockKind, value: str) -> str:
    """The value in the one way of writing that charges are held against. Never repeated: it could be card data."""
    if kind is BlockKind.USER:
        try:
            return external_id(value)
        except InvalidId as wrong:
            raise CommandError(f"a user id {wrong}", WRONG_SETTING) from None
    form, takes = _FORMS[kind]
    if not form.fullmatch(value.lower()) or (kind is BlockKind.CARD and int(value) > MAX_SAFE_INTEGER):
        raise CommandError(f"{kind} takes {takes}", WRONG_SETTING)
    return value.lower()


async def _add(merchant: int, kind: BlockKind, value: str, reason: str) -> str:
    async with owning() as session:
        known = await existing(session, merchant)
        subject = f"{kind}:{await _card(session, merchant, value) if kind is BlockKind.CARD else value}"
        if not await add_block(session, known, kind, subject, reason):
            raise CommandError(f"{subject} is on the list already")
        await record_one(session, act(known, "block added", f"{subject} {reason!r}"))
    return subject


async def _card(session: WriteSession, merchant: int, payment: str) -> str:
    found = await card_of_payment(session, merchant, int(payment))
    if found is None:
        raise CommandError(
            f"payment {payment} has no card fingerprint: it was made without a card, or without CARD_FINGERPRINT_KEY"
        )
    return found


async def _list(merchant: int) -> Sequence[Block]:
    async with owning() as session:
        return await list_blocks(session, await existing(session, merchant))


async def _remove(merchant: int, subject: str) -> None:
    async with owning() as session:
        known = await existing(session, merchant)
        if not await remove_block(session, known, subject):
            raise CommandError(f"merchant {merchant} does not block that; see `eci-payments blocks list`")
        await record_one(session, act(known, "block removed", subject))
