"""The port at which a worker says how it is: for those who look after it, and for Prometheus."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import uvicorn

from eci_payments import bootstrap
from eci_payments.api.server import configured
from eci_payments.cli.listening import listen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from eci_payments.bootstrap import Service

GRACE_S = 1
"""Nobody who asks for metrics is worth waiting for longer."""


class _Server(uvicorn.Server):
    """Leaves the signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def watched(service: Service, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Answer at WORK_PORT while the block lasts; without that setting, nowhere. Raises CommandError."""
    settings = service.settings
    if settings.work_port is None:
        yield
        return
    with listen(settings.service_host, settings.work_port, "WORK_PORT") as listening:
        server = _Server(configured(bootstrap.worker_web(service, stopping.is_set), GRACE_S))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving
