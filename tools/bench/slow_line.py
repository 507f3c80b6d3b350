"""A line to a gateway on which every answer can be late: a proxy of TCP that holds back what comes from beyond."""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection as Pipe
    from multiprocessing.sharedctypes import Synchronized

PIECE = 65536


@dataclass(frozen=True, slots=True)
class SlowLine:
    """A running proxy. ``late_s`` is by how many seconds an answer is late, from its next piece on."""

    url: str
    _late_s: Synchronized[float]

    def answer_late(self, seconds: float) -> None:
        """Hold answers back for so long; 0: not at all."""
        self._late_s.value = seconds


@contextmanager
def slow_line(host: str, port: int) -> Iterator[SlowLine]:
    """A proxy to this address, quick until it is told otherwise."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    late_s = context.Value("d", 0.0)
    process = context.Process(target=_serve, args=(theirs, host, port, late_s), daemon=True)
    process.start()
    try:
        yield SlowLine(f"http://127.0.0.1:{ours.recv()}", late_s)
    finally:
        process.terminate()
        process.join()


def _serve(told: Pipe, host: str, port: int, late_s: Synchronized[float]) -> None:
    asyncio.run(_proxy(told, host, port, late_s))


async def _proxy(told: Pipe, host: str, port: int, late_s: Synchronized[float]) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            beyond_reader, beyond_writer = await asyncio.open_connection(host, port)
            await asyncio.gather(
                _pass_on(reader, beyond_writer, None), _pass_on(beyond_reader, writer, late_s)
            )

    server = await asyncio.start_server(carry, "127.0.0.1", 0, backlog=512)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late_s: Synchronized[float] | None
) -> None:
    try:
        while piece := await reader.read(PIECE):
            await asyncio.sleep(late_s.value if late_s else 0)
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
