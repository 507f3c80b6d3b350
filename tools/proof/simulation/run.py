"""One seed from its beginning to the audit: the clients' time with all its faults, then the end, in which all is well.

At the end every process dies, new ones go on with what was committed, every client asks again with its key, time goes
on past every watch, and the books are read.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.commands import Caller, ChangeStatus
from eci_payments.store.session import Database
from proof import auditor, books, promises
from proof.lives import BUSY
from proof.simulation import moments, timed
from proof.simulation.clients import MERCHANT, Clients
from proof.simulation.gateway import Record
from proof.simulation.hooks import send_due, send_webhooks
from proof.simulation.peers import Peers
from proof.simulation.processes import LEASE_S, RESTS_LONG, World
from proof.simulation.turns import Schedule, owned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proof.books import Books
    from proof.simulation.plan import Fault, Plan

DRAIN_S = (0.0, LEASE_S + 1, LEASE_S + 1, 61.0, 301.0, 601.0, 1201.0, 3601.0)
"""Past every lease, inquiry and customer's time, and most watches; the waits of a day come after the repeats."""
DAY_S = 86_400.0 + 3600.0
MOST_ROUNDS = 60
_UNKNOWN = """
SELECT payment_id, kind, gateway_key, amount_minor FROM operations WHERE merchant_id = $1 AND state = 'UNKNOWN'
ORDER BY operation_id
"""
_ENDS_AS_NO = {"CHARGE": "FAILED", "AUTHORIZE": "FAILED", "CAPTURE": "AUTHORIZED", "REFUND": "COMPLETED"}
NOT_THE_SEEDS = frozenset({"committed_in", "traceparent"})
"""Columns that others fill: transactions' numbers are the whole server's, and traces have ids of their own making."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where runs happen: a database in simulated time, by its addresses."""

    admin_url: str
    service_url: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: what was ``found``, what happened, and a hash of that and of everybody's books."""

    plan: Plan
    found: tuple[str, ...]
    told: tuple[str, ...]
    digest: str
    turns: int
    counts: dict[str, int] = field(default_factory=dict)


def run(site: Site, plan: Plan) -> Ended:
    """Run a plan."""
    schedule = Schedule(plan)
    with _watched_log(schedule):
        try:
            books_hash = moments.run(_Run(site, schedule).whole(), schedule.moments)
        except Exception as error:  # noqa: BLE001 - whatever stops a run is what it found
            schedule.found.append(f"the run stopped: {type(error).__name__}: {error}")
            books_hash = ""
    digest = hashlib.sha256("\n".join([*schedule.told, books_hash]).encode()).hexdigest()
    found = tuple(dict.fromkeys(schedule.found))
    return Ended(plan, found, tuple(schedule.told), digest, schedule.turn, dict(schedule.counted))


class _watched_log(logging.Handler):  # noqa: N801 - it is used as a context
    """Errors that a loop survives are findings all the same, but for those that the plan's faults explain."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(logging.ERROR)
        self._schedule = schedule
        self._logger = logging.getLogger("eci_payments")
        self._propagated = self._logger.propagate

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was not planned."""
        error = record.exc_info[1] if record.exc_info else None
        while error is not None:
            if isinstance(error, ConnectionError):
                return
            error = error.__cause__ or error.__context__
        raised = record.exc_info[1] if record.exc_info else None
        if raised is not None:
            self._schedule.found.append(f"logged: {record.getMessage()}: {type(raised).__name__}: {raised}")

    def __enter__(self) -> None:
        self._logger.addHandler(self)
        self._logger.propagate = False

    def __exit__(self, *_exc: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated


class _Run:
    """The run of one plan."""

    def __init__(self, site: Site, schedule: Schedule) -> None:
        self._site = site
        self._schedule = schedule

    async def whole(self) -> str:
        """All of it; the hash of everybody's books at the end."""
        asyncio.get_running_loop().set_task_factory(owned)  # type: ignore[arg-type] # typeshed's factory takes less
        schedule = self._schedule
        async with self._opened() as (admin, shared):
            world = World(schedule, shared, Record(schedule), Peers(schedule))
            self._begin(world)
            clients = Clients(world)
            await clients.all()
            await _Ending(world, clients, admin, schedule).come()
            with schedule.moments.outside():
                found = await self._books(world, admin)
            schedule.found += auditor.audit(found)
            schedule.found += promises.audit(found, [asked.request for asked in clients.asked])
            for process in list(world.processes):
                world.end(process)
            return _hash(found)

    def _begin(self, world: World) -> None:
        plan, schedule = self._schedule.plan, self._schedule
        names = [f"api-{n + 1}" for n in range(plan.apis)] + [f"worker-{n + 1}" for n in range(plan.workers)]
        for name in names:
            world.begin(name)
        due: dict[int, list[Fault]] = {}
        for fault in plan.faults:
            if fault.kind in _BY_TURN:
                due.setdefault(fault.at, []).append(fault)

        def on_turn(turn: int) -> None:
            for fault in due.get(turn, ()):
                schedule.meet(fault)
                _BY_TURN[fault.kind](world, fault)

        schedule.on_turn = on_turn
        schedule.spawn(send_webhooks(world))

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[asyncpg.Connection[Any], Database]]:
        outside = self._schedule.moments.outside
        with outside():
            admin = await asyncpg.connect(self._site.admin_url)
            await timed.emptied(admin)
            await admin.execute("INSERT INTO merchants (merchant_id, name) VALUES ($1, 'proof')", MERCHANT)
        shared = Database(self._site.service_url, pool_size=2)
        try:
            yield admin, shared
        finally:
            with outside():
                await shared.close()
                await admin.close()

    @staticmethod
    async def _books(world: World, admin: asyncpg.Connection[Any]) -> Books:
        ours = await books.our_rows(admin, MERCHANT)
        memory = world.record._writer.memory
        if memory is None:
            raise TypeError("the record is not in memory")
        gateway = books.gateway_record(memory, MERCHANT, world.record.clock())
        return books.Books(
            ours, gateway, world.peers.journal, holds_late=world.schedule.plan.late_policy == "hold"
        )


def _kill(world: World, fault: Fault) -> None:
    if fault.whom in world.processes:
        world.end(fault.whom)
        world.begin(fault.whom)


def _pause(world: World, fault: Fault) -> None:
    if fault.whom in world.processes:
        turns = world.processes[fault.whom].turns
        turns.paused_until_s = world.schedule.moments.now_s + fault.seconds


def _jump(world: World, fault: Fault) -> None:
    world.schedule.moments.move_on(fault.seconds)


def _outage(world: World, fault: Fault) -> None:
    world.peers.outages[fault.whom] = (fault.how, world.schedule.moments.now_s + fault.seconds)


def _away(world: World, fault: Fault) -> None:
    for process in world.processes.values():
        process.turns.away_until_s = world.schedule.moments.now_s + min(fault.seconds, 40.0)


_BY_TURN = {"kill": _kill, "pause": _pause, "jump": _jump, "outage": _outage, "away": _away}
"""Faults that come with a turn rather than with a call or commit."""


@dataclass
class _Ending:
    """No more faults; nothing that was only in memory counts."""

    world: World
    clients: Clients
    admin: asyncpg.Connection[Any]
    schedule: Schedule

    async def come(self) -> None:
        """Drain, have every client ask again, let a day and more pass, drain."""
        schedule, world = self.schedule, self.world
        schedule.calm = True
        schedule.say("THE END: no more faults, every process dies, and one of each kind goes on")
        for name in list(world.processes):
            world.end(name)
        world.begin("api-1")
        self._worker = world.begin("hand-1")
        await self._drain(DRAIN_S)
        await self._end_by_hand()
        await self._ask_again()
        await self._drain((LEASE_S + 1, 61.0, 301.0))
        await self._end_by_hand()
        await self._drain((61.0, DAY_S, DAY_S))
        busy = await self._busy()
        if busy:
            schedule.found.append(f"{busy} things are still under way")

    async def _end_by_hand(self) -> None:
        """What the gateway did for another amount than it was asked for stays unknown until a person ends it."""
        with self.schedule.moments.outside():
            rows = await self.admin.fetch(_UNKNOWN, MERCHANT)
        memory = self.world.record.entries()
        for row in rows:
            there = next((entry for entry in memory if entry.key == row["gateway_key"]), None)
            if there is not None and there.moved_minor != row["amount_minor"]:
                await self._say_no(row)
        await self._drain((0.0, 61.0, 31.0))

    async def _say_no(self, row: asyncpg.Record) -> None:
        """It did not happen as it was asked for; that money moved all the same is found by the watch."""
        status = PaymentStatus(_ENDS_AS_NO.get(row["kind"], "COMPLETED"))
        caller = Caller(merchant_id=MERCHANT, actor="operator")
        command = ChangeStatus(payment_id=row["payment_id"], status=status, reason=auditor.OPERATORS_REASON)
        process = self.world.named("api")[0]
        told = await process.serve(process.payments.change_status(caller, command), "operator")
        self.schedule.say(f"the operator was told {told}")

    async def _ask_again(self) -> None:
        for asked in self.clients.asked:
            if asked.sent:
                await self.clients.once(asked)

    async def _drain(self, waits_s: tuple[float, ...]) -> None:
        for wait_s in waits_s:
            await asyncio.sleep(wait_s)
            await self._until_idle(resting=False)
        await self._until_idle(resting=True)

    async def _until_idle(self, *, resting: bool) -> None:
        for _ in range(MOST_ROUNDS):
            if not await self._round(resting=resting):
                return
        self.schedule.found.append("there was no end of what is to be done")

    async def _round(self, *, resting: bool) -> int:
        """Everything that a worker does, once; with ``resting`` also what it does seldom."""
        done = await send_due(self.world)
        for name, once in self._worker.rounds().items():
            if name in RESTS_LONG and not resting:
                continue
            result = await self._worker.inside(_awaited(once), name)
            done += result[0] if isinstance(result, tuple) else result
            await self._worker.delivered()
        return done

    async def _busy(self) -> int:
        with self.schedule.moments.outside():
            found: int = await self.admin.fetchval(BUSY, MERCHANT)
        return found


async def _awaited(once: Any) -> Any:
    return await once()


def _hash(found: Books) -> str:
    """Of everything that anybody has written."""
    ours = {
        table: [{name: row[name] for name in row if name not in NOT_THE_SEEDS} for row in rows]
        for table, rows in found.ours.items()
    }
    plain = [ours, sorted(found.gateway.items()), found.heard]
    return hashlib.sha256(json.dumps(plain, default=_plain, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    return str(value)
