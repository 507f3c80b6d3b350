"""The door: the listening socket, which can be shut, so that connections are truly refused."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import uvicorn

MAX_SHUT_S = 600.0
BACKLOG = 2048


class Door:
    """Shuts and opens again. ``protocol`` makes the server's side of a new connection."""

    def __init__(self, listening: socket.socket) -> None:
        self._held = listening.dup()
        self._address = listening.getsockname()
        self._server: uvicorn.Server | None = None
        self._protocol: Callable[[], asyncio.Protocol] | None = None
        self._reopening: asyncio.Task[None] | None = None

    def belongs_to(self, server: uvicorn.Server, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Name the server whose door it is."""
        self._server, self._protocol = server, protocol

    def shut(self, shut_for_s: float) -> None:
        """Refuse connections from the next moment on. Raises ValueError for more than ten minutes."""
        if not 0 < shut_for_s <= MAX_SHUT_S:
            raise ValueError(f"shut_for_s is above 0 and at most {MAX_SHUT_S:g}")
        if self._reopening is None or self._reopening.done():
            self._reopening = asyncio.create_task(self._shut(shut_for_s))

    async def close(self) -> None:
        """Stop waiting to open again."""
        if self._reopening is not None:
            self._reopening.cancel()
            with suppress(asyncio.CancelledError):
                await self._reopening
        self._held.close()

    async def _shut(self, shut_for_s: float) -> None:
        if self._server is None or self._protocol is None:
            return
        await asyncio.sleep(0)
        for listener in self._server.servers:
            listener.close()
        with suppress(OSError):  # whoever started us may hold the socket too; it is shut for all of us
            self._held.shutdown(socket.SHUT_RDWR)
        for connection in list(self._server.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(shut_for_s)
        with suppress(
            OSError
        ):  # a port that the system chose was given back; one that was asked for is still bound
            self._held.bind(self._address)
        self._held.listen(BACKLOG)
        loop = asyncio.get_running_loop()
        self._server.servers = [await loop.create_server(self._protocol, sock=self._held.dup())]
