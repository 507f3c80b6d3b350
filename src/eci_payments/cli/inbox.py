"""``eci-payments inbox``: what gateways told by webhook, what became of it, and applying it again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.opening import opened
from eci_payments.cli.owning import act
from eci_payments.domain.ids import MerchantId
from eci_payments.domain.inbox import InboxId, InboxState
from eci_payments.observability.masking import mask
from eci_payments.settings import load
from eci_payments.store import inbox as store
from eci_payments.store.admin_events import record_one

if TYPE_CHECKING:
    from eci_payments.store.inbox import InboxRow

HIDDEN = ("lease_epoch", "waiting_since", "age_s")


def list_them(merchant: int, state: str | None, limit: int, *, as_json: bool) -> None:
    """Print them, newest first."""
    found = asyncio.run(_list(MerchantId(merchant), _state(state), limit))
    for row in found:
        typer.echo(json.dumps(_shown(row), default=_plain) if as_json else _line(row))
    if not found and not as_json:
        typer.echo("Nothing.")


def show(merchant: int, inbox_id: int) -> None:
    """Print one."""
    row = asyncio.run(_find(MerchantId(merchant), InboxId(inbox_id)))
    if row is None:
        raise CommandError(f"there is no event {inbox_id}")
    typer.echo(json.dumps(_shown(row), default=_plain, indent=2))


def replay(merchant: int, inbox_id: int | None, *, every: bool) -> None:
    """Apply one again, or every one that is held."""
    if every == (inbox_id is not None):
        raise CommandError("name one event, or give --held for all that wait for a person", WRONG_SETTING)
    count = asyncio.run(_replay(MerchantId(merchant), inbox_id))
    if inbox_id is not None and not count:
        raise CommandError(f"event {inbox_id}: there is none, or it is still to be applied")
    more = "; give the command again for the rest" if count == store.MAX_REPLAYED else ""
    typer.echo(f"{count} will be applied again{more}.")


def dismiss(merchant: int, inbox_id: int, reason: str) -> None:
    """End one by a person's word."""
    if not asyncio.run(_dismiss(MerchantId(merchant), InboxId(inbox_id), mask(reason))):
        raise CommandError(f"event {inbox_id}: there is none that waits for a person")
    typer.echo(f"event {inbox_id}: dismissed")


async def _list(merchant: MerchantId, state: InboxState | None, limit: int) -> list[InboxRow]:
    async with opened(load(), "inbox") as database, database.read() as session:
        return await store.list_inbox(session, merchant, state, limit)


async def _find(merchant: MerchantId, inbox_id: InboxId) -> InboxRow | None:
    async with opened(load(), "inbox") as database, database.read() as session:
        return await store.find_inbox(session, merchant, inbox_id)


async def _replay(merchant: MerchantId, inbox_id: int | None) -> int:
    async with opened(load(), "inbox") as database, database.write() as session:
        named = None if inbox_id is None else InboxId(inbox_id)
        count = await store.replay_inbox(session, merchant, named)
        if count:
            await record_one(session, act(merchant, "inbox replayed", str(inbox_id or "all that was held")))
        return count


async def _dismiss(merchant: MerchantId, inbox_id: InboxId, reason: str) -> bool:
    async with opened(load(), "inbox") as database, database.write() as session:
        done = await store.dismiss_inbox(session, merchant, inbox_id, f"dismissed: {reason}")
        if done:
            await record_one(session, act(merchant, "inbox dismissed", f"{inbox_id} {reason!r}"))
        return done


def _state(text: str | None) -> InboxState | None:
    try:
        return None if text is None else InboxState(text.upper())
    except ValueError:
        raise CommandError(f"--state must be one of {', '.join(InboxState)}", WRONG_SETTING) from None


def _shown(row: InboxRow) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in HIDDEN}


def _line(row: InboxRow) -> str:
    about = f"payment {row.payment_id}" if row.payment_id else "no payment"
    why = f" ({row.why})" if row.why else ""
    return (
        f"{row.inbox_id:>8}  {row.state:<8}  {row.account:<12}  {row.event_type}  {about}  tries {row.attempts}"
        f"  since {_plain(row.received_at)}{why}"
    )


def _plain(value: object) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
