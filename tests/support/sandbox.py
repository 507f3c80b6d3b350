"""The sandbox as a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from eci_payments.gateways.adapters.simulator.record import SimulatorRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

API_KEY = "sandbox-test-key"
TESTS = Path(__file__).resolve().parent.parent
_SERVE = """
import socket, sys, uvicorn
from eci_payments.sandbox import create_app
config = uvicorn.Config(create_app(sys.argv[1]), log_level="warning", access_log=False)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
"""


@contextmanager
def running_pages(record: Path) -> Iterator[str]:
    """The address of the sandbox's pages over this record."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(record), str(listening.fileno())],
            pass_fds=[listening.fileno()],
            env=os.environ | {"PYTHONPATH": str(TESTS)},
        )
    try:
        await_health(url)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox with its API, and what its verifiers read."""

    url: str
    record: Path
    pid: int

    def ask(self, verb: str, path: str, **about: object) -> httpx.Response:
        """A request of its administrator."""
        headers = {"Authorization": f"Bearer {API_KEY}"}
        return httpx.request(verb, self.url + path, headers=headers, **about)  # type: ignore[arg-type] # parts of a request

    def books(self) -> SimulatorRecord:
        """Its record, read beside it."""
        return SimulatorRecord(self.record)


@contextmanager
def running_sandbox(record: Path, **options: object) -> Iterator[Sandbox]:
    """The whole sandbox, as its own server runs it."""
    told = {"api_key": API_KEY, "hang_s": 3.0, "slow_s": 0.1} | options
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        told.setdefault("public_url", url)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "support.sandbox_server",
                str(record),
                str(listening.fileno()),
                json.dumps(told),
            ],
            pass_fds=[listening.fileno()],
            env=os.environ | {"PYTHONPATH": str(TESTS)},
        )
    try:
        await_health(url)
        yield Sandbox(url, record, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def await_health(url: str, within_s: float = 20.0) -> None:
    """Wait until it answers."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)
