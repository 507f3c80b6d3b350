"""Who goes on next: the seed's choice among everything that waits, and what befalls it on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from proof.simulation.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from proof.simulation.plan import Fault, Plan

PHASE, SEND, LOOP, SELDOM = 10.0, 3.0, 0.25, 0.03
"""How likely a turn is: within an operation, a client's next request, a worker's loop, a loop that rests long."""
TIME = 2.0
"""How likely it is that time passes instead."""
PASSES_S = (0.002, 0.05, 0.5, 2.0, 8.0, 31.0)
WALKERS = frozenset({"fan-out", "seals", "sums"})
MOST_TURNS = 6000
"""A run has some hundreds; one that does not end is a finding."""


class Endless(Exception):
    """A run that does not come to its end."""


@dataclass(slots=True)
class Stage:
    """What somebody is doing, in words, and how likely their next turn is."""

    what: str
    weight: float = PHASE


STAGE: ContextVar[Stage] = ContextVar("stage")
HERE: ContextVar[Turns | None] = ContextVar("here", default=None)
"""The process that a task belongs to; None: it belongs to no process and outlives them."""


@dataclass(slots=True, eq=False)
class _Waiting:
    turns: Turns
    what: str
    weight: float
    go: asyncio.Future[None]


@dataclass
class Schedule:
    """Gives the turns of one run, and keeps what happened. ``hurry``: the run's end, when everything goes in order."""

    plan: Plan
    moments: Moments = field(default_factory=Moments)
    waiting: list[_Waiting] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    turn: int = 0
    calm: bool = False
    on_turn: Callable[[int], None] = field(default=lambda _turn: None)

    def __post_init__(self) -> None:
        self.chance = Random(f"turns {self.plan.seed}")
        self.moments.idle = self.give
        self._befalls = {(fault.kind, fault.at): fault for fault in self.plan.faults}

    def say(self, what: str) -> None:
        """Keep it in the transcript."""
        self.told.append(f"{self.turn:4} {self.moments.now_s:10.3f} {what}")

    def befalls(self, kind: str) -> Fault | None:
        """The fault that is planned for the next thing of this kind, if any; none when the end has come."""
        if self.calm:
            return None
        self.counted[kind] += 1
        fault = self._befalls.get((kind, self.counted[kind]))
        if fault is not None:
            self.meet(fault)
        return fault

    def meet(self, fault: Fault) -> None:
        """A planned fault has come."""
        self.counted["fault"] += 1
        self.say(f"FAULT {fault}")

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Have this happen outside of every process."""
        return Context().run(asyncio.get_running_loop().create_task, work)

    def give(self, next_s: float | None) -> None:
        """Everything waits: let somebody go on, or time pass."""
        self.turn += 1
        if self.turn > MOST_TURNS:
            raise Endless(f"it did not end within {MOST_TURNS} turns")
        if not self.calm:
            self.on_turn(self.turn)
        ready = [each for each in self.waiting if not each.go.done() and each.turns.may_go()]
        self.moments.move_on(0.001)
        if not ready:
            self._pass(next_s)
        elif self.calm:
            self._let(ready[0])
        else:
            chosen = self.chance.choices([*ready, None], [*(each.weight for each in ready), TIME])[0]
            self._let(chosen) if chosen else self._pass(next_s)

    def _pass(self, next_s: float | None) -> None:
        """To the next timer at most: nothing that is due is left out."""
        if next_s is None and not self.waiting:
            raise Endless("everything waits for something that nobody does")
        wish_s = self.chance.choice(PASSES_S)
        self.moments.move_on(wish_s if next_s is None else next_s if self.calm else min(next_s, wish_s))

    def _let(self, chosen: _Waiting) -> None:
        self.waiting.remove(chosen)
        self.say(f"{chosen.turns.name} {chosen.what}")
        chosen.go.set_result(None)


@dataclass(eq=False)
class Turns:
    """The turns of one process, or of somebody outside: it can be killed, and it can be stopped for a while."""

    schedule: Schedule
    name: str
    dead: bool = False
    paused_until_s: float = 0.0
    tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)

    @property
    def moments(self) -> Moments:
        """The time of its run."""
        return self.schedule.moments

    def may_go(self) -> bool:
        """Whether it is there and not stopped."""
        return self.paused_until_s <= self.moments.now_s

    @staticmethod
    def walks() -> bool:
        """Whether what is done now walks history in the order in which it was committed."""
        stage = STAGE.get(None)
        return stage is not None and stage.what in WALKERS

    async def take(self, what: str, weight: float | None = None) -> None:
        """Wait for a turn. Whoever is dead never gets one."""
        stage = STAGE.get(None)
        likely = weight if weight is not None else stage.weight if stage else PHASE
        words = f"{stage.what} / {what}" if stage else what
        if self.dead:
            raise asyncio.CancelledError
        waiting = _Waiting(self, words, likely, asyncio.get_running_loop().create_future())
        self.schedule.waiting.append(waiting)
        try:
            await waiting.go
        finally:
            if waiting in self.schedule.waiting:
                self.schedule.waiting.remove(waiting)
        if stage is not None:
            stage.weight = PHASE

    async def before_commit(self) -> None:
        """A turn for a transaction that writes; the database may be away."""
        await self.take("commit")
        self._befallen = self.schedule.befalls("commit")
        self._refuse_when_away()
        if self._befallen and self._befallen.how == "lost before":
            raise ConnectionResetError("the connection was lost before the commit")

    async def after_commit(self) -> None:
        """It was committed: perhaps nobody is told so, or late."""
        fault, self._befallen = self._befallen, None
        if fault is not None and fault.how == "lost after":
            raise ConnectionResetError("the connection was lost after the commit")
        if fault is not None and fault.how == "slow":
            await asyncio.sleep(fault.seconds)

    async def before_read(self) -> None:
        """A turn for a snapshot."""
        await self.take("read")
        self._refuse_when_away()

    def _refuse_when_away(self) -> None:
        if self.schedule.moments.now_s < self.away_until_s and not self.schedule.calm:
            raise ConnectionRefusedError("the database is away")

    _befallen: Fault | None = None
    away_until_s: float = 0.0

    def kill(self) -> None:
        """It is gone with everything that it had in memory; what it has committed stays."""
        self.dead = True
        for task in list(self.tasks):
            task.cancel()


def owned(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
    """Make a task that belongs to the process in which it is made."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
    context = more.get("context")
    turns = context.get(HERE) if context is not None else HERE.get()
    if turns is not None:
        turns.tasks[task] = None
        task.add_done_callback(lambda ended: turns.tasks.pop(ended, None))
    return task
