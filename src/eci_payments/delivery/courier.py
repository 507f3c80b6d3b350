"""Takes one destination's deliveries there, within its own bound: a peer that is down holds up nobody else."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from eci_payments.delivery import peers
from eci_payments.delivery.attempt import conclusion, parked
from eci_payments.delivery.backoff import retry_after_s
from eci_payments.delivery.blame import blames_peer
from eci_payments.delivery.headers import headers
from eci_payments.delivery.pause import Pause
from eci_payments.domain.breaker import Breaker, BreakerState
from eci_payments.observability.spans import client_call, going_on
from eci_payments.store.deliveries import DeliveryState
from eci_payments.store.delivery_claims import claim, count_as_tried, park_overdue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from eci_payments.delivery.concluder import Concluder
    from eci_payments.delivery.options import RelayOptions, Seams
    from eci_payments.delivery.peers import Peer
    from eci_payments.delivery.sender import Answer, Sender
    from eci_payments.observability.spans import Nothing, Span
    from eci_payments.store.delivery_claims import Claimed, Conclusion
    from eci_payments.store.session import Database, WriteSession

log = logging.getLogger(__name__)

PORTION = 500
"""Rows swept in one transaction, so that its locks are held for milliseconds."""


class Courier:
    """Claims what is due for one peer and sends it."""

    def __init__(
        self,
        peer: Peer,
        database: Database,
        sender: Sender,
        concluder: Concluder,
        options: RelayOptions,
        seams: Seams,
    ) -> None:
        self.peer = peer
        self.breaker = Breaker(seams.clock)
        self._database = database
        self._sender = sender
        self._concluder = concluder
        self._options = options
        self._spread = seams.spread
        self._clock = seams.clock
        self._measured = seams.measured
        self._pause = Pause(options.courier_idle_s)
        self._on_the_way: set[asyncio.Task[None]] = set()
        self._sweeps_at = 0.0

    def wake(self) -> None:
        """There may be something to do: look now."""
        self._pause.wake()

    def end(self) -> None:
        """The process stops: rest no more."""
        self._pause.end()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``: claim, send, rest. Then what is on its way is waited for, within bounds."""
        while not stop.is_set():
            try:
                found, more = await self._claim_and_send()
                await self._sweep(stop)
            except Exception:
                log.exception("deliveries to %s: the database cannot be used", self.peer.name)
                await self._pause.after_error()
            else:
                await self._pause.rest(found=found, more=more, at_least_s=self.breaker.wait_s())
        await self._settle()

    async def _claim_and_send(self) -> tuple[bool, bool]:
        """Whether anything was due, and whether more may be."""
        free = self._options.concurrency - len(self._on_the_way)
        allowed = self.breaker.allowance(free, len(self._on_the_way))
        if allowed <= 0 or (self._on_the_way and allowed < self._options.claim_least):
            return False, False
        lease_ends = self._clock() + self._options.lease_s
        async with self._database.write() as session:
            taken = await claim(
                session,
                self.peer.name,
                allowed,
                lease_s=self._options.lease_s,
                guarded=self.peer.name in peers.GUARDED,
            )
        for delivery in taken.deliveries:
            task = asyncio.create_task(self._deliver(delivery, lease_ends))
            self._on_the_way.add(task)
            task.add_done_callback(self._arrived)
        found = len(taken.deliveries) + taken.superseded
        return found > 0, found == allowed

    def _arrived(self, task: asyncio.Task[None]) -> None:
        self._on_the_way.discard(task)
        self.wake()
        if not task.cancelled() and (error := task.exception()):
            log.error("a delivery to %s broke off", self.peer.name, exc_info=error)

    async def _deliver(self, claimed: Claimed, lease_ends: float) -> None:
        event = claimed.event
        with going_on(
            f"deliver {self.peer.name}",
            correlation=event.correlation_id,
            traceparent=event.traceparent,
            merchant=event.merchant_id,
        ) as span:
            began = self._clock()
            ended = await self._tried(claimed, lease_ends)
            if ended is None:
                span.forget()
                return
            if span:
                _describe(span, ended)
            self._measured(self.peer.name, ended.state, self._clock() - began)
            landed = await self._concluder.conclude(ended)
            _tell(ended, landed=landed)

    async def _tried(self, claimed: Claimed, lease_ends: float) -> Conclusion | None:
        """What became of one try; None when it was not made because the lease might end on the way."""
        try:
            request = peers.request(self.peer, claimed.event)
        except Exception as error:
            log.exception("event %d cannot be told to %s", claimed.event.event_id, self.peer.name)
            return parked(claimed, f"cannot be told: {type(error).__name__}: {error}")
        if self._clock() + self._options.timeout_s > lease_ends:
            return None
        with client_call(request.verb, request.url) as call:
            answer = await self._sender.send(request, headers(request.idempotency_key))
            call.tell(resends=claimed.tries - 1)
            if answer.status is None:
                call.fail("no answer")
            else:
                call.answered(answer.status)
        self._judge(answer, claimed)
        return conclusion(claimed, answer, max_age_s=self._options.max_age_s, spread=self._spread())

    def _judge(self, answer: Answer, claimed: Claimed) -> None:
        before = self.breaker.state
        if blames_peer(answer.status):
            self.breaker.failed(retry_after_s(answer.retry_after, claimed.claimed_at))
        else:
            self.breaker.succeeded()
        if (after := self.breaker.state) is not before:
            log.warning("the breaker of %s went from %s to %s", self.peer.name, before, after)

    async def _sweep(self, stop: asyncio.Event) -> None:
        """While the peer is known to be down, time runs for all that waits behind it, not only for what probes it."""
        if self.breaker.state is not BreakerState.OPEN or self._clock() < self._sweeps_at:
            return
        self._sweeps_at = self._clock() + self._options.sweep_every_s
        hours = self._options.max_age_s / 3600
        name, reason = self.peer.name, f"the peer has been down while this was due for {hours:g} h"
        age_s = self._options.max_age_s
        await self._in_portions(lambda session: count_as_tried(session, name, PORTION), stop)
        await self._in_portions(
            lambda session: park_overdue(session, name, PORTION, max_age_s=age_s, reason=reason), stop
        )

    async def _in_portions(
        self, portion: Callable[[WriteSession], Awaitable[int]], stop: asyncio.Event
    ) -> None:
        done = PORTION
        while done == PORTION and not stop.is_set():
            async with self._database.write() as session:
                done = await portion(session)

    async def _settle(self) -> None:
        """Wait for what is on its way; what takes too long is dropped and sent again when its lease has ended."""
        if self._on_the_way:
            _, late = await asyncio.wait(self._on_the_way, timeout=self._options.settle_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _describe(span: Span | Nothing, ended: Conclusion) -> None:
    claimed = ended.claimed
    event = claimed.event
    span.tell(peer=claimed.destination, delivery_id=claimed.delivery_id, state=ended.state.value)
    span.tell(payment_id=event.payment_id, event_id=event.event_id, event_type=event.type)
    if ended.state is not DeliveryState.DELIVERED:
        span.fail(ended.state.value)


def _tell(ended: Conclusion, *, landed: bool) -> None:
    claimed = ended.claimed
    if not landed:
        log.warning("delivery %d: its conclusion came after the lease", claimed.delivery_id)
    elif ended.state is DeliveryState.PARKED:
        log.error("delivery %d to %s is parked: %s", claimed.delivery_id, claimed.destination, ended.error)
