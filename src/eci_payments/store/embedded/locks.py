"""File locks that the kernel gives back when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eci_payments.store.embedded.errors import DataDirInUse, EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL_S = 0.02
"""How often a taken lock is tried again: short against a server's start of some tenths of a second."""


class FileLock:
    """One ``flock`` on one file. Not re-entrant; the file stays, since removing it would let two holders in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def take(self, *, shared: bool = False) -> bool:
        """Take the lock if it is free now; whether it was."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def wait(self, timeout_s: float, *, shared: bool = False) -> None:
        """Take the lock within ``timeout_s``. Raises EmbeddedError when others keep it longer."""
        deadline = time.monotonic() + timeout_s
        while not self.take(shared=shared):
            if time.monotonic() > deadline:
                raise EmbeddedError(f"another process has held {self.path} for more than {timeout_s:g} s")
            time.sleep(POLL_S)

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def note(self, text: str) -> None:
        """Write who holds the lock into its file, for the message that the next one gets."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)

    @contextmanager
    def holding(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock for a block. Raises EmbeddedError when others keep it longer than ``timeout_s``."""
        self.wait(timeout_s)
        try:
            yield
        finally:
            self.release()


@contextmanager
def claim_data_dir(data_dir: Path) -> Iterator[None]:
    """Have ``data_dir`` for this process alone while the block runs. Raises DataDirInUse when another has it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(data_dir / "lock")
    if not lock.take():
        holder = lock.path.read_text().strip() or "another process"
        raise DataDirInUse(
            f"the data folder {data_dir} is in use by {holder}: stop it, or choose another DATA_DIR"
        )
    lock.note(f"process {os.getpid()}")
    try:
        yield
    finally:
        lock.release()
