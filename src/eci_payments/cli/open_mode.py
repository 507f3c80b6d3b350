"""Whether a service may start without asking for keys: only where nobody but its own machine reaches it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from eci_payments.api.client_address import is_loopback
from eci_payments.cli.errors import CommandError
from eci_payments.cli.listening import address
from eci_payments.store.api_keys import has_any_key

if TYPE_CHECKING:
    import socket

    from eci_payments.store.session import Database

log = logging.getLogger(__name__)


async def may_be_open(database: Database, listening: socket.socket) -> bool:
    """True, with a warning, on loopback while there is no key. Raises CommandError elsewhere while there is none."""
    async with database.read() as session:
        has_keys = await has_any_key(session)
    if has_keys:
        return False
    if not is_loopback(listening.getsockname()[0]):
        raise CommandError(
            f"there is no API key yet, and others than this machine reach {address(listening)}: make one with"
            " `eci-payments keys create`, or give migrate a BOOTSTRAP_API_KEY"
        )
    log.warning(
        "OPEN MODE: whoever can run a program on this machine may do everything, because there is no API key yet;"
        " `eci-payments keys create` ends it"
    )
    return True
