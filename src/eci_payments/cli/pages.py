"""Runs the small web applications that stand around the service: stand-ins and the simulator's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import uvicorn

from eci_payments.cli.lifeline import end_with
from eci_payments.cli.listening import address, inherited, listen

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE_S = 2
"""Nothing here is worth waiting for longer."""


def serve_pages(
    app: Callable[..., Any], host: str | None, port: int | None, parent: int | None, fd: int | None
) -> None:
    """Serve ``app`` on loopback until told to stop; its address is the one line that it prints."""
    end_with(parent)
    listening = listen(host or "127.0.0.1", port or 0, "--port") if fd is None else inherited(fd)
    print(address(listening), flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S)
    uvicorn.Server(config).run(sockets=[listening])
