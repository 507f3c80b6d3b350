"""A line between two processes that a test can cut, half-cut and slow, and lead to somebody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
    Open = Callable[[], Awaitable[Streams]]

PIECE_BYTES = 65536


async def leading_to_socket(path: Path) -> Streams:
    """To whoever listens on this Unix socket."""
    return await asyncio.open_unix_connection(path)


async def leading_to_port(port: int) -> Streams:
    """To whoever listens on this port of loopback."""
    return await asyncio.open_connection("127.0.0.1", port)


class State(Enum):
    """What becomes of bytes."""

    WHOLE = "they pass"
    CUT = "connections are refused, and those that stand are reset"
    HALF = "what is asked passes, what is answered does not"
    SLOW = "each piece is late"


@dataclass
class Line:
    """Listens on loopback, and passes on to wherever ``leads`` opens a connection. ``late_s`` is how slow SLOW is."""

    leads: Open
    late_s: float = 0.05
    state: State = State.WHOLE
    port: int = 0
    pieces: Counter[State] = field(default_factory=Counter)
    """How many pieces came in each state; while it is cut, connections that were refused or reset."""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _passing: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> int:
        """The port on which it listens."""
        self._server = await asyncio.start_server(self._met, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    def be(self, state: State) -> None:
        """From now on; who is connected when it is cut is reset."""
        self.state = state
        if state is State.CUT:
            self.reset()

    def reset(self) -> None:
        """Break every connection that stands."""
        self.pieces[self.state] += len(self._writers)
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        """Nobody comes any more, and who was there has gone."""
        if self._server is not None:
            self._server.close()
        while self._passing:
            self.reset()
            await asyncio.wait(self._passing, timeout=0.1)

    def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passing = asyncio.ensure_future(self._pass_on(reader, writer))
        self._passing.add(passing)
        passing.add_done_callback(self._passing.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.state is State.CUT:
            self.pieces[State.CUT] += 1
            writer.transport.abort()
            return
        try:
            their_reader, their_writer = await self.leads()
        except OSError:
            writer.transport.abort()
            return
        both = {writer, their_writer}
        self._writers |= both
        try:
            await asyncio.gather(
                self._pass(reader, their_writer, answers=False),
                self._pass(their_reader, writer, answers=True),
            )
        finally:
            self._writers -= both
            for each in both:
                each.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                self.pieces[self.state] += 1
                if self.state is State.SLOW:
                    await asyncio.sleep(self.late_s)
                if not (answers and self.state is State.HALF):
                    writer.write(piece)
                    await writer.drain()
        writer.transport.abort()
