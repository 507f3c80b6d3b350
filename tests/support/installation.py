"""One installation of the service, as a test sees it: its database, its files, its processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import Database
    from support.processes import Processes


@dataclass(slots=True)
class Installation:
    """Where everything of one test lies. The gateway's answers and leases are quick, so that a test is."""

    folder: Path
    database: Database
    processes: Processes
    standins_url: str

    @property
    def simulator_record(self) -> Path:
        return self.folder / "simulator.sqlite3"

    @property
    def journal(self) -> Path:
        return self.folder / "standins.sqlite3"
