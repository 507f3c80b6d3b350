"""``eci-payments work``: what happens without a caller."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

from eci_payments import bootstrap
from eci_payments.cli.lifeline import end_with, pass_gate
from eci_payments.cli.opening import located, ready, settings_for_service
from eci_payments.cli.probes import watched
from eci_payments.cli.processes import closing, end_in_time, run_process
from eci_payments.gateway_accounts import configured_gateways
from eci_payments.settings import Settings

log = logging.getLogger(__name__)

DRAIN_S = 8.2
"""After SIGTERM the process is gone within 10 s. What has not ended by then is another worker's, by its lease."""


def run(parent: int | None, ready_fd: int | None, gate: int | None) -> None:
    """Work until told to stop."""
    end_with(parent)
    pass_gate(gate)
    settings = settings_for_service()
    run_process(_run(settings, ready_fd), settings, "work")


async def _run(settings: Settings, ready_fd: int | None) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _stop, stopping)
    async with located(settings) as place:
        start = await ready(place)
        gateways = configured_gateways(settings, challenge_url=settings.simulator_url)
        async with (
            closing(bootstrap.build(settings, start.database_url, gateways)) as service,
            watched(service, stopping),
        ):
            working = asyncio.create_task(bootstrap.work(service, stopping))
            log.info("working")
            _say_ready(ready_fd)
            await _until_done(working, stopping)


def _stop(stopping: asyncio.Event) -> None:
    end_in_time()
    stopping.set()


async def _until_done(working: asyncio.Task[None], stopping: asyncio.Event) -> None:
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait([working, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    await asyncio.wait([working], timeout=DRAIN_S)
    if not working.done():
        log.warning("stopped with work under way; it is taken up again when its lease has ended")
        working.cancel()
        await asyncio.wait([working], timeout=0.5)
    elif not working.cancelled() and (error := working.exception()) is not None:
        raise error


def _say_ready(ready_fd: int | None) -> None:
    if ready_fd is not None:
        os.write(ready_fd, b"1")
        os.close(ready_fd)
