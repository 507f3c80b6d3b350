"""A line to a gateway on which every answer is late: a proxy of TCP that holds back what comes from the other side."""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection as Pipe

PIECE = 65536


@contextmanager
def slow_line(host: str, port: int, late_s: float) -> Iterator[str]:
    """The address of a proxy to this one; each piece of an answer comes ``late_s`` later than it was sent."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, host, port, late_s), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(told: Pipe, host: str, port: int, late_s: float) -> None:
    asyncio.run(_proxy(told, host, port, late_s))


async def _proxy(told: Pipe, host: str, port: int, late_s: float) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            beyond_reader, beyond_writer = await asyncio.open_connection(host, port)
            await asyncio.gather(_pass_on(reader, beyond_writer, 0), _pass_on(beyond_reader, writer, late_s))

    server = await asyncio.start_server(carry, "127.0.0.1", 0, backlog=512)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late_s: float) -> None:
    try:
        while piece := await reader.read(PIECE):
            await asyncio.sleep(late_s)
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
