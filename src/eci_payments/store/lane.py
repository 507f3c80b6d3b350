"""The lane: callers' units join one transaction while the one before is being written.

No timer: a batch is what arrived meanwhile, with what those whose units were just written ask for next, so under no
load a unit waits for nobody. The queue is bounded; beyond it callers are told to come back (503), which is the
service's back-pressure. Callers take turns (`turns`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import DBAPIError

from eci_payments.domain.change import Change
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.store.turns import Turns
from eci_payments.store.units import Deferred, Overtaken, write_units

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eci_payments.store.ids import Ids
    from eci_payments.store.session import Database
    from eci_payments.store.units import KeyTaken, Result, Unit

RETRIED_SQLSTATES = frozenset({"40001", "40P01", "0A000"})
"""Serialisation failure, deadlock, a plan that a migration has outdated: the transaction may simply be run again."""
QUERY_CANCELED = "57014"
"""By `STATEMENT_TIMEOUT_MS`, when a statement waits for a lock that does not come."""
AWAY_CLASSES = frozenset({"08", "28", "3D", "53", "57"})
"""Classes of SQLSTATE of a server that does not let us in: connection, authorization, database, resources, ending."""
READ_ONLY = "25006"
"""What a former primary answers after a failover: it is a standby now."""
ANSWERED = (DBAPIError, InterfaceError, PostgresError)
"""What a statement raises, through SQLAlchemy or from the driver itself."""
AWAY = (OSError, TimeoutError, InterfaceError, PostgresError)
"""What comes instead of a connection when there is none to be had."""
MAX_RUNS = 4
"""A batch that loses four times in a row is not unlucky; its callers are told so."""
MAX_DEFERRALS = 1000
"""A unit waits for one neighbour per batch; so many batches are more than any queue is long."""


class DatabaseAway(Exception):
    """The database did not answer; whether the last commit landed is not known to this process.

    ``timed_out``: it answered that a statement took too long, for instance behind somebody's lock.
    """

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@dataclass(slots=True)
class _Waiting:
    unit: Unit
    result: asyncio.Future[Change | Refusal | KeyTaken]
    deferrals: int = 0


def _unmeasured(_units: int, _seconds: float) -> None:
    """Nobody asked."""


def _unwatched(_change: Change) -> None:
    """Nobody counts what became of things."""


class Lane:
    """One queue and one writer. ``batch_max`` and ``queue_max`` count units.

    ``measured`` is told of each transaction: how many units it had, and seconds. ``committed`` is told of each change
    that was written, after its commit.
    """

    def __init__(
        self,
        database: Database,
        ids: Ids,
        *,
        batch_max: int,
        queue_max: int,
        key_window_h: int,
        measured: Callable[[int, float], None] = _unmeasured,
        committed: Callable[[Change], None] = _unwatched,
    ) -> None:
        self._database = database
        self._ids = ids
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._key_window_h = key_window_h
        self._measured = measured
        self._committed = committed
        self._queue: Turns[_Waiting] = Turns()
        self._writer: asyncio.Task[None] | None = None
        self.batches = 0
        self.units = 0

    @property
    def depth(self) -> int:
        """How many units wait."""
        return len(self._queue)

    @property
    def is_writing(self) -> bool:
        """Whether a batch is under way, or about to be."""
        return self._writer is not None

    async def submit(self, unit: Unit, *, bounded: bool = True) -> Change | KeyTaken:
        """Have this unit written. Raises its Refusal, BUSY when the queue is full, DatabaseAway when it is away.

        With ``bounded`` false it is taken although the queue is full: what a gateway has done must be written, and
        there are never more of these than operations that were let in before.

        A caller that is cancelled while it waits does not take its unit back: what was begun is finished.
        """
        if bounded and len(self._queue) >= self._queue_max:
            raise Refusal(
                RefusalCode.BUSY, "The service is at its limit; try again shortly.", retry_after_s=1
            )
        waiting = _Waiting(unit, asyncio.get_running_loop().create_future())
        self._queue.add(unit.actor, waiting)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="lane")
        result = await waiting.result  # whoever is cancelled cancels this future, which nobody else looks at
        if isinstance(result, Refusal):
            raise result
        return result

    async def drain(self) -> None:
        """Wait until everything that was submitted is written."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    async def _write_all(self) -> None:
        try:
            while self._queue:
                await self._write(self._queue.take(self._batch_max))
                await asyncio.sleep(0)  # whoever goes on with what was written joins the next batch
        finally:
            self._writer = None

    async def _write(self, batch: list[_Waiting]) -> None:
        begun = perf_counter()
        try:
            results = await self._transaction([waiting.unit for waiting in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' answer
            await self._write_apart(batch, error)
            return
        self._measured(len(batch), perf_counter() - begun)
        for waiting, result in zip(batch, results, strict=True):
            self._settle(waiting, result)

    async def _write_apart(self, batch: list[_Waiting], error: Exception) -> None:
        """One unit's failure is not its neighbours': try each by itself, unless the database is away."""
        if len(batch) == 1 or (isinstance(error, DatabaseAway) and not error.timed_out):
            for waiting in batch:
                if not waiting.result.done():
                    waiting.result.set_exception(error)
            return
        for waiting in batch:
            await self._write([waiting])

    def _settle(self, waiting: _Waiting, result: Result) -> None:
        if isinstance(result, Change):
            self._committed(result)
        if waiting.result.done():
            return
        if not isinstance(result, Deferred):
            waiting.result.set_result(result)
        elif waiting.deferrals >= MAX_DEFERRALS:
            waiting.result.set_result(
                Refusal(RefusalCode.BUSY, "Too many requests for one payment; try again.", retry_after_s=1)
            )
        else:
            waiting.deferrals += 1
            self._queue.add(waiting.unit.actor, waiting)

    async def _transaction(self, units: Sequence[Unit]) -> list[Result]:
        read_all = False
        for run in range(1, MAX_RUNS + 1):
            try:
                await self._ids.reserve(len(units))
                async with self._database.write() as session:
                    results = await write_units(
                        session, self._ids, units, self._key_window_h, read_all=read_all
                    )
            except Overtaken:
                read_all = True
                continue
            except ANSWERED as error:
                if sqlstate(error) in RETRIED_SQLSTATES and run < MAX_RUNS:
                    continue
                if is_away(error):
                    timed_out = sqlstate(error) == QUERY_CANCELED
                    raise DatabaseAway(str(error), timed_out=timed_out) from error
                raise
            except AWAY as error:
                raise DatabaseAway(str(error)) from error
            self.batches += 1
            self.units += len(units)
            return results
        raise DatabaseAway("the transaction kept losing")


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five-character code of this error, if it came from PostgreSQL."""
    state: str | None = getattr(getattr(error, "orig", error), "sqlstate", None)
    return state


def is_away(error: BaseException) -> bool:
    """Whether this is the connection or the server going away rather than a statement being wrong."""
    state = sqlstate(error)
    return state is None or state[:2] in AWAY_CLASSES or state == READ_ONLY
