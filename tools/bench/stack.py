"""What is measured: the embedded PostgreSQL, made for this run, and `serve` processes on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import asyncpg

from eci_payments.store.embedded import EmbeddedPostgres
from eci_payments.store.embedded.cluster import ADMIN_ROLE, DATABASE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.load import Address

START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Stack:
    """The running server and where the service answers."""

    server: EmbeddedPostgres
    addresses: list[Address]
    environment: dict[str, str]
    pids: list[int]
    """The `serve` processes, in the order of their addresses."""

    def checkpoint(self) -> None:
        """Write out what the last run left, so that each begins alike."""
        asyncio.run(self._execute("CHECKPOINT"))

    def analyze(self) -> None:
        """Gather statistics as autovacuum would within a minute: plans made while tables were empty are made anew."""
        asyncio.run(self._execute("ANALYZE"))

    def ask(self, sql: str, *values: object) -> list[Any]:
        """The rows of one statement, as the administrator of the database that the service uses."""
        return asyncio.run(self._ask(sql, *values))

    async def _execute(self, sql: str) -> None:
        admin = await asyncpg.connect(self.admin_url)
        try:
            await admin.execute(sql)
        finally:
            await admin.close()

    async def _ask(self, sql: str, *values: object) -> list[Any]:
        admin = await asyncpg.connect(self.admin_url)
        try:
            return list(await admin.fetch(sql, *values))
        finally:
            await admin.close()

    @property
    def admin_url(self) -> str:
        """For asyncpg."""
        database = self.environment.get("BENCH_DATABASE", DATABASE)
        return self.server.url(ADMIN_ROLE, database).replace("+asyncpg", "")

    def charge(self, order: str) -> dict[str, Any]:
        """Charge one order over HTTP."""
        body = {"order_id": order, "user_id": 100_000, "amount": "1499.00", "payment_method": "UPI"}
        host, port = self.addresses[0]
        request = urllib.request.Request(
            f"http://{host}:{port}/v1/payments/charge",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Idempotency-Key": order},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own process, over HTTP
            charged: dict[str, Any] = json.load(answer)
            return charged

    def command(self, name: str, **settings: str) -> None:
        """Run a command of ours to its end. Raises CalledProcessError."""
        environment = self.environment | settings
        subprocess.run([*COMMAND, name], env=environment, check=True, stdout=subprocess.DEVNULL)

    @contextmanager
    def worker(self) -> Iterator[int]:
        """A `work` process while the block lasts; its process number."""
        log = Path(self.environment["DATA_DIR"]) / "work.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*COMMAND, "work"], env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield process.pid
            if process.poll() is not None:
                raise RuntimeError(f"work ended: {log.read_text()[-1000:]}")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def verify(self) -> tuple[int, str]:
        """The exit code and the words of `eci-payments verify`."""
        done = subprocess.run(
            [*COMMAND, "verify"], env=self.environment, capture_output=True, text=True, check=False
        )
        return done.returncode, (done.stdout + done.stderr).strip()


COMMAND = [sys.executable, "-m", "eci_payments"]


@contextmanager
def stack(folder: Path, serves: int, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Stack]:
    """A migrated database in a new folder below ``folder`` (the same disk as the service's own), and the service.

    ``settings`` come on top of the defaults.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data_dir = Path(tempfile.mkdtemp(prefix="bench-", dir=folder))
    environment = {
        **without_settings(),
        "DATA_DIR": str(data_dir),
        "GATEWAYS": "simulator",
        "SIMULATOR_DB": ":memory:",
        **settings,
    }
    try:
        with EmbeddedPostgres(data_dir):
            server = EmbeddedPostgres(data_dir)
            migrated(environment)
            with contextlib.ExitStack() as running:
                yield serving(running, server, environment, serves)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


def migrated(environment: dict[str, str]) -> None:
    """Bring the schema of this environment's database up to date."""
    subprocess.run([*COMMAND, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)


def serving(
    running: contextlib.ExitStack, server: EmbeddedPostgres, environment: dict[str, str], serves: int
) -> Stack:
    """`serve` processes on a database that is there, until ``running`` ends."""
    logs = Path(environment["DATA_DIR"])
    started = [
        running.enter_context(_serve(environment, Path(tempfile.mktemp(".log", "serve-", logs))))  # noqa: S306 - our own folder
        for _ in range(serves)
    ]
    return Stack(server, [address for address, _ in started], environment, [pid for _, pid in started])


def without_settings() -> dict[str, str]:
    """The environment without settings of the service: what is measured are its defaults."""
    from eci_payments.settings import declared  # noqa: PLC0415 - only who starts a stack needs it

    names = {name.upper() for name in declared()}
    return {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in names}


@contextmanager
def _serve(environment: dict[str, str], log: Path) -> Iterator[tuple[Address, int]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0"], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield _address(process, log), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> Address:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict) and said.get("listens_on"):
                    host, _, port = said["listens_on"].removeprefix("http://").rpartition(":")
                    return host, int(port)
        time.sleep(0.05)
    raise RuntimeError(f"serve did not start: {log.read_text()[-1000:]}")
