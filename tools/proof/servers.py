"""Who the service talks to, each a process of its own: the sandbox gateway, its letter box, the stand-in peers.

``python -m proof.servers sandbox|standins|box FILE DESCRIPTOR WEBHOOKS`` serves on an inherited socket until it is told
to stop; the sandbox tells that address what happens.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from eci_payments.gateways.adapters.simulator.pace import Pace
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.sandbox.options import SandboxOptions
from eci_payments.sandbox.server import serve
from eci_payments.standins import create_app
from proof.mail import SECRET, serve_box

if TYPE_CHECKING:
    from collections.abc import Iterator

API_KEY = "proof"
HANG_S = 0.5
"""How long the sandbox hangs before it cuts the line; whoever asked has given up before, or hears the line cut."""
TOLD_LATE_S = 0.5
"""How long a webhook is kept back that is to come late, or after the next one."""
LATE_S = 86400.0
"""Late money does not come by itself: a case lets it come (`acts.money_comes_late`)."""
START_S = 30.0


@contextmanager
def running(which: str, file: Path, webhooks: str = "") -> Iterator[str]:
    """The address of this server over this file."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        descriptor = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "proof.servers", which, str(file), str(descriptor), webhooks],
            pass_fds=[descriptor],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
    try:
        _await_health(url)
        yield url
    finally:
        process.kill()
        process.wait()


def closed_address() -> str:
    """An address of this machine where nobody listens: it was somebody's a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def _await_health(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310 - our own process
                return
        except OSError:  # refused, or nobody has read the request yet
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def main() -> None:
    """Serve one of them."""
    which, file, descriptor, webhooks = sys.argv[1:]
    listening = socket.socket(fileno=int(descriptor))
    if which == "sandbox":
        pace = Pace(settle_s=0.05, deemed_s=0.1, late_s=LATE_S, action_s=3600.0, silent_inquiries=1)
        host, port = listening.getsockname()
        options = SandboxOptions(
            api_key=API_KEY,
            hang_s=HANG_S,
            slow_s=0.05,
            public_url=f"http://{host}:{port}",
            webhook_url=webhooks,
            webhook_secrets=(SECRET,),
            webhook_late_s=TOLD_LATE_S,
            webhook_held_s=TOLD_LATE_S,
        )
        serve(SimulatorRecord(Path(file), pace=pace), options, listening)
    elif which == "box":
        serve_box(Path(file), listening)
    else:
        config = uvicorn.Config(create_app(file), log_level="critical", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
