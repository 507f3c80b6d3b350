"""The sandbox's own server: uvicorn, with the line under a request within reach of the faults."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from eci_payments.sandbox.app import create_app
from eci_payments.sandbox.door import Door
from eci_payments.sandbox.line import EXTENSION

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
    from eci_payments.sandbox.options import SandboxOptions

GRACE_S = 1
"""Requests that hang on purpose are not waited for."""


class LineProtocol(HttpToolsProtocol):
    """Tells the app which connection a request came by."""

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        scope = cast("dict[str, Any]", self.scope)
        scope["extensions"] = {EXTENSION: {"transport": self.transport}}


def serve(record: SimulatorRecord | Path | str, options: SandboxOptions, listening: socket.socket) -> None:
    """Serve until told to stop."""
    asyncio.run(_serve(record, options, listening))


async def _serve(
    record: SimulatorRecord | Path | str, options: SandboxOptions, listening: socket.socket
) -> None:
    door = Door(listening)
    config = uvicorn.Config(
        create_app(record, options, door),
        http=LineProtocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)

    def protocol() -> asyncio.Protocol:
        return LineProtocol(config=config, server_state=server.server_state, app_state=server.lifespan.state)

    door.belongs_to(server, protocol)
    await server.serve(sockets=[listening])
    await door.close()
