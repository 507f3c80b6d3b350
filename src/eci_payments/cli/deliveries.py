"""``eci-payments deliveries``: what the other services were told, and sending parked ones again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.opening import opened
from eci_payments.cli.owning import act
from eci_payments.delivery.shapes import PeerName
from eci_payments.domain.ids import DeliveryId, MerchantId
from eci_payments.settings import load
from eci_payments.store import deliveries as store
from eci_payments.store.admin_events import record_one
from eci_payments.store.deliveries import Backlog, Delivery, DeliveryState, Replayed

if TYPE_CHECKING:
    from collections.abc import Sequence

SAID = {
    Replayed.QUEUED: "it is sent again",
    Replayed.SUPERSEDED: "it is not sent: a later delivery of the same payment has overtaken it",
    Replayed.NOT_PARKED: "it is not parked, so there is nothing to send again",
    Replayed.NOT_FOUND: "there is no such delivery",
}


def list_them(
    merchant: int,
    state: str | None,
    destination: str | None,
    limit: int,
    before: int | None,
    *,
    as_json: bool,
) -> None:
    """Print them, newest first; ``before``: only those below this id."""
    below = None if before is None else DeliveryId(before)
    wanted = _state(state), _destination(destination)
    found, waiting = asyncio.run(_list(MerchantId(merchant), *wanted, limit, below))
    if as_json:
        for each in found:
            typer.echo(json.dumps(asdict(each), default=_plain))
        return
    for each in found:
        typer.echo(_line(each))
    typer.echo(_summary(waiting))


def replay(merchant: int, delivery_id: int | None, destination: str | None, *, every: bool) -> None:
    """Send one again, or every parked one."""
    if every == (delivery_id is not None):
        raise CommandError("name one delivery, or give --parked for all of them", WRONG_SETTING)
    if destination is not None and not every:
        raise CommandError("--destination is for --parked", WRONG_SETTING)
    if delivery_id is None:
        ended = asyncio.run(_replay_parked(MerchantId(merchant), _destination(destination)))
        typer.echo(f"{ended[Replayed.QUEUED]} are sent again, {ended[Replayed.SUPERSEDED]} were overtaken.")
        return
    how = asyncio.run(_replay_one(MerchantId(merchant), DeliveryId(delivery_id)))
    if how in {Replayed.NOT_PARKED, Replayed.NOT_FOUND}:
        raise CommandError(f"delivery {delivery_id}: {SAID[how]}")
    typer.echo(f"delivery {delivery_id}: {SAID[how]}")


async def _list(
    merchant: MerchantId,
    state: DeliveryState | None,
    destination: str | None,
    limit: int,
    before: DeliveryId | None,
) -> tuple[list[Delivery], list[Backlog]]:
    async with opened(load(), "deliveries") as database, database.read() as session:
        found = await store.list_deliveries(session, merchant, state, destination, limit, before=before)
        return found, await store.backlogs(session)


async def _replay_one(merchant: MerchantId, delivery_id: DeliveryId) -> Replayed:
    async with opened(load(), "deliveries") as database, database.write() as session:
        how = await store.replay(session, merchant, delivery_id)
        await record_one(session, act(merchant, "delivery replayed", f"delivery {delivery_id}", SAID[how]))
        return how


async def _replay_parked(merchant: MerchantId, destination: str | None) -> dict[Replayed, int]:
    async with opened(load(), "deliveries") as database:
        async with database.write() as session:  # before the portions, of which each is a commit
            named = destination or "every destination"
            await record_one(session, act(merchant, "parked deliveries replayed", named, "begun"))
        return await store.replay_all_parked(database, merchant, destination)


def _state(text: str | None) -> DeliveryState | None:
    try:
        return None if text is None else DeliveryState(text.upper())
    except ValueError:
        raise CommandError(f"--state must be one of {', '.join(DeliveryState)}", WRONG_SETTING) from None


def _destination(text: str | None) -> str | None:
    if text is not None and text not in set(PeerName):
        raise CommandError(f"--destination must be one of {', '.join(PeerName)}", WRONG_SETTING)
    return text


def _line(each: Delivery) -> str:
    ended = f" {each.last_status}" if each.last_status else ""
    why = f" ({each.last_error})" if each.last_error else ""
    return (
        f"{each.delivery_id:>8}  {each.state:<10}  {each.destination:<12}  {each.event_type}  order {each.order_id}"
        f"  tries {each.tries}{ended}  since {_plain(each.created_at)}{why}"
    )


def _summary(waiting: Sequence[Backlog]) -> str:
    if not waiting:
        return "Nothing waits, nothing is parked."
    return "\n".join(
        f"{each.destination}: {each.pending} to be sent (the oldest waits {each.oldest_pending_s:.0f} s),"
        f" {each.parked} parked"
        for each in waiting
    )


def _plain(value: object) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
