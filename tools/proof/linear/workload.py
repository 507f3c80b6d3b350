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
from proof.linear.model import Call, Payment, Seen, history

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENTS = 3
"""At one order. More overlap makes the search long and finds nothing more."""
CALLS = 5
HANGS_UP = 0.08
"""The share of calls whose client hangs up before it is answered."""
OK = 200
BAD = 400
CHARGED = (10000, 10000, 10000, 10051)
PARTS = (3000, 4000, 6000, 10000)
ACTS = ("charge", "charge", "read", "read", "capture", "cancel", "refund", "refund")


def seeded(seed: int) -> Random:
    """The same choices for the same seed."""
    return Random(seed)  # noqa: S311 - a workload, no secret


@dataclass
class Order:
    """One order and what was done to it."""

    name: str
    serves: Sequence[httpx.AsyncClient]
    random: Random
    calls: list[Call] = field(default_factory=list)
    payment_id: int | None = None
    _clock: itertools.count[int] = field(default_factory=itertools.count)

    async def visit(self) -> list[Call]:
        """All clients at once; the calls in the order in which they began."""
        seeds = [self.random.randrange(2**31) for _ in range(CLIENTS)]
        await asyncio.gather(*(self._client(number, seeded(seed)) for number, seed in enumerate(seeds)))
        self.calls.sort(key=lambda call: call.begun)
        return self.calls

    async def _client(self, client: int, random: Random) -> None:
        for number in range(CALLS):
            what = "charge" if client == 0 and number == 0 else random.choice(ACTS)
            await self._call(CALLS * client + number, what, random)
            await asyncio.sleep(random.choice((0.0, 0.0, 0.002, 0.01)))

    async def _call(self, number: int, what: str, random: Random) -> None:
        asked: dict[str, Any] = {
            "amount": random.choice(CHARGED if what == "charge" else PARTS),
            "capture": random.random() < 0.6,  # noqa: PLR2004 - rather more often than not
            "final": random.random() < 0.5,  # noqa: PLR2004
        }
        if what in {"read", "cancel"}:
            asked["amount"] = 0
        serve = random.choice(self.serves)
        patience_s = random.uniform(0.001, 0.02) if random.random() < HANGS_UP else None
        if what in {"capture", "cancel", "refund"} and self.payment_id is None:
            what, asked["amount"] = "read", 0
        begun = float(next(self._clock))
        answer = await self._send(serve, what, number, asked, patience_s)
        if answer is None and what == "read":
            return
        ended = float(next(self._clock)) if answer is not None else NEVER
        self.calls.append(_call(number, what, begun, ended, asked, answer))

    async def _send(
        self,
        serve: httpx.AsyncClient,
        what: str,
        number: int,
        asked: dict[str, Any],
        patience_s: float | None,
    ) -> httpx.Response | None:
        with suppress(TimeoutError, httpx.TimeoutException):
            async with asyncio.timeout(patience_s):
                answer = await self._request(serve, what, number, asked)
                if self.payment_id is None and answer.status_code < BAD:
                    self.payment_id = answer.json().get("payment_id")
                return answer
        return None

    async def _request(
        self, serve: httpx.AsyncClient, what: str, number: int, asked: dict[str, Any]
    ) -> httpx.Response:
        headers, amount = {"Idempotency-Key": f"{self.name}-{number}"}, f"{asked['amount'] / 100:.2f}"
        at = f"/v1/payments/{self.payment_id}"
        match what:
            case "charge":
                body = {"order_id": self.name, "user_id": 7, "amount": amount, "payment_method": "UPI"}
                body |= {"capture": asked["capture"]}
                return await serve.post("/v1/payments/charge", json=body, headers=headers)
            case "capture":
                part = {"amount": amount, "final": asked["final"]}
                return await serve.post(f"{at}/capture", json=part, headers=headers)
            case "refund":
                part = {"amount": amount, "reason": "it came back"}
                return await serve.post(f"{at}/refund", json=part, headers=headers)
            case "cancel":
                return await serve.delete(at, headers=headers)
            case _:
                return await serve.get(f"/v1/payments/order/{self.name}")


def _call(
    number: int, what: str, begun: float, ended: float, asked: dict[str, Any], answer: httpx.Response | None
) -> Call:
    told = answer.json() if answer is not None else {}
    refused = answer is not None and answer.status_code >= BAD
    seen = None
    if answer is not None and not refused:
        seen = Seen(
            told["status"],
            *(
                round(told[name] * 100)
                for name in ("amount_captured", "amount_refunded", "amount_refund_pending")
            ),
        )
    return Call(
        number=number,
        what=what,
        begun=begun,
        ended=ended,
        status=None if answer is None else answer.status_code,
        code=told.get("code", "") if refused and what != "read" else "",
        amount=asked["amount"],
        capture=asked["capture"],
        final=asked["final"],
        seen=seen,
    )


async def judged(addresses: Sequence[str], seed: int, orders: int, at_once: int = 8) -> tuple[int, list[str]]:
    """Visit so many orders; how many calls there were, and every order whose history nothing explains."""
    random, wrong, calls = seeded(seed), list[str](), 0
    limit = asyncio.Semaphore(at_once)
    serves = [httpx.AsyncClient(base_url=address, timeout=60) for address in addresses]

    async def one(order: Order) -> None:
        nonlocal calls
        async with limit:
            made = await order.visit()
        calls += len(made)
        explained = await asyncio.to_thread(explain, history(made), Payment())
        if not explained.holds:
            wrong.append(_described(order.name, made, explained.order))

    try:
        await asyncio.gather(
            *(
                one(Order(f"linear-{seed}-{n}", serves, seeded(random.randrange(2**31))))
                for n in range(orders)
            )
        )
    finally:
        for serve in serves:
            await serve.aclose()
    return calls, wrong


def _described(name: str, calls: Sequence[Call], longest: Sequence[str]) -> str:
    told = "; ".join(f"[{call.begun:g}-{call.ended:g}] {call.name}" for call in calls)
    return f"{name}: {told}; explained as far as: {', '.join(longest)}"
