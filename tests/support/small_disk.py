"""A disk of a few megabytes that a test fills: a tmpfs of its own."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECE = bytes(4096)


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """Mounted at ``folder``."""

    folder: Path

    @property
    def filler(self) -> Path:
        """Somebody else's file, which takes what is left."""
        return self.folder / "somebody-elses"

    def fill(self) -> None:
        """Take what is left, to the last block. Again and again while somebody gives some back."""
        with self.filler.open("ab", buffering=0) as filler:
            try:
                while filler.write(PIECE) == len(PIECE):
                    pass
            except OSError:  # no space left on device
                return

    def free(self) -> None:
        """Give it all back."""
        self.filler.unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """An empty disk at this folder while the block lasts. Skips the test where nothing can be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"there is no mount here: {error}")
    if mounted.returncode:
        why = "not as this user" if os.geteuid() else mounted.stderr.strip()
        pytest.skip(f"no tmpfs can be mounted here: {why}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
