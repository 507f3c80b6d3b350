"""One life of the service: a forked child of a process that has imported everything, which may be killed on the way."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio._backends._asyncio  # noqa: F401 - what a life would import at its first call is imported once, here
import httpcore  # noqa: F401 - this one, too

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

LIFE_S = 60.0
"""A life is over in a second; one that takes this long hangs, and that is a finding."""
CHUNK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Ended:
    """How a life ended: ``killed`` by SIGKILL, with its ``result``, or with the ``problem`` that stopped it."""

    killed: bool = False
    result: Any = None
    problem: str | None = None


def live(body: Callable[[], Coroutine[Any, Any, Any]], log: str) -> Ended:
    """Run this in a child of its own; what it returns must be plain JSON. ``log`` takes what it says on stderr."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _be_born(body, reading, writing, log)
    os.close(writing)
    try:
        said, in_time = _read(reading)
    finally:
        os.close(reading)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not in_time:
        return Ended(problem=f"it did not end within {LIFE_S:g} s")
    return _ended(status, said)


def _be_born(body: Callable[[], Coroutine[Any, Any, Any]], reading: int, writing: int, log: str) -> None:
    try:
        os.close(reading)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        try:
            said = {"result": asyncio.run(body())}
        except Exception:  # noqa: BLE001 - whatever stops a life is told to whoever began it
            said = {"problem": traceback.format_exc(limit=-6)}
        with os.fdopen(writing, "w") as out:
            json.dump(said, out)
    finally:
        os._exit(0)  # nothing of the parent's may be run or flushed here


def _read(descriptor: int) -> tuple[bytes, bool]:
    """Everything until the other end is closed, and whether that was in time."""
    parts: list[bytes] = []
    deadline = time.monotonic() + LIFE_S
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return b"".join(parts), False
        part = os.read(descriptor, CHUNK_BYTES)
        if not part:
            return b"".join(parts), True
        parts.append(part)


def _ended(status: int, said: bytes) -> Ended:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return Ended(killed=True)
    if not said:
        return Ended(problem=f"it ended with status {status} and said nothing")
    told = json.loads(said)
    return Ended(result=told.get("result"), problem=told.get("problem"))
