"""The running server of a cluster, as its ``postmaster.pid`` and the kernel tell it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from eci_payments.store.embedded.errors import EmbeddedError
from eci_payments.store.embedded.locks import POLL_S

STOP_TIMEOUT_S = 30
"""A fast shutdown writes one checkpoint; past this the server is told to stop at once and recovers when it starts."""
_STATUS_LINE = 7


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server process that lives and works on our cluster."""

    process: psutil.Process
    ready: bool

    def stop(self) -> None:
        """Shut down: sessions are ended, a checkpoint is written. Raises EmbeddedError when it will not end."""
        for number in (signal.SIGINT, signal.SIGQUIT):
            with suppress(psutil.NoSuchProcess):
                self.process.send_signal(number)
            if self._ends_within(STOP_TIMEOUT_S):
                return
        raise EmbeddedError(f"the embedded PostgreSQL (process {self.process.pid}) does not stop")

    def _ends_within(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while _is_alive(self.process):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def running_postmaster(cluster: Path) -> Postmaster | None:
    """The live server of ``cluster``, or None. A process that merely got the same number later is not it."""
    lines = _pid_file_lines(cluster)
    if not lines or not lines[0].strip().isdigit():
        return None
    try:
        process = psutil.Process(int(lines[0]))
        ours = _is_alive(process) and Path(process.cwd()).samefile(cluster)
    except (psutil.Error, OSError):
        return None
    ready = len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"
    return Postmaster(process, ready) if ours else None


def disown_stale_pid(cluster: Path) -> None:
    """Let a server start whose predecessor's number now belongs to another process (usual in containers).

    PostgreSQL would take that process for the old server. It takes no notice of the process that it is told in
    PG_GRANDPARENT_PID, so that our number is written instead of removing the file: with it would go the shared memory
    id by which PostgreSQL makes sure that no process of the old server is still at work on the files. Only to be
    called when ``running_postmaster`` is None.
    """
    lines = _pid_file_lines(cluster)
    if lines and lines[0].strip().isdigit() and psutil.pid_exists(int(lines[0])):
        lines[0] = f"{os.getpid()}\n"
        (cluster / "postmaster.pid").write_text("".join(lines))


def _is_alive(process: psutil.Process) -> bool:
    """Whether it still does anything: one that has ended may stand in the list until some parent asks for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _pid_file_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return []
