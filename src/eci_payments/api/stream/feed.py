"""The feed of one process: one reader of committed events for all its streams, whatever their number.

It looks with one query at all payments that are followed, a few times a second, and not at all while none is. Nothing
is held in the database meanwhile: no LISTEN, no session state, so that a pooler in transaction mode may stand between.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.api.errors import WireError
from eci_payments.api.stream.messages import Message, of_event
from eci_payments.api.stream.places import Places
from eci_payments.store.following import EVENTS_AT_ONCE, Followed, events_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from eci_payments.api.stream.places import Place
    from eci_payments.domain.ids import MerchantId, PaymentId
    from eci_payments.store.session import Database

WAITING_MAX = 100
"""Messages that wait for one reader; who is further behind is ended, and comes back where it was."""
FAILURE_REST_S = 1.0
DRAINING, TOO_SLOW = "draining", "too_slow"

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Subscription:
    """One stream. ``after`` is the last sequence that was handed to it; ``ended`` why nothing more will come."""

    place: Place
    after: int = 0
    ended: str | None = None
    _waiting: deque[Message] = field(default_factory=deque)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def hand(self, message: Message) -> None:
        """The next message, unless the stream has it already or lags too far behind."""
        if message.sequence <= self.after or self.ended:
            return
        if len(self._waiting) >= WAITING_MAX:
            self.end(TOO_SLOW)
            return
        self.after = message.sequence
        self._waiting.append(message)
        self._woken.set()

    def end(self, reason: str) -> None:
        """Nothing more comes."""
        self.ended = self.ended or reason
        self._woken.set()

    def taken(self) -> list[Message]:
        """What has come; it is forgotten here."""
        messages = list(self._waiting)
        self._waiting.clear()
        self._woken.clear()
        return messages

    async def woken(self) -> None:
        """Come back when something has come, or the end."""
        if not self.ended:
            await self._woken.wait()


class Feed:
    """``poll_s`` is the pause between two looks; ``draining`` says whether the process is about to end."""

    def __init__(
        self, database: Database, places: Places, poll_s: float, draining: Callable[[], bool]
    ) -> None:
        self.places = places
        self._database = database
        self._poll_s = poll_s
        self._draining = draining
        self._followed: defaultdict[tuple[MerchantId, PaymentId], set[Subscription]] = defaultdict(set)
        self._reader: asyncio.Task[None] | None = None
        self._failing = False
        self.looks = 0

    def enter(self, merchant_id: MerchantId, payment_id: PaymentId, address: str | None) -> Subscription:
        """A place for a stream that is about to begin. Raises WireError when there is none."""
        if self._draining():
            raise WireError("draining", "This process is about to end.", headers={"Retry-After": "1"})
        return Subscription(self.places.take(merchant_id, payment_id, address))

    def follow(self, subscription: Subscription, after: int) -> None:
        """Hand it every event after this sequence, from now on."""
        subscription.after = after
        self._followed[_payment(subscription)].add(subscription)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_on(), name="feed")

    def leave(self, subscription: Subscription) -> None:
        """The stream is over. To be called once for each that entered."""
        self.places.give_back(subscription.place)
        there = self._followed.get(_payment(subscription), set())
        there.discard(subscription)
        if not there:
            self._followed.pop(_payment(subscription), None)

    async def _read_on(self) -> None:
        try:
            while self._followed:
                if self._draining():
                    self._end_all()
                await asyncio.sleep(await self._look())
        finally:
            self._reader = None

    async def _look(self) -> float:
        """One look; seconds until the next one."""
        self.looks += 1
        asked = [(*payment, min(s.after for s in there)) for payment, there in self._followed.items()]
        try:
            async with self._database.read() as session:
                found = await events_after(session, asked)
        except Exception as error:  # noqa: BLE001 - the streams go on when the database is back
            if not self._failing:
                log.warning("streams learn nothing now", extra={"error": type(error).__name__})
            self._failing = True
            return FAILURE_REST_S
        self._failing = False
        return 0.0 if self._hand_out(found) else self._poll_s

    def _hand_out(self, found: list[Followed]) -> bool:
        """Hand the events out; whether there may be more at once."""
        counts: defaultdict[tuple[MerchantId, PaymentId], int] = defaultdict(int)
        for event in found:
            payment = (event.merchant_id, event.payment_id)
            counts[payment] += 1
            message = of_event(event)
            for subscription in self._followed.get(payment, ()):
                subscription.hand(message)
        return any(count == EVENTS_AT_ONCE for count in counts.values())

    def _end_all(self) -> None:
        for there in self._followed.values():
            for subscription in there:
                subscription.end(DRAINING)


def _payment(subscription: Subscription) -> tuple[MerchantId, PaymentId]:
    return subscription.place.merchant_id, subscription.place.payment_id
