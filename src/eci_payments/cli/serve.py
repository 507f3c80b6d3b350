"""``eci-payments serve``: the API."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from eci_payments import bootstrap
from eci_payments.api.server import serve
from eci_payments.cli.lifeline import end_with, pass_gate
from eci_payments.cli.listening import address, inherited, listen
from eci_payments.cli.open_mode import may_be_open
from eci_payments.cli.opening import located, ready, settings_for_service
from eci_payments.cli.processes import closing, run_process, settle
from eci_payments.gateway_accounts import configured_gateways

if TYPE_CHECKING:
    import socket

    from eci_payments.settings import Settings

log = logging.getLogger(__name__)


def run(host: str | None, port: int | None, parent: int | None, fd: int | None, gate: int | None) -> None:
    """Serve until told to stop."""
    end_with(parent)
    pass_gate(gate)
    settings = settings_for_service(host, port)
    taken = inherited(fd) if fd is not None else listen(settings.service_host, settings.service_port)
    with ExitStack() as held:
        listening = [held.enter_context(taken)]
        if settings.admin_port is not None:
            admin = listen(settings.service_host, settings.admin_port, "ADMIN_PORT")
            listening.append(held.enter_context(admin))
        run_process(_run(settings, listening), settings, "serve")


async def _run(settings: Settings, sockets: Sequence[socket.socket]) -> None:
    listening, *also = sockets
    async with located(settings) as place:
        start = await ready(place)
        gateways = configured_gateways(settings, challenge_url=settings.simulator_url)
        async with closing(bootstrap.build(settings, start.database_url, gateways)) as service:
            open_mode = await may_be_open(service.database, listening)
            draining = threading.Event()
            app = bootstrap.web(service, start.fingerprint_key, draining.is_set, open_mode=open_mode)
            settle()
            await serve(
                app,
                listening,
                settings.shutdown_grace_s,
                problem_base=settings.public_url or "",
                also=also,
                begun=lambda: log.info("listening", extra={"listens_on": address(listening)}),
                told_to_stop=draining.set,
            )
