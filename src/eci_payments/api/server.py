"""The web server of one process: uvicorn, set up as we want it, stopped so that what was accepted is answered."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from eci_payments.api.connections import CONNECTIONS_MAX, affordable
from eci_payments.api.http_protocol import protocol_class

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from starlette.types import ASGIApp

KEEP_ALIVE_S = 75
"""Longer than proxies keep their idle connections (60 s is usual), so that it is not us who close under a request."""
LAST_S = 9.7
"""A process that was told to stop has ended by now, or is ended: the contract says 10 s."""
SEEN_EMPTY = 2
"""Turns of the loop without anybody who waits: what was taken over in the last but one is served by now."""
MADE_S = 0.02
"""For connections that were taken over and are not served yet; after it they are told to stop like all others."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger(__name__)


async def serve(
    app: ASGIApp,
    listening: socket.socket,
    grace_s: float,
    *,
    problem_base: str = "",
    also: Sequence[socket.socket] = (),
    begun: Callable[[], None] = lambda: None,
    told_to_stop: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT: then accept no more, answer what was accepted, and return.

    ``also`` are more sockets to serve on. What is not answered ``grace_s`` after the signal is broken off.
    ``begun`` is called once requests are answered and signals are heeded, ``told_to_stop`` at the signal.
    """
    server = Server(configured(app, grace_s, problem_base, affordable()), begun, told_to_stop)
    await server.serve(sockets=[listening, *also])


def configured(
    app: ASGIApp, grace_s: float, problem_base: str = "", connections: int = CONNECTIONS_MAX
) -> uvicorn.Config:
    """As we set uvicorn up: our protocol, our logs, no word about ourselves, nobody's forwarded address believed."""
    return uvicorn.Config(
        app,
        http=protocol_class(problem_base, connections),
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=grace_s,  # type: ignore[arg-type] # seconds of any kind, once it is awaited
        reset_contextvars=True,
    )


class Server(uvicorn.Server):
    """Stops at the first signal and returns; uvicorn's own would raise the signal again and end by it."""

    def __init__(
        self,
        config: uvicorn.Config,
        begun: Callable[[], None] = lambda: None,
        told_to_stop: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._begun = begun
        self._told_to_stop = told_to_stop

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The signals are ours while we serve; in a thread beside the main one there are none to take."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        if self.started:
            self._begun()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take over what has connected, and only then listen no more: closing would reset what waits to be taken."""
        waiting = select.poll()
        for each in (each for each in sockets or () if each.fileno() >= 0):
            waiting.register(each, select.POLLIN)
        seen_empty = 0 if waiting.poll(0) else SEEN_EMPTY
        while seen_empty < SEEN_EMPTY:
            await asyncio.sleep(0)
            seen_empty = 0 if waiting.poll(0) else seen_empty + 1
        for server in self.servers:
            server.close()
        await asyncio.sleep(MADE_S)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; see to it that the process does end."""
        if not self.should_exit:
            self._told_to_stop()
            last = threading.Timer(LAST_S, _end)
            last.daemon = True
            last.start()
        super().handle_exit(sig, frame)


def _end() -> None:
    """Recovery takes up what is under way, as after any crash."""
    log.critical("did not stop within %g s of the signal: the process ends now", LAST_S)
    os._exit(1)
