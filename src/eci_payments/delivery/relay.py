"""The relay: fans committed events out into deliveries, and runs a courier for each peer."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from eci_payments.delivery.concluder import Concluder
from eci_payments.delivery.courier import Courier
from eci_payments.delivery.options import RelayOptions, Seams
from eci_payments.delivery.pause import Pause
from eci_payments.delivery.peers import subscription
from eci_payments.delivery.sender import HttpSender
from eci_payments.store.fan_out import EVENTS_AT_ONCE, add_cursors, fan_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eci_payments.delivery.peers import Peer
    from eci_payments.delivery.sender import Sender
    from eci_payments.store.session import Database

log = logging.getLogger(__name__)

NEW_MERCHANTS_EVERY_S = 5.0
"""How soon a new merchant's events begin to be told."""


class Relay:
    """Any number may run over one database; each claims its rows.

    All of them must be configured with the same peers: whichever walks an event decides who is told of it.
    """

    def __init__(
        self,
        database: Database,
        peers: Iterable[Peer],
        options: RelayOptions | None = None,
        *,
        sender: Sender | None = None,
        seams: Seams | None = None,
    ) -> None:
        options, seams = options or RelayOptions(), seams or Seams()
        self._database = database
        self._sender = sender or HttpSender(options.timeout_s)
        self._clock = seams.clock
        self._pause = Pause(options.fan_out_idle_s)
        self._cursors_at = self._clock()
        self._concluder = Concluder(database)
        self.couriers = {
            peer.name.value: Courier(peer, database, self._sender, self._concluder, options, seams)
            for peer in peers
        }
        self._subscriptions = [subscription(courier.peer) for courier in self.couriers.values()]

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; returns when what was on its way has been concluded."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._end_all_at(stop))
                group.create_task(self._fan_out_until(stop))
                for courier in self.couriers.values():
                    group.create_task(courier.run(stop))
        finally:
            await self._concluder.close()
            await self._sender.close()

    async def _end_all_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._pause.end()
        for courier in self.couriers.values():
            courier.end()

    async def _fan_out_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                walked = await self._fan_out()
            except Exception:
                log.exception("events cannot be fanned out: the database cannot be used")
                await self._pause.after_error()
            else:
                await self._pause.rest(found=walked > 0, more=walked >= EVENTS_AT_ONCE)

    async def _fan_out(self) -> int:
        """One batch; how many events were walked."""
        async with self._database.write() as session:
            if self._clock() >= self._cursors_at:
                await add_cursors(session)
                self._cursors_at = self._clock() + NEW_MERCHANTS_EVERY_S
            done = await fan_out(session, self._subscriptions)
        for destination in done.destinations:
            self.couriers[destination].wake()
        return done.events
