"""Customers who come at a fixed rate, whether or not the ones before them have been answered."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.work import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection as Pipe

    from bench.load import Address

PATIENCE_S = 20.0


@dataclass(slots=True)
class Paced:
    """What came of them, by status (0: no answer), once they have all gone."""

    statuses: Counter[int] = field(default_factory=Counter)


@contextmanager
def customers(address: Address, method: str, per_second: float, run: str) -> Iterator[Paced]:
    """They keep coming, from a process of their own, while the block runs; the last are waited for."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_come, args=(theirs, address, method, per_second, run))
    process.start()
    seen = Paced()
    try:
        yield seen
    finally:
        ours.send("stop")
        seen.statuses.update(ours.recv())
        process.join()


def _come(told: Pipe, address: Address, method: str, per_second: float, run: str) -> None:
    told.send(asyncio.run(_all(told, address, requests(run, method), per_second)))


async def _all(told: Pipe, address: Address, make: Callable[[int], bytes], per_second: float) -> Counter[int]:
    under_way: set[asyncio.Task[int]] = set()
    statuses: Counter[int] = Counter()
    begun, number = time.monotonic(), 0
    while not told.poll():
        await asyncio.sleep(max(begun + number / per_second - time.monotonic(), 0))
        under_way.add(asyncio.create_task(_one(address, make(number))))
        number += 1
        done = {task for task in under_way if task.done()}
        under_way -= done
        statuses.update(task.result() for task in done)
    statuses.update(await asyncio.gather(*under_way))
    return statuses


async def _one(address: Address, request: bytes) -> int:
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(*address)
            try:
                writer.write(request)
                line = await reader.readline()
                return int(line.split()[1])
            finally:
                writer.close()
    except (OSError, TimeoutError, IndexError):
        return 0
