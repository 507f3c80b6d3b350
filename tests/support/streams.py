"""A reader of Server-Sent Events over a real connection."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eci_payments.api.server import Server, configured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

PATIENCE_S = 30.0


@dataclass
class Said:
    """One message: its fields, and its data decoded."""

    event: str = "message"
    id: str = ""
    data: Any = None


@dataclass
class Stream:
    """An open stream: the answer's head, and messages as they come."""

    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heartbeats: int = 0
    retry_ms: int = 0
    _lines: list[str] = field(default_factory=list)

    async def next(self) -> Said:
        """The next message. Heartbeats are counted."""
        said = await self._next()
        assert said is not None, "the stream has ended"
        return said

    async def _next(self) -> Said | None:
        said = Said()
        while (line := await self._line()) is not None:
            name, _, value = line.partition(": ")
            if not line and said.data is not None:
                return said
            if line.startswith(":"):
                self.heartbeats += 1
            elif name == "retry":
                self.retry_ms = int(value)
            elif name == "data":
                said.data = json.loads(value)
            elif name in {"event", "id"}:
                setattr(said, name, value)
        return None

    async def rest(self) -> list[Said]:
        """Everything to the end."""
        found = []
        while (said := await self._next()) is not None:
            found.append(said)
        return found

    async def statuses(self) -> list[str]:
        """What the rest tells, in words: statuses, then the reason of the end."""
        return [each.data.get("status") or each.data["reason"] for each in await self.rest()]

    async def _line(self) -> str | None:
        while not self._lines:
            async with asyncio.timeout(PATIENCE_S):
                size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
                chunk = await self.reader.readexactly(size + 2)
            if not size:
                return None
            self._lines = chunk[:-2].decode().split("\n")[:-1]
        return self._lines.pop(0)


@asynccontextmanager
async def opened(port: int, path: str, **headers: str) -> AsyncIterator[Stream]:
    """A stream, hung up at the end of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = {"host": "localhost", "accept": "text/event-stream"} | headers
    lines = [
        f"GET {path} HTTP/1.1",
        *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        async with asyncio.timeout(PATIENCE_S):
            top = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        told = dict(line.lower().split(": ", 1) for line in top[1:] if line)
        yield Stream(int(top[0].split()[1]), told, reader, writer)
    finally:
        writer.close()


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[int]:
    """The app behind the real web server; its port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = Server(configured(app, grace_s=1.0))
        running = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield bound.getsockname()[1]
        finally:
            server.should_exit = True
            await running
