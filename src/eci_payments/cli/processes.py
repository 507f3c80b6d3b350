"""What ``serve`` and ``work`` have in common: the event loop, the logs, an end in bounded time."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvloop

from eci_payments.observability.logs import configure_logging
from eci_payments.observability.tracing import tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from eci_payments.bootstrap import Service
    from eci_payments.settings import Settings

log = logging.getLogger(__name__)

COLLECTED_AFTER = (20_000, 20, 20)
"""Objects made and not freed by themselves, young collections, middle ones: garbage in cycles waits for the next."""
CLOSE_S = 1.0
"""By now everything has ended or was given up; connections that do not close are closed by the process's end."""

LAST_S = 9.7
"""A process that was told to stop is gone within 10 s, whatever hangs."""


def run_process(main: Coroutine[Any, Any, None], settings: Settings, name: str) -> None:
    """Run the command ``name`` to its end, with the logs of a service on standard output and its traces."""
    configure_logging(settings.service_name, settings.log_level)
    headers = settings.otel_exporter_otlp_headers
    with tracing(
        settings.otel_exporter_otlp_endpoint,
        headers.get_secret_value() if headers else "",
        ratio=settings.otel_traces_sampler_arg,
        service=settings.service_name,
        process=name,
    ):
        uvloop.run(main)


def end_in_time() -> None:
    """From now on the process has `LAST_S` to end by itself."""
    last = threading.Timer(LAST_S, _end)
    last.daemon = True
    last.start()


def _end() -> None:
    log.critical("did not stop within %g s: the process ends now, recovery takes up the rest", LAST_S)
    os._exit(1)


def settle() -> None:
    """The process is built: what lives as long as it does is not looked at again for what can be freed.

    Requests leave next to nothing in cycles; looking for it less often takes a tenth off the time of a charge.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


@asynccontextmanager
async def closing(service: Service) -> AsyncIterator[Service]:
    """The service, closed after the block within a second."""
    try:
        yield service
    finally:
        try:
            await asyncio.wait_for(service.close(), CLOSE_S)
        except TimeoutError:
            log.warning("closed with work under way; recovery takes it up")
