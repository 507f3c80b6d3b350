"""The processes of the demo: each is this same command line with another command."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.cli.listening import address
from eci_payments.delivery.shapes import PeerName

if TYPE_CHECKING:
    import socket

    from eci_payments.settings import Settings


QUICK = {"GATEWAY_TIMEOUT_S": "3", "OPERATION_LEASE_S": "5"}
"""Who kills a process in the middle of a charge sees the outcome after 5 s rather than 30."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Sockets that the demo listens on itself and hands to its processes: one that dies refuses no connection."""

    service: socket.socket
    sandbox: socket.socket
    standins: socket.socket


@dataclass(frozen=True, slots=True)
class Child:
    """One process. ``probe`` is the path that answers 200 when it is ready; None: it says so itself on a pipe."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    listening: socket.socket | None = None
    probe: str | None = None
    outlives: bool = False
    """Stopped only after the others, which still talk to it."""
    gated: bool = False
    """Needs the database: started at once, and let through when that is there."""

    @property
    def command(self) -> list[str]:
        """What is executed."""
        given = [] if self.listening is None else ["--fd", str(self.listening.fileno())]
        return [
            sys.executable, "-m", "eci_payments", *self.arguments, "--parent", str(os.getpid()), *given,
        ]  # fmt: skip


def children(settings: Settings, ports: Ports) -> list[Child]:
    """Every process, those first that others need."""
    environment = {**os.environ, **_environment(settings, ports)}
    return [
        Child("standins", ("standins",), environment, ports.standins, "/health", outlives=True),
        Child("serve", ("serve",), environment, ports.service, "/readyz", gated=True),
        Child("work", ("work",), environment | {"ADMIN_PORT": ""}, gated=True),
        Child("sandbox", ("sandbox",), environment, ports.sandbox, "/health", outlives=True),
    ]


def _environment(settings: Settings, ports: Ports) -> dict[str, str]:
    standins = address(ports.standins)
    told = {f"{peer.upper()}_SERVICE_URL": standins for peer in PeerName if peer not in settings.peers}
    quick = {} if QUICK.keys() & os.environ.keys() else QUICK
    return {**told, **quick} | {
        "DATA_DIR": str(settings.data_dir),
        "GATEWAYS": ",".join(settings.gateways),
        "SIMULATOR_URL": address(ports.sandbox),
    }
