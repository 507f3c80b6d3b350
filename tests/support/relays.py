"""Relays at work for as long as a test's block lasts."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from eci_payments.delivery.options import RelayOptions
from eci_payments.store.fan_out import events_behind
from support.deliveries import states

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from eci_payments.delivery.relay import Relay
    from eci_payments.store.session import Database
    from support.standins import StandIns

OPTIONS = RelayOptions(timeout_s=2.0, fan_out_idle_s=0.05, courier_idle_s=0.05, sweep_every_s=0.1)


@asynccontextmanager
async def running(*relays: Relay) -> AsyncIterator[None]:
    """The relays at work, side by side, until the block ends."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for each in relays:
            group.create_task(each.run(stop))
        try:
            yield
        finally:
            stop.set()


async def settled(db: Database, destination: str | None = None) -> bool:
    """Whether every event has its deliveries and none of them waits any more."""
    async with db.read() as session:
        if await events_behind(session):
            return False
    found = await states(db, destination)
    return bool(found) and "PENDING" not in found


def heard(standins: StandIns, name: str = "order", *, taken: bool = True) -> dict[str, list[str]]:
    """What one peer was told of each order, in the order in which it arrived."""
    told: dict[str, list[str]] = defaultdict(list)
    for call in standins.received(name, taken=taken):
        told[call["order_id"]].append(json.loads(call["body"]).get("status_detail"))
    return told
