"""The lives of one case: what comes before, the act that is killed, recovery (killed, too), the drain, the audit."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from proof import auditor, books
from proof.acts import Dying, Waiting, recover
from proof.forks import Ended, live
from proof.house import LEASE_S, opened
from proof.mail import open_box
from proof.watch import PHASE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from proof.house import House, Place
    from proof.scenarios import Scenario

DRAIN_WAITS_S = (0.0, LEASE_S + 1, LEASE_S + 1, 61.0, 301.0, 601.0, 601.0)
"""Past every lease, watch and time that a customer is given."""
MAX_ROUNDS = 40
KEPT_BACK = ("webhook_late", "webhook_reorder")
"""Webhooks for which whoever begins an operation does not wait: they come when recovery has been there."""
PATIENCE_S = 20.0
BUSY = """
SELECT (SELECT count(*) FROM operations WHERE merchant_id = $1
        AND state IN ('STARTED', 'PENDING', 'REQUIRES_ACTION', 'UNKNOWN'))
     + (SELECT count(*) FROM deliveries WHERE merchant_id = $1 AND state = 'PENDING')
     + (SELECT count(*) FROM events e WHERE e.merchant_id = $1 AND NOT EXISTS (
            SELECT FROM cursors c WHERE c.merchant_id = e.merchant_id AND c.reader = 'relay'
            AND (e.committed_in, e.event_id) <= (c.committed_in, c.position)))
     + (SELECT count(*) FROM gateway_inbox WHERE merchant_id = $1 AND state = 'PENDING')
     + (SELECT count(*) FROM transactions t WHERE t.merchant_id = $1)
     - (SELECT count(*) FROM audit_seals s WHERE s.merchant_id = $1)
"""


@dataclass(frozen=True)
class Lives:
    """Every life of one case happens at this place, for one merchant of its own."""

    place: Place
    merchant: int
    scenario: Scenario

    def prepare(self) -> str | None:
        """Everything that comes before the act; what went wrong, if anything."""
        problem = self._fork(self._prepared).problem
        for each in self.scenario.before:
            if (
                isinstance(each, Dying)
                and not self._fork(partial(self._acted, each.act, each.at, None)).killed
            ):
                return f"the setup did not die at {each.at}"
        return problem

    def act(self, die_at: str | None, fault: str | None) -> Ended:
        """The act, killed at this point."""
        return self._fork(lambda: self._acted(self.scenario.act, die_at, fault))

    def recover(self, die_at: str | None) -> Ended:
        """A worker after the lease has ended, killed at this point of its recovery."""
        return self._fork(lambda: self._acted(_recovers, die_at, None))

    def drain(self, fault: str | None) -> Ended:
        """Everything goes on until nothing is under way; the client asks again, and so once more."""
        return self._fork(partial(self._drained, is_told=self.scenario.told or _is_told(fault)))

    def audit(self, told: dict[str, Any] | None) -> list[str]:
        """What is wrong with the books of this merchant, and with what its client was told at last."""
        return asyncio.run(self._audited(told))

    def _fork(self, body: Callable[[], Coroutine[Any, Any, Any]]) -> Ended:
        return live(body, str(self.place.log))

    async def _prepared(self) -> None:
        async with opened(
            self.place, self.merchant, by_id=self.scenario.by_id, away=self.scenario.away
        ) as house:
            await house.owner.execute(
                "INSERT INTO merchants (merchant_id, name) VALUES ($1, 'proof') ON CONFLICT DO NOTHING",
                self.merchant,
            )
            for act in self.scenario.before:
                if not isinstance(act, Dying):
                    await act(house)

    async def _acted(self, act: Any, die_at: str | None, fault: str | None) -> dict[str, Any]:
        async with opened(
            self.place,
            self.merchant,
            die_at=die_at,
            fault=fault,
            by_id=self.scenario.by_id,
            away=self.scenario.away,
        ) as house:
            house.watch.armed = True
            told = await act(house)
            if _is_told(fault):
                await open_box(house, wait=not str(fault).endswith(KEPT_BACK))
            return {"points": house.watch.points, "steps": house.watch.steps, "told": told}

    async def _drained(self, *, is_told: bool) -> dict[str, Any]:
        async with opened(
            self.place, self.merchant, by_id=self.scenario.by_id, away=self.scenario.away
        ) as house:
            post = told = None
            if is_told:
                while await _round(house):
                    pass
                post = asdict(await open_box(house, wait=True))
            await _drain(house)
            if self.scenario.repeats:
                PHASE.set("repeat")
                told = await self.scenario.act(house)
                await _drain(house)
            busy = await house.owner.fetchval(BUSY, self.merchant)
            return {"told": told, "busy": busy, "post": post}

    async def _audited(self, told: dict[str, Any] | None) -> list[str]:
        place = self.place
        found = await books.read(place.owner_url, self.merchant, place.record, place.journal)
        wrong, kind = auditor.audit(found), self.scenario.effect
        if kind is not None and auditor.effects(found, kind) != auditor.promised(told, kind):
            wrong.append(
                f"the client was told {told}, and the gateway did {auditor.effects(found, kind)} {kind}"
            )
        return wrong


def _is_told(fault: str | None) -> bool:
    """Whether the gateway's webhooks are part of the case."""
    return fault is not None and "webhook" in fault


async def _recovers(house: House) -> None:
    await Waiting(LEASE_S + 1)(house)
    await recover(house)


async def _drain(house: House) -> None:
    for wait_s in DRAIN_WAITS_S:
        if wait_s:
            await house.later(wait_s)
        rounds = 0
        while rounds < MAX_ROUNDS and await _round(house):
            rounds += 1
        if wait_s and not await house.owner.fetchval(BUSY, house.merchant):
            return
    give_up_at = time.monotonic() + PATIENCE_S
    while await house.owner.fetchval(BUSY, house.merchant) and time.monotonic() < give_up_at:
        await asyncio.sleep(0.02)  # readers stop at the oldest transaction of the whole server
        await _round(house)


async def _round(house: House) -> int:
    return await house.loops() + await house.deliver()
