"""The service as its own processes, started, killed and started again by tests."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from eci_payments import cli
from eci_payments.settings import declared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMAND = (sys.executable, "-m", "eci_payments")
START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 20.0
ADDRESS = re.compile(r"http://[0-9.]+:[0-9]+")


def plain_environment(**settings: object) -> dict[str, str]:
    """Our environment without any setting of the service, and then these."""
    names = {name.upper() for name in declared()}
    kept = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in names}
    return kept | {name: str(value) for name, value in settings.items()}


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ran to its end."""

    returncode: int | None
    stdout: str
    stderr: str


class Forked:
    """A command of ours in a process forked from one that has imported everything: as `subprocess.Popen` has it."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str], out: Path, err: Path) -> None:
        self._process = _forked.Process(target=_command, args=(arguments, environment, out, err), daemon=True)
        self._process.start()
        self.pid: int = self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("eci-payments", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def run_command(*arguments: str, environment: dict[str, str], timeout_s: float = 60.0) -> Ended:
    """Run a command of ours to its end."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = Forked(arguments, environment, out, err)
        try:
            code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            code = None
        return Ended(code, *(path.read_text(errors="replace") for path in (out, err)))


def _command(arguments: tuple[str, ...], environment: dict[str, str], out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in ((0, Path(os.devnull)), (1, out), (2, err)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), descriptor)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(each, "w", buffering=1, closefd=False) for each in (1, 2))
    sys.argv = ["eci-payments", *arguments]
    cli.main()


_forked = multiprocessing.get_context("forkserver")
_forked.set_forkserver_preload(
    [
        "pytest",
        "support.processes",
        "anyio._backends._asyncio",
        *(
            f"eci_payments.cli.{each}"
            for each in ("migrate", "sandbox", "serve", "standins", "verify", "work")
        ),
    ]
)


PORTS = range(20000, 32768)
"""Below those that a system lends to whoever connects somewhere (Linux: from 32768 on): none is taken in passing."""


def free_port() -> int:
    """A port that was free a moment ago."""
    while True:
        port = secrets.choice(PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass(slots=True)
class Running:
    """One process of ours, and the file in which it writes."""

    name: str
    process: subprocess.Popen[bytes] | Forked
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str) -> str:
        """The line in which it says so."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            for line in self.said.splitlines():
                if text in line:
                    return line
            if self.process.poll() is not None:
                break
            time.sleep(0.03)
        raise AssertionError(f"{self.name} never said {text!r}: {self.said[-3000:]}")

    def kill(self) -> None:
        """SIGKILL: it has no time for anything."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM; its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)


@dataclass(slots=True)
class Processes:
    """Starts commands of ours in one environment, and ends whatever is left.

    They are forked from a process that has imported everything, or started anew where there is a ``command``.
    """

    folder: Path
    environment: dict[str, str]
    command: Sequence[str] = ()
    running: list[Running] = field(default_factory=list)
    _started: int = 0

    def start(self, *arguments: str, **settings: object) -> Running:
        self._started += 1
        log = self.folder / f"{self._started}-{arguments[0]}.log"
        environment = self.environment | {name: str(value) for name, value in settings.items()}
        self.running.append(Running(arguments[0], self._begun(arguments, environment, log), log))
        return self.running[-1]

    def _begun(
        self, arguments: tuple[str, ...], environment: dict[str, str], log: Path
    ) -> subprocess.Popen[bytes] | Forked:
        log.touch()
        if not self.command:
            return Forked(arguments, environment, log, log)
        with log.open("wb") as output:
            return subprocess.Popen(
                [*self.command, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def serve(self, port: int = 0, **settings: object) -> tuple[Running, str]:
        """A `serve` that is ready, and its address."""
        started = self.start("serve", "--port", str(port), **settings)
        address = json.loads(started.wait_for('"listens_on"'))["listens_on"]
        return started, address

    def work(self, **settings: object) -> Running:
        """A `work` that is at work."""
        started = self.start("work", **settings)
        started.wait_for('"working"')
        return started

    def standins(self) -> str:
        """The stand-in peers' address."""
        found = ADDRESS.search(self.start("standins").wait_for("http://"))
        assert found
        return found.group(0)

    def kill_all(self) -> None:
        for each in self.running:
            if each.process.poll() is None:
                each.kill()


@contextlib.contextmanager
def processes(folder: Path, **settings: object) -> Iterator[Processes]:
    """Processes with these settings; all that still run are killed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Processes(folder, plain_environment(**settings))
    try:
        yield made
    finally:
        made.kill_all()
