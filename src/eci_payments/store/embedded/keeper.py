"""The parent of one embedded server: ``keeper.py START_LOCK USERS_LOCK LINGER_S SOCKETS REMOVE PROGRAM ARGUMENT…``.

It outlives whoever started it, reaps the server, and stops it (a fast shutdown) when no process has used it for
LINGER_S seconds, so that a service that was killed leaves no server behind and one that comes back soon finds it
running. Of the folders SOCKETS is removed when the server has left it empty, and REMOVE, unless it is no name, with all
that is in it. The first process forks and ends at once; standard output stays open as long as the server lives, so that
the reader of it learns of its end.

Runs by itself under ``python -I -S``: the standard library only, nothing of this package.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time

POLL_S = 0.5
"""How often it is looked whether anybody uses the server; a try of a lock costs some microseconds."""


def main(arguments: list[str]) -> int:
    """Run the server until it ends or nobody wants it."""
    start_lock, users_lock, linger_s, sockets, remove, *command = arguments
    if os.fork():
        return 0
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # who stops everything at once stops the users, and we follow them
        signal.signal(number, signal.SIG_IGN)
    _watch(server, start_lock, users_lock, float(linger_s))
    os.close(1)
    _tidy(start_lock, sockets, remove)
    return server.returncode


def _tidy(start_lock: str, sockets: str, remove: str) -> None:
    """Under the start lock, so that the folder is not taken from a server that is just being started in it."""
    descriptor = os.open(start_lock, os.O_RDWR) if os.path.exists(start_lock) else None  # noqa: PTH110 - as in _watch
    try:
        if descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            os.rmdir(sockets)  # noqa: PTH106 - as in _watch
        if remove:
            shutil.rmtree(remove, ignore_errors=True)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _watch(server: subprocess.Popen[bytes], start_lock: str, users_lock: str, linger_s: float) -> None:
    used_at = time.monotonic()
    while not _ends_within(server, POLL_S):
        if not os.path.exists(users_lock):  # noqa: PTH110 - pathlib costs more to import than all else here
            _stop(server)  # the data folder is gone
        elif not _is_free(users_lock):
            used_at = time.monotonic()
        elif time.monotonic() - used_at >= linger_s:
            _stop_unless_wanted(server, start_lock, users_lock)


def _ends_within(server: subprocess.Popen[bytes], timeout_s: float) -> bool:
    try:
        server.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop_unless_wanted(server: subprocess.Popen[bytes], start_lock: str, users_lock: str) -> None:
    """Under the start lock, so that nobody is just about to use it."""
    descriptor = os.open(start_lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_free(users_lock):
            _stop(server)
    finally:
        os.close(descriptor)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)
    server.wait()


def _is_free(users_lock: str) -> bool:
    descriptor = os.open(users_lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
