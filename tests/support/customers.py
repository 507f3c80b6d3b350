"""Customers of the service, as honest ones are: they ask again with the same key until they know."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

PATIENCE_S = 40.0
"""How long one request is asked again; everything heals sooner."""
PAUSE_S = 0.1
UNDECIDED = {202, 409, 429, 503}
"""Answers after which the same request is sent again; of 409 only a key that is still in flight."""

APPROVED, DECLINED, DONE_UNSAID, LOST, SILENT, PENDING, NOT_SENT = 0, 51, 22, 21, 23, 26, 28
"""Last two digits of an amount, and what the simulator makes of them."""
ENDINGS = (*[APPROVED] * 10, DECLINED, DONE_UNSAID, DONE_UNSAID, LOST, SILENT, PENDING, NOT_SENT)
MOSTLY_QUICK_ENDINGS = (*[APPROVED] * 30, DECLINED, DONE_UNSAID, DONE_UNSAID, LOST, SILENT, PENDING, NOT_SENT)
"""Of whom few wait for what is known late, so that the others keep the load up."""
QUICK_ENDINGS = (*[APPROVED] * 10, DECLINED, DONE_UNSAID, NOT_SENT)
"""Those whose outcome is known soon."""


@dataclass(slots=True)
class Asked:
    """One request and its end. ``status`` None: it was never answered for good."""

    method: str
    path: str
    key: str
    body: dict[str, Any] | None
    status: int | None = None
    text: bytes = b""

    @property
    def json(self) -> dict[str, Any]:
        import msgspec  # noqa: PLC0415 - reads amounts exactly

        found: dict[str, Any] = msgspec.json.decode(self.text)
        return found


@dataclass(slots=True)
class Customers:
    """Ask at whichever of ``addresses`` answers. ``history`` is everything that was asked."""

    addresses: list[str]
    random: Random
    client: httpx.AsyncClient
    endings: tuple[int, ...] = ENDINGS
    """Of the amounts of their orders."""
    history: list[Asked] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    seen: Counter[int] = field(default_factory=Counter)
    """Every answer, by status; 0 where the connection broke or was refused."""
    dishonest: list[str] = field(default_factory=list)
    """Answers that say neither what became of the request nor when to ask again."""

    def answered_with(self, status: int) -> int:
        """How many requests ended so."""
        return sum(asked.status == status for asked in self.history)

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Asked:
        """Send it until it is answered for good, each time anywhere; keep it in the history."""
        asked = Asked(method, path, f"key-{next(self.numbers)}", body)
        self.history.append(asked)
        await self.pursue(asked)
        return asked

    async def pursue(self, asked: Asked) -> None:
        """Ask until there is an answer that stays."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while asyncio.get_running_loop().time() < deadline:
            answer = await self.once(asked)
            if answer is not None and not _undecided(answer):
                asked.status, asked.text = answer.status_code, answer.content
                return
            await asyncio.sleep(PAUSE_S)

    async def once(self, asked: Asked) -> httpx.Response | None:
        """One try; None when the connection broke or was refused."""
        address = self.random.choice(self.addresses)
        try:
            answer = await self.client.request(
                asked.method,
                address + asked.path,
                json=asked.body,
                headers={"Idempotency-Key": asked.key},
            )
        except httpx.TransportError:
            self.seen[0] += 1
            return None
        self.seen[answer.status_code] += 1
        if answer.status_code == 500 or (
            answer.status_code in {202, 503} and "retry-after" not in answer.headers
        ):
            self.dishonest.append(f"{asked.method} {asked.path}: {answer.status_code} {answer.text}")
        return answer

    async def visit_until(self, stop: asyncio.Event) -> None:
        """Do what customers do, again and again."""
        visits: list[Callable[[], Any]] = [
            self.buy, self.buy, self.buy_and_return, self.buy_twice_at_once, self.reserve, self.two_steps,
        ]  # fmt: skip
        while not stop.is_set():
            await self.random.choice(visits)()

    async def buy(self, *, capture: bool = True) -> Asked:
        return await self.ask("POST", "/v1/payments/charge", self._order(capture=capture))

    async def buy_and_return(self) -> None:
        bought = await self.buy()
        if bought.status == 201 and bought.json["status"] == "COMPLETED":
            amount = bought.json["amount_minor"]
            part = self.random.choice([amount, amount // 200 * 100])
            await self._refund(bought, part)
            await self._refund(bought, amount - part or 100)

    async def buy_twice_at_once(self) -> None:
        """An impatient customer: two requests with keys of their own for one order, at the same time."""
        order = self._order()
        await asyncio.gather(*(self.ask("POST", "/v1/payments/charge", order) for _ in range(2)))

    async def reserve(self) -> None:
        reserved = await self.buy(capture=False)
        if reserved.status == 201 and reserved.json["status"] == "AUTHORIZED":
            place = f"/v1/payments/{reserved.json['payment_id']}"
            if self.random.random() < 0.5:
                await self.ask("POST", f"{place}/capture", {})
            else:
                await self.ask("DELETE", place)

    async def two_steps(self) -> None:
        created = await self.ask("POST", "/v1/payments", self._order())
        if created.status == 201:
            await self.ask("POST", f"/v1/payments/{created.json['payment_id']}/confirm", {})

    async def _refund(self, bought: Asked, amount_minor: int) -> None:
        path = f"/v1/payments/{bought.json['payment_id']}/refund"
        body = {"amount": f"{amount_minor // 100}.{amount_minor % 100:02d}", "reason": "it came back"}
        await self.ask("POST", path, body)

    def _order(self, *, capture: bool = True) -> dict[str, Any]:
        number, ending = next(self.numbers), self.random.choice(self.endings)
        return {
            "order_id": f"order-{number}",
            "user_id": number,
            "amount": f"{self.random.randint(5, 999)}.{ending:02d}",
            "payment_method": self.random.choice(["UPI", "NET_BANKING", "WALLET"]),
            "capture": capture,
        }


def _undecided(answer: httpx.Response) -> bool:
    if answer.status_code == 409:
        return bool(answer.json()["code"] == "idempotency_key_in_flight")
    return answer.status_code in UNDECIDED
