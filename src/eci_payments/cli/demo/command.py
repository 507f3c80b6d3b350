"""The demo from start to stop: its ports, its database, its processes, its page."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eci_payments.cli.demo import page
from eci_payments.cli.demo.children import Ports, children
from eci_payments.cli.demo.logs import Logs
from eci_payments.cli.demo.supervisor import Supervisor
from eci_payments.cli.errors import CommandError
from eci_payments.cli.listening import listen
from eci_payments.cli.migrate import migrated
from eci_payments.cli.opening import connected, located, settings_with
from eci_payments.store.api_keys import has_any_key
from eci_payments.store.embedded import claim_data_dir

if TYPE_CHECKING:
    from eci_payments.cli.opening import Place
    from eci_payments.settings import Settings

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_TIMEOUT_S = 60.0
"""A slow laptop starts in ten; beyond this something hangs, and the person is better told."""


@dataclass(frozen=True, slots=True)
class _Demo:
    settings: Settings
    ports: Ports
    logs: Logs
    begun: float


def run(*, show_logs: bool, begun: float) -> int:
    """Run until Ctrl-C or SIGTERM; the exit code. ``begun``: when the start began, by the monotonic clock."""
    settings = settings_with()
    settings = replace(settings, data_dir=settings.data_dir.absolute(), gateways=_gateways(settings))
    with ExitStack() as held:
        ports = _ports(settings, held)
        try:
            held.enter_context(claim_data_dir(settings.data_dir))
            logs = Logs(settings.data_dir, shown=show_logs)
        except OSError as error:
            raise CommandError(
                f"the data folder {settings.data_dir} cannot be used: {error.strerror}"
            ) from None
        asyncio.run(_until_stopped(_Demo(settings, ports, logs, begun)))
    return 0


def _gateways(settings: Settings) -> tuple[str, ...]:
    return settings.gateways or (() if settings.gateways_file else ("simulator",))


def _ports(settings: Settings, held: ExitStack) -> Ports:
    service = held.enter_context(listen(settings.service_host, settings.service_port))
    port = service.getsockname()[1]
    return Ports(service, *(held.enter_context(_near(port + offset)) for offset in (1, 2)))


def _near(port: int) -> socket.socket:
    """This port on loopback, or whichever is free."""
    try:
        return listen("127.0.0.1", port)
    except CommandError:
        return listen("127.0.0.1", 0)


async def _until_stopped(demo: _Demo) -> None:
    stop = asyncio.Event()
    for number in STOPS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(_run(demo, stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not running.done() and not demo.logs.started.is_set():
        running.cancel()  # stopped while it was still starting
    stopping.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _run(demo: _Demo, stop: asyncio.Event) -> None:
    supervisor = Supervisor(children(demo.settings, demo.ports), demo.logs, _say)
    async with AsyncExitStack() as ending:
        ending.push_async_callback(supervisor.stop)
        supervisor.start()
        place = await ending.enter_async_context(located(demo.settings))
        ending.push_async_callback(supervisor.stop)  # before the database
        await migrated(place)
        supervisor.open_gate()
        await _ready(supervisor, demo)
        seconds, has_keys = time.monotonic() - demo.begun, await _has_keys(place)
        _say(page.text(demo.settings, demo.ports, demo.logs, seconds, has_keys=has_keys))
        await stop.wait()
        _say("Stopping: what was accepted is still answered.")
    _say(f"Stopped. The data stays in {demo.settings.data_dir}.")


async def _has_keys(place: Place) -> bool:
    async with connected(place.settings, place.service_url, "demo") as database, database.read() as session:
        return await has_any_key(session)


async def _ready(supervisor: Supervisor, demo: _Demo) -> None:
    try:
        await asyncio.wait_for(supervisor.ready(), START_TIMEOUT_S)
    except TimeoutError:
        raise CommandError(f"it did not start within {START_TIMEOUT_S:g} s; see {demo.logs.folder}") from None
    demo.logs.started.set()


def _say(text: str) -> None:
    print(text, flush=True, file=sys.stdout)
