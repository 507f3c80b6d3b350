"""A process of the service in a run: built by the real bootstrap, with everything that it waits for as a turn."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar
from unittest.mock import patch

import msgspec

from eci_payments import bootstrap
from eci_payments.delivery.options import RelayOptions, Seams
from eci_payments.delivery.peers import peer
from eci_payments.delivery.relay import Relay
from eci_payments.delivery.shapes import PeerName
from eci_payments.domain.errors import Refusal
from eci_payments.gateways.routing import Gateways
from eci_payments.operations.limits import MerchantLimits
from eci_payments.operations.problems import of_refusal
from eci_payments.settings import load
from eci_payments.store.lane import DatabaseAway
from proof.simulation.gateway import TIMEOUT_S, account
from proof.simulation.peers import FaultySender
from proof.simulation.timed import TimedDatabase
from proof.simulation.turns import HERE, LOOP, PHASE, SELDOM, STAGE, Stage, Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from eci_payments.bootstrap import Service
    from eci_payments.domain.change import Answer
    from eci_payments.operations.service import Payments
    from eci_payments.store.session import Database
    from proof.simulation.gateway import Record
    from proof.simulation.peers import Peers
    from proof.simulation.turns import Schedule

T = TypeVar("T")
LEASE_S = 30.0
RESTS_S = 0.2
"""Of a loop that finds nothing allowed."""
RESTS_LONG = frozenset({"inbox_age", "approvals", "seals", "sums", "limit uses", "keys"})
AWAY = (DatabaseAway, ConnectionError)
"""What the service says, and where it only reads the driver, while the database is away."""


class Gone(Exception):
    """The process died; whoever waited for it hears the line go dead."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a client was told: status and the answer's bytes. A refusal has its code for a body."""

    status: int
    body: bytes
    replayed: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The answer's JSON; of a refusal, its code."""
        found: dict[str, Any] = msgspec.json.decode(self.body)
        return found


@dataclass
class World:
    """What the processes of a run share: time and turns, the database, the gateway's record, the peers."""

    schedule: Schedule
    shared: Database
    record: Record
    peers: Peers
    processes: dict[str, Process] = field(default_factory=dict)
    generation: int = 0

    def begin(self, name: str) -> Process:
        """Start a process; one of its name that was there before has died."""
        self.generation += 1
        process = Process(self, Turns(self.schedule, name))
        self.processes[name] = process
        if name.startswith("worker"):
            process.work()
        return process

    def end(self, name: str) -> None:
        """Kill it."""
        self.processes.pop(name).turns.kill()

    def named(self, begins: str) -> list[Process]:
        """The processes whose names begin so."""
        return [process for name, process in self.processes.items() if name.startswith(begins)]


class Process:
    """One process of the service, until it is killed."""

    def __init__(self, world: World, turns: Turns) -> None:
        self.turns = turns
        self._world = world
        self.service = self._built()
        self.relay = self._relay()
        self.payments._limits = MerchantLimits(self.service.database, turns.moments.clock)

    @property
    def payments(self) -> Payments:
        """The use cases."""
        return self.service.payments

    def _built(self) -> Service:
        world, plan = self._world, self._world.schedule.plan
        chance = Random(f"ids {plan.seed} {world.generation}")
        database = TimedDatabase(world.shared, self.turns)
        gateways = Gateways(
            [account(self.turns, world.record, name, by_key=by_key) for name, by_key in plan.accounts]
        )
        settings = load(
            {
                "OPERATION_LEASE_S": str(LEASE_S),
                "GATEWAY_TIMEOUT_S": str(TIMEOUT_S),
                "LATE_SUCCESS_POLICY": plan.late_policy,
            }
        )
        with patch.object(bootstrap, "Database", lambda *_args, **_more: database):
            return bootstrap.build(settings, "", gateways, random_bytes=chance.randbytes)

    def _relay(self) -> Relay:
        world = self._world
        spread = Random(f"spread {world.schedule.plan.seed} {world.generation}")
        return Relay(
            self.service.database,
            [peer(name, "http://peers.invalid") for name in PeerName],
            RelayOptions(),
            sender=FaultySender(self.turns, world.peers),
            seams=Seams(clock=self.turns.moments.clock, spread=spread.random),
        )

    def inside(self, work: Coroutine[Any, Any, T], what: str, weight: float = PHASE) -> asyncio.Task[T]:
        """Have this done in the process: it ends when the process does."""
        context = copy_context()
        context.run(HERE.set, self.turns)
        context.run(STAGE.set, Stage(what, weight))
        return context.run(asyncio.get_running_loop().create_task, work)

    async def serve(self, asking: Coroutine[Any, Any, Answer], what: str) -> Told:
        """Have a request served. Raises Gone when the process dies meanwhile."""
        return await self.told(self.inside(asking, what))

    async def told(self, serving: asyncio.Task[Answer]) -> Told:
        """What a request is told, as the api would have it."""
        await asyncio.wait({serving})
        if serving.cancelled():
            raise Gone
        try:
            answer = serving.result()
        except Refusal as refusal:
            words = {"code": refusal.code.value, "payment_id": refusal.payment_id}
            return Told(of_refusal(refusal).status, msgspec.json.encode(words))
        except AWAY:
            return Told(503, msgspec.json.encode({"code": "database_unavailable"}))
        except Exception as error:  # noqa: BLE001 - the api answers 500, which is never right
            self._world.schedule.found.append(f"answered 500: {type(error).__name__}: {error}")
            return Told(500, msgspec.json.encode({"code": "internal_error"}))
        return Told(answer.status, answer.body, answer.replayed)

    async def taken(self, taking: Coroutine[Any, Any, object], what: str) -> int | None:
        """The status that a webhook is answered with; None when the process dies meanwhile."""
        task = self.inside(taking, what)
        await asyncio.wait({task})
        if task.cancelled():
            return None
        error = task.exception()
        if error is None:
            return 200
        if not isinstance(error, AWAY):
            self._world.schedule.found.append(f"a webhook was answered 500: {type(error).__name__}: {error}")
        return 503

    def work(self) -> None:
        """Begin a worker's loops."""
        for loop in bootstrap.loops(self.service):
            self._go_round(loop.name, loop._once)
        self._go_round("fan-out", self._fan_out)
        for name, courier in self.relay.couriers.items():
            self._go_round(f"courier {name}", courier._claim_and_send)

    def rounds(self) -> dict[str, Callable[[], Awaitable[Any]]]:
        """One round of everything that a worker does, by name."""
        found: dict[str, Callable[[], Awaitable[Any]]] = {
            loop.name: loop.work for loop in bootstrap.loops(self.service)
        }
        found["fan-out"] = self.relay._fan_out
        for name, courier in self.relay.couriers.items():
            found[f"courier {name}"] = courier._claim_and_send
        return found

    async def delivered(self) -> None:
        """Wait for what its couriers have on their way."""
        for courier in self.relay.couriers.values():
            if courier._on_the_way:
                await asyncio.wait(set(courier._on_the_way))

    def _go_round(self, name: str, once: Callable[[], Awaitable[Any]]) -> None:
        self.inside(self._rounds(name, once), name)

    async def _rounds(self, name: str, once: Callable[[], Awaitable[Any]]) -> None:
        likely = SELDOM if name in RESTS_LONG else LOOP
        schedule = self._world.schedule
        while True:
            STAGE.get().weight = likely
            begun_at = schedule.turn
            try:
                await once()
            except AWAY:
                await asyncio.sleep(1.0)
            if schedule.turn == begun_at:  # nothing was waited for, as where a breaker is open
                await asyncio.sleep(RESTS_S)

    async def _fan_out(self) -> int:
        return await self.relay._fan_out()
