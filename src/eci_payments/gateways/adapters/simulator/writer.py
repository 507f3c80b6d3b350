"""One thread per process that writes the record: whatever waits when it is free is committed together."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from eci_payments.gateways.adapters.simulator.table import MEMORY, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)
T = TypeVar("T")

BATCH_MAX = 256
"""Requests in one commit: some milliseconds of work, so that other processes get their turn."""
PATIENCE_S = 5.0
"""A request that has waited this long is not begun any more: whoever sent it must be able to rely on that."""


class RecordBusy(Exception):
    """The record could not be reached in time; nothing was written."""


class RecordClosed(Exception):
    """The record was given back before this was begun; nothing was written."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    begin_before: float


_Results = list[tuple[_Job, Any, BaseException | None]]


def _tell(results: _Results) -> None:
    """Hand every result to the event loop that waits for it: one call for each loop."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, _Results] = defaultdict(list)
    for one in results:
        by_loop[one[0].loop].append(one)
    for loop, its_results in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, its_results)


def _settle(results: _Results) -> None:
    for job, result, error in results:
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)


class Writer:
    """Runs work in transactions, in a thread of its own; in memory at once, where it stands."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.memory = opened(path) if str(path) == MEMORY else None

    async def run(self, work: Callable[[sqlite3.Connection], T], within_s: float = PATIENCE_S) -> T:
        """Do the work, begun within this time or not at all, and committed before this returns.

        Raises RecordBusy, RecordClosed, and sqlite3.Error.
        """
        if self.memory is not None:
            with self._lock:
                return _in_transaction(self.memory, work)
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future(), loop, time.monotonic() + within_s)
        self._start(job)
        result: T = await job.future
        return result

    def close(self) -> None:
        """End the thread after what already waits."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()
        if self.memory is not None:
            self.memory.close()

    def _start(self, job: _Job) -> None:
        with self._lock:
            if self._closed:
                raise RecordClosed
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="simulator record", daemon=True)
                self._thread.start()
            self._jobs.put(job)

    def _serve(self) -> None:
        connection: sqlite3.Connection | None = None
        while batch := self._next_batch():
            try:
                connection = connection or opened(self._path)
            except sqlite3.Error as error:
                _tell([(job, None, RecordBusy(str(error))) for job in batch])
                continue
            try:
                _commit_together(connection, batch)
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever the file does
                log.warning("the simulator's record failed", extra={"error": type(error).__name__})
                _tell([(job, None, error) for job in batch])
                _close(connection)
                connection = None
        _close(connection)

    def _next_batch(self) -> list[_Job]:
        """What waits, at most a batch; empty when it is over."""
        first = self._jobs.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < BATCH_MAX:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        return batch


def _commit_together(connection: sqlite3.Connection, batch: list[_Job]) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        _tell([(job, None, RecordBusy(str(error))) for job in batch])
        return
    try:
        results: _Results = [(job, *_attempt(connection, job)) for job in batch]
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    _tell(results)


def _attempt(connection: sqlite3.Connection, job: _Job) -> tuple[Any, Exception | None]:
    """One request's part of a commit: when it fails, it leaves nothing behind and its neighbours stand."""
    if time.monotonic() > job.begin_before or job.future.cancelled():
        return None, RecordBusy("waited for too long")
    connection.execute("SAVEPOINT one")
    try:
        result = job.work(connection)
    except Exception as error:  # noqa: BLE001 - it is handed to whoever asked
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return None, error
    connection.execute("RELEASE one")
    return result, None


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN")
    try:
        result = work(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return result


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        with suppress(sqlite3.Error):
            connection.close()
