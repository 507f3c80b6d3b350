"""A demo of one test, with its own port and data."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from support.processes import ADDRESS, COMMAND, Processes, Running, free_port, processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(slots=True)
class Demo:
    """A running demo: its page, its data."""

    running: Running
    folder: Path
    made: Processes
    page: str

    def curls(self) -> list[str]:
        """The commands that it printed."""
        return [line for line in self.page.splitlines() if line.startswith("curl ")]

    def address(self, name: str) -> str:
        """An address that it printed, by the name before it."""
        (line,) = (line for line in self.page.splitlines() if line.strip().startswith(f"{name} "))
        found = ADDRESS.search(line)
        assert found
        return found.group(0)

    def pid(self, name: str) -> int:
        return int((self.folder / "run" / f"{name}.pid").read_text())


@contextmanager
def demo(folder: Path, port: int | None = None, **settings: object) -> Iterator[Demo]:
    """A demo with its own port and data. Killed at the end, with what it started, unless it was stopped."""
    given = {"DATA_DIR": folder, "SERVICE_PORT": port or free_port(), **settings}
    with processes(folder.parent / "out", **given) as made:
        made.command = COMMAND
        running = made.start("demo")
        running.wait_for("/refund ")
        children = psutil.Process(running.process.pid).children()
        yield Demo(running, folder, made, running.said)
        running.kill()
        _, alive = psutil.wait_procs(children, timeout=15)
        assert alive == []
