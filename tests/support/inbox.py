"""Webhooks for the tests of the core: put into the inbox as the endpoint does, applied as a worker does."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.gateways.contract import Approved, Cancelled, Declined, Outcome
from eci_payments.gateways.hooks import GatewayEvent, OperationTold, Subject, Told
from eci_payments.operations.ingest.receive import receive
from eci_payments.recovery.inbox import InboxWorker
from eci_payments.store.inbox import list_inbox

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.store.inbox import InboxRow
    from support.engine import House

_numbers = itertools.count(1)
WHEN = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)


def event(told: Told, event_id: str | None = None, **fields: Any) -> GatewayEvent:
    """A webhook that says this."""
    values: dict[str, Any] = {"type": "test", "occurred_at": WHEN, "payload": {"id": event_id}} | fields
    return GatewayEvent(event_id=event_id or f"evt-{next(_numbers)}", told=told, **values)


def outcome_of(operation: Operation, word: str = "approved", amount_minor: int | None = None) -> Outcome:
    """What the scripted gateway would say of this operation."""
    reference = f"ref-{operation.gateway_key[:8]}"
    outcomes: dict[str, Outcome] = {
        "approved": Approved(reference, amount_minor or operation.amount_minor, "AUTH01", "approved"),
        "declined": Declined("insufficient_funds", "Not enough money."),
        "cancelled": Cancelled(reference),
    }
    return outcomes[word]


def told_of(operation: Operation, word: str = "approved", **fields: Any) -> OperationTold:
    """An operation's outcome as its gateway tells it."""
    values: dict[str, Any] = {
        "about": Subject(key=operation.gateway_key),
        "currency": operation.currency,
        "amount_minor": operation.amount_minor,
        "outcome": outcome_of(operation, word),
    }
    return OperationTold(**(values | fields))


async def put(house: House, *told: Told | GatewayEvent, at_once: int = 1) -> None:
    """Into the inbox: one after another, so that it has them in this order, unless told otherwise."""
    events = [each if isinstance(each, GatewayEvent) else event(each) for each in told]
    engine, account = house.payments.engine, house.gateway.name
    for start in range(0, len(events), at_once):
        together = events[start : start + at_once]
        await asyncio.gather(*(receive(engine, account, each) for each in together))


async def work_off(house: House) -> int:
    """One worker's rounds until nothing is due; how many events there were."""
    worker, worked = InboxWorker(house.payments), 0
    while done := await worker.run_once():
        worked += done
    return worked


async def inbox(house: House) -> list[InboxRow]:
    """Every event, oldest first."""
    async with house.database.read() as session:
        return list(reversed(await list_inbox(session, SINGLE_SHOP, limit=1000)))


async def states(house: House) -> list[str]:
    """What became of each, oldest first."""
    return [row.state.value for row in await inbox(house)]


async def pass_time(house: House, seconds: float) -> None:
    """Let time pass for what waits in the inbox."""
    await house.query(
        "UPDATE gateway_inbox SET due_at = due_at - make_interval(secs => $1),"
        " waiting_since = waiting_since - make_interval(secs => $1)",
        float(seconds),
    )
