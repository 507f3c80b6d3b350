"""Where throw-away databases and files of tests lie: in memory, where there is enough of it.

A database of one test is some three hundred files, made and removed again within a second. On ext4 each new file
steps over all that were removed in the last seconds (``recently_deleted`` in the kernel's ialloc.c): with hundreds of
such databases that was two fifths of all the time that this machine's processors worked.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it, closed to others
ENOUGH_BYTES = 6 << 30
"""Twice what a server's journal grows to before it is used again, and some databases."""


def root() -> Path:
    """The folder for temporary folders."""
    has_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES
    return MEMORY if has_memory else Path(tempfile.gettempdir())


def folder(prefix: str) -> Path:
    """A new folder, which whoever asked for it removes."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=root()))
