"""A healthy peer in a process of its own: answers every call at once, and remembers when it answered which.

It reads no more of a request than it must: it must not be what is measured.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection as Pipe

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(frozen=True, slots=True)
class Peer:
    """Where it is."""

    url: str
    _pipe: Pipe

    def answered(self) -> dict[str, float]:
        """When each Idempotency-Key was first answered since this was asked last: seconds since the epoch."""
        self._pipe.send("answered")
        found: dict[str, float] = self._pipe.recv()
        return found


@contextmanager
def peer() -> Iterator[Peer]:
    """A peer while the block lasts."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Peer(f"http://127.0.0.1:{ours.recv()}", ours)
    finally:
        process.terminate()
        process.join()


def _run(pipe: Pipe) -> None:
    asyncio.run(_serve(pipe))


async def _serve(pipe: Pipe) -> None:
    answered: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answered), "127.0.0.1", 0, backlog=512)
    pipe.send(server.sockets[0].getsockname()[1])

    def tell() -> None:
        pipe.recv()
        pipe.send(dict(answered))
        answered.clear()

    loop.add_reader(pipe.fileno(), tell)
    await server.serve_forever()


class Connection(asyncio.Protocol):
    """One connection: answers each whole request, however its pieces arrive."""

    def __init__(self, answered: dict[str, float]) -> None:
        self._answered = answered
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio calls it."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """As asyncio calls it."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            names = head.lower()
            whole = end + 4 + int(_value(head, names, b"\r\ncontent-length:") or 0)
            if len(self._received) < whole:
                return
            key = _value(head, names, b"\r\nidempotency-key:").decode().strip('"')
            self._answered.setdefault(key, time.time())
            if isinstance(self._transport, asyncio.WriteTransport):
                self._transport.write(ANSWER)
            del self._received[:whole]


def _value(head: bytearray, names: bytearray, name: bytes) -> bytes:
    place = names.find(name)
    if place < 0:
        return b""
    end = head.find(b"\r\n", place + 2)
    return bytes(head[place + len(name) : end if end >= 0 else len(head)]).strip()
