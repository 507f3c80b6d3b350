"""Where a process can be killed: before and after every commit, gateway call and peer call, each with a name.

A point's name says what the service was doing, not where in a list it stands, so that a new commit anywhere brings
new points with it:

    begin / Lane._transaction: before commit
    call / charge: after call
    courier order / PATCH: before send
"""

from __future__ import annotations

import inspect
import os
import signal
from collections import Counter
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from eci_payments.gateways.contract import NeverSeen, Prepared
from eci_payments.store.session import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import _AsyncGeneratorContextManager

    from eci_payments.delivery.peers import PeerRequest
    from eci_payments.delivery.sender import Answer, Sender
    from eci_payments.gateways.contract import (
        Capabilities,
        Gateway,
        GatewayCall,
        Inquiry,
        Outcome,
        Preparation,
    )
    from eci_payments.store.session import WriteSession

PHASE: ContextVar[str] = ContextVar("phase", default="start")
"""What the service is doing: a step of an operation, or a loop of a worker."""
STEP = "step"
LANE = "Lane._transaction"


@dataclass(slots=True)
class Watch:
    """Remembers the points that are passed while it is ``armed``, and kills its process at one of them."""

    die_at: str | None = None
    armed: bool = False
    points: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    step: str = ""
    """The step that was begun last: whose unit a lane writes, which is a task of its own."""
    seen: Counter[str] = field(default_factory=Counter)

    def passed(self, what: str) -> None:
        """The process is at this point now. The second time of the same name is ``name #2``."""
        if not self.armed:
            return
        self.seen[what] += 1
        count = self.seen[what]
        name = what if count == 1 else f"{what} #{count}"
        self.points.append(name)
        if name == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def reached(self, point: str) -> None:
        """The engine's hook: a step begins or has ended."""
        when, _, name = point.partition(" ")
        if when == "before":
            PHASE.set(name)
            self.step = name
            if self.armed:
                self.steps.append(name)
        self.passed(f"{name} / {STEP}: {when}")


class WatchedDatabase(Database):
    """The service's own way to the database; each commit has a point on either side."""

    watch: ClassVar[Watch]

    def write(self) -> _AsyncGeneratorContextManager[WriteSession]:
        """A transaction, named by the function that opens it."""
        here = inspect.currentframe()
        caller = here.f_back if here else None
        return self._watched(caller.f_code.co_qualname if caller else "?")

    @asynccontextmanager
    async def _watched(self, site: str) -> AsyncIterator[WriteSession]:
        phase = self.watch.step if site == LANE else PHASE.get()
        name = f"{phase} / {site}"
        async with super().write() as session:
            yield session
            self.watch.passed(f"{name}: before commit")
        self.watch.passed(f"{name}: after commit")


@dataclass
class WatchedGateway:
    """A gateway account whose every call has a point on either side.

    ``out_of_reach`` is the same account at an address where nobody listens; it is used while ``refusing``.
    """

    watch: Watch
    inner: Gateway
    out_of_reach: Gateway
    refusing: bool = False

    @property
    def name(self) -> str:
        """The account's name."""
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        """As the account has them."""
        return self.inner.capabilities

    async def perform(self, call: GatewayCall) -> Outcome:
        """Do it."""
        point = f"{PHASE.get()} / {call.kind.value}"
        self.watch.passed(f"{point}: before call")
        outcome = await self._gateway().perform(call)
        self.watch.passed(f"{point}: after call")
        return outcome

    async def inquire(self, call: GatewayCall) -> Inquiry:
        """Ask about it."""
        point = f"{PHASE.get()} / {call.kind.value}"
        self.watch.passed(f"{point}: before inquiry")
        outcome = await self._gateway().inquire(call)
        self.watch.passed(f"{point}: after inquiry")
        return outcome

    async def close(self) -> None:
        """Give back the connections."""
        await self.inner.close()
        await self.out_of_reach.close()

    def _gateway(self) -> Gateway:
        return self.out_of_reach if self.refusing and self.watch.armed else self.inner


class ByIdGateway(WatchedGateway):
    """The same account, as one that knows a charge by its own id only: prepared first, then performed by that id."""

    @property
    def capabilities(self) -> Capabilities:
        """Without inquiry by our key."""
        return replace(super().capabilities, inquiry_by_key=False)

    async def prepare(self, call: GatewayCall) -> Preparation:
        """Make the object; no money moves, and nothing is kept of it but its id."""
        self.watch.passed(f"{PHASE.get()} / {call.kind.value}: before call")
        prepared = Prepared(f"object-{call.key}")
        self.watch.passed(f"{PHASE.get()} / {call.kind.value}: after call")
        return prepared

    async def inquire(self, call: GatewayCall) -> Inquiry:
        """By its id; without one there is nothing to ask about."""
        acts = call.parent_key is not None
        return await super().inquire(call) if acts or call.reference is not None else NeverSeen()


@dataclass
class WatchedSender:
    """Calls to peers, each with a point on either side."""

    watch: Watch
    inner: Sender

    async def send(self, request: PeerRequest, headers: Mapping[str, str]) -> Answer:
        """Send it once."""
        peer = request.idempotency_key.rpartition("-")[2]
        self.watch.passed(f"courier {peer} / {request.verb}: before send")
        answer = await self.inner.send(request, headers)
        self.watch.passed(f"courier {peer} / {request.verb}: after send")
        return answer

    async def close(self) -> None:
        """Give back the connections."""
        await self.inner.close()


def crash_points(points: list[str]) -> list[str]:
    """The points worth a crash: a step's own only where it makes no commit and no call between them."""
    return [
        point
        for place, point in enumerate(points)
        if f" / {STEP}:" not in point
        or points[place + 1 : place + 2] == [point.replace("before", "after")] != [point]
    ]


def named(point: str) -> str:
    """A point without its count: what the service was doing."""
    return point.partition(" #")[0]
