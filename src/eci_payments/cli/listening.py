"""The socket of a server, taken before anything else is started."""

from __future__ import annotations

import errno
import socket

from eci_payments.cli.errors import CommandError

BACKLOG = 2048
"""Connections that the kernel keeps for us while we are busy, or while a supervised process starts again."""


def listen(host: str, port: int, setting: str = "SERVICE_PORT") -> socket.socket:
    """Listen there. Raises CommandError naming ``setting`` when the port or address is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        taken.close()
        raise CommandError(_why(error, host, port, setting)) from None
    return taken


def inherited(descriptor: int) -> socket.socket:
    """The socket that the process which started us listens on already."""
    return socket.socket(fileno=descriptor)


def address(listening: socket.socket) -> str:
    """Where it is reached, as ``http://host:port``."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why(error: OSError | OverflowError, host: str, port: int, setting: str) -> str:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: stop what listens there, or choose another {setting}"
    if code == errno.EACCES:
        return f"port {port} needs rights that this user does not have: choose a {setting} above 1023"
    return f"cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}): check SERVICE_HOST"
