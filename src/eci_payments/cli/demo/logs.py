"""What the demo's processes leave in the data folder: a bounded log each, and their process ids."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES = 10_000_000
"""A file that is longer makes room; one old one is kept, so that the demo never takes more than 20 MB a process."""
LOOK_EVERY_S = 5.0
TAIL_BYTES = 4096


class Logs:
    """``shown``: the processes write to our own output. ``started`` is set when the demo is ready."""

    def __init__(self, folder: Path, *, shown: bool) -> None:
        self.folder = folder / "logs"
        self.ids = folder / "run"
        self.shown = shown
        self.started = asyncio.Event()
        for each in (self.folder, self.ids):
            each.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def output(self, name: str) -> Iterator[int | None]:
        """What a process gets as its output; None is ours."""
        if self.shown:
            yield None
            return
        descriptor = os.open(self._file(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def last_line(self, name: str) -> str:
        """What a process said last; empty when that is not known."""
        if self.shown:
            return ""
        with self._file(name).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return lines[-1].removeprefix("eci-payments: ") if lines else ""

    def note_process(self, name: str, process_id: int) -> None:
        """Keep its process id, for whoever wants to kill it and see what happens."""
        (self.ids / f"{name}.pid").write_text(f"{process_id}\n")

    async def bound(self) -> None:
        """Keep every file below the bound, for as long as the demo runs."""
        while True:
            for path in self.folder.glob("*.log"):
                if path.stat().st_size > MAX_BYTES:
                    shutil.copyfile(path, path.with_suffix(".log.1"))
                    os.truncate(path, 0)  # its writer appends, and so goes on at the new end
            await asyncio.sleep(LOOK_EVERY_S)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.log"
