"""Clients that get in each other's way at one order after another, over HTTP, and write down what they were told."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import httpx

from proof.linear.checker import NEVER, explain
from proof.linear.model import NOTHING_DONE, Call, Payment, Seen, history

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLIENTS = 3
"""At one order. More overlap makes the search long and finds nothing more."""
CALLS = 5
HANGS_UP = 0.08
"""The share of calls whose client hangs up before it is answered."""
LOOKS = 0.7
"""The share of mutations after which the client looks at once at what it did."""
REPEATS = 0.7
"""The share of mutations without a final answer that are sent again with their key."""
MOST_REPEATS = 12
BETWEEN_S = 0.4
OK, ACCEPTED, BAD, NOT_FOUND = 200, 202, 400, 404
CHARGED = (*(10000,) * 9, 10051, 10021, 10022)
PARTS = (3000, 4000, 6000, 10000, 3000, 4000, 6000, 10000, 3051, 3021, 4022)
"""Minor units: 51 is declined, 21 gets no answer and nothing happened, 22 was done and gets none."""
ACTS = ("charge", "charge", "read", "read", "capture", "cancel", "refund", "refund")
IN_FLIGHT = "idempotency_key_in_flight"


def seeded(seed: int) -> Random:
    """The same choices for the same seed."""
    return Random(seed)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one client asks for, whatever became of it. Amounts in minor units."""

    number: int
    what: str
    amount: int
    capture: bool
    final: bool
    by_id: bool
    patience_s: float | None
    repeats: bool
    looks: bool


@dataclass
class Order:
    """One order and what was done to it."""

    name: str
    serves: list[httpx.AsyncClient]
    random: Random
    calls: list[Call] = field(default_factory=list)
    payment_id: int | None = None
    _clock: itertools.count[int] = field(default_factory=itertools.count)

    async def visit(self) -> None:
        """All clients at once."""
        seeds = [self.random.randrange(2**31) for _ in range(CLIENTS)]
        await asyncio.gather(*(self._client(number, seeded(seed)) for number, seed in enumerate(seeds)))

    async def look(self) -> None:
        """One more read, when all is quiet."""
        number = CLIENTS * CALLS
        await self._read(Asked(number, "read", 0, True, True, True, None, False, False), self.random)  # noqa: FBT003 - a row

    def explained(self) -> tuple[bool, str]:
        """Whether some order of its calls explains the history; and the history, for people."""
        self.calls.sort(key=lambda call: call.begun)
        found = explain(history(self.calls), Payment())
        return found.holds, _described(self.name, self.calls, found.order)

    async def _client(self, client: int, random: Random) -> None:
        way = seeded(random.randrange(2**31))
        for number in range(CALLS):
            asked = _asked(CALLS * client + number, "charge" if client == number == 0 else None, random)
            if asked.what == "read" or (asked.what != "charge" and self.payment_id is None):
                await self._read(asked, way)
            else:
                await self._mutate(asked, way)
                if asked.looks:
                    await self._read(asked, way)
            await asyncio.sleep(random.choice((0.0, 0.0, 0.002, 0.01)))

    async def _read(self, asked: Asked, random: Random) -> None:
        begun = self._now()
        answer = await self._send(random, asked.patience_s, self._reading(asked))
        if answer is not None and answer.status_code in {OK, NOT_FOUND}:
            self._note(asked, "read", begun, self._now(), answer)

    async def _mutate(self, asked: Asked, random: Random) -> None:
        """Send it, and again with its key until there is an answer for good, or patience ends."""
        begun, accepted = self._now(), NEVER
        for attempt in range(MOST_REPEATS if asked.repeats else 1):
            sent = self._now()
            patience_s = asked.patience_s if attempt == 0 else None
            answer = await self._send(random, patience_s, self._mutating(asked))
            now = self._now()
            if answer is not None and answer.status_code == ACCEPTED:
                accepted = min(accepted, now)
                self._note(asked, "read", sent, now, answer, of=asked.number)
            elif answer is not None and not _is_open(answer):
                self._conclude(asked, begun, sent, now, accepted, answer, again=attempt > 0)
                return
            elif (
                answer is not None
                and answer.status_code in NOTHING_DONE
                and attempt == 0
                and not asked.repeats
            ):
                return
            await asyncio.sleep(BETWEEN_S if asked.repeats else 0)
        self._note(asked, asked.what, begun, NEVER, None, accepted=accepted)

    def _conclude(
        self,
        asked: Asked,
        begun: float,
        sent: float,
        now: float,
        accepted: float,
        answer: httpx.Response,
        *,
        again: bool,
    ) -> None:
        """Note an answer for good. What took effect did so once, whichever sending it was.

        A refusal says nothing of the sendings before it, which may still arrive and take effect once.
        """
        code = answer.json().get("code", "") if answer.status_code >= BAD else ""
        apart = code not in {"", "gateway_declined"} and accepted == NEVER
        if again and apart:
            self._note(asked, asked.what, begun, NEVER, None)
        since = sent if apart else begun
        self._note(asked, asked.what, since, now, answer, accepted=accepted)

    def _note(
        self,
        asked: Asked,
        what: str,
        begun: float,
        ended: float,
        answer: httpx.Response | None,
        *,
        accepted: float = NEVER,
        of: int | None = None,
    ) -> None:
        told = {} if answer is None else answer.json()
        refused = answer is not None and answer.status_code >= BAD
        call = Call(
            number=asked.number,
            what=what,
            begun=begun,
            ended=ended,
            status=None if answer is None else answer.status_code,
            code=told.get("code", "") if refused and what != "read" else "",
            amount=0 if what in {"read", "cancel"} else asked.amount,
            capture=asked.capture,
            final=asked.final,
            seen=None if answer is None or refused else _seen(told),
            accepted=accepted,
            of=of,
        )
        self.calls.append(call)

    async def _send(
        self,
        random: Random,
        patience_s: float | None,
        request: Callable[[httpx.AsyncClient], Any],
    ) -> httpx.Response | None:
        """The answer; None when there was none. A process that is gone is not asked again."""
        serve = random.choice(self.serves)
        with suppress(TimeoutError, httpx.TimeoutException):
            try:
                async with asyncio.timeout(patience_s):
                    answer: httpx.Response = await request(serve)
            except httpx.TransportError as error:
                if isinstance(error, httpx.TimeoutException):
                    raise
                if serve in self.serves and len(self.serves) > 1:
                    self.serves.remove(serve)
                return None
            if self.payment_id is None and answer.status_code < BAD:
                self.payment_id = answer.json().get("payment_id")
            return answer
        return None

    def _reading(self, asked: Asked) -> Callable[[httpx.AsyncClient], Any]:
        by_id = asked.by_id and self.payment_id is not None
        path = f"{self.payment_id}" if by_id else f"order/{self.name}"
        return lambda serve: serve.get(f"/v1/payments/{path}")

    def _mutating(self, asked: Asked) -> Callable[[httpx.AsyncClient], Any]:
        headers, amount = {"Idempotency-Key": f"{self.name}-{asked.number}"}, f"{asked.amount / 100:.2f}"
        at = f"/v1/payments/{self.payment_id}"
        body: dict[str, Any]
        match asked.what:
            case "charge":
                body = {"order_id": self.name, "user_id": 7, "amount": amount, "payment_method": "UPI"}
                body |= {"capture": asked.capture}
                return lambda serve: serve.post("/v1/payments/charge", json=body, headers=headers)
            case "capture":
                body = {"amount": amount, "final": asked.final}
                return lambda serve: serve.post(f"{at}/capture", json=body, headers=headers)
            case "refund":
                body = {"amount": amount, "reason": "it came back"}
                return lambda serve: serve.post(f"{at}/refund", json=body, headers=headers)
            case _:
                return lambda serve: serve.delete(at, headers=headers)

    def _now(self) -> float:
        return float(next(self._clock))


def _asked(number: int, what: str | None, random: Random) -> Asked:
    """Drawn in full whatever it is, so that a seed means the same whoever is quicker."""
    what = what or random.choice(ACTS)
    return Asked(
        number=number,
        what=what,
        amount=random.choice(CHARGED if what == "charge" else PARTS),
        capture=random.random() < 0.6,  # noqa: PLR2004 - rather more often than not
        final=random.random() < 0.5,  # noqa: PLR2004 - as often as not
        by_id=random.random() < 0.5,  # noqa: PLR2004 - as often as not
        patience_s=random.uniform(0.001, 0.02) if random.random() < HANGS_UP else None,
        repeats=random.random() < REPEATS,
        looks=random.random() < LOOKS,
    )


def _is_open(answer: httpx.Response) -> bool:
    """Whether nothing was said of what becomes of it."""
    if answer.status_code in NOTHING_DONE:
        return True
    return answer.status_code >= BAD and answer.json().get("code") == IN_FLIGHT


def _seen(told: dict[str, Any]) -> Seen:
    amounts = ("amount_captured", "amount_refunded", "amount_refund_pending")
    return Seen(told["status"], *(told[f"{name}_minor"] for name in amounts))


@dataclass
class Tally:
    """What was tried, and every order whose history nothing explains."""

    calls: int = 0
    accepted: int = 0
    unanswered: int = 0
    wrong: list[str] = field(default_factory=list)


async def judged(
    addresses: Sequence[str],
    seed: int,
    orders: int,
    *,
    at_once: int = 8,
    settle_s: float = 0,
    half_way: Callable[[], None] | None = None,
) -> Tally:
    """Visit so many orders, and explain what happened at each.

    ``half_way`` happens when half of them were visited; ``settle_s`` is waited before the last look at all.
    """
    random, tally, visited = seeded(seed), Tally(), itertools.count(1)
    limit = asyncio.Semaphore(at_once)
    serves = [httpx.AsyncClient(base_url=address, timeout=60) for address in addresses]
    every = list(serves)
    made = [Order(f"linear-{seed}-{n}", serves, seeded(random.randrange(2**31))) for n in range(orders)]

    async def one(order: Order) -> None:
        async with limit:
            await order.visit()
            if next(visited) == orders // 2 and half_way is not None:
                half_way()

    try:
        await asyncio.gather(*(one(order) for order in made))
        await asyncio.sleep(settle_s)
        for order in made:
            await order.look()
            _count(tally, order, *await asyncio.to_thread(order.explained))
    finally:
        for serve in every:
            await serve.aclose()
    return tally


def _count(tally: Tally, order: Order, holds: bool, history: str) -> None:  # noqa: FBT001 - as `explained` returns it
    tally.calls += len(order.calls)
    tally.accepted += sum(call.of is not None for call in order.calls)
    tally.unanswered += sum(call.status is None for call in order.calls)
    if not holds:
        tally.wrong.append(history)


def _described(name: str, calls: Sequence[Call], longest: Sequence[str]) -> str:
    told = "; ".join(f"[{call.begun:g}-{call.ended:g}] {call.name}" for call in calls)
    return f"{name}: {told}; explained as far as: {', '.join(longest)}"
