"""``eci-payments standins``: small stand-ins for the services that are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.cli.pages import serve_pages
from eci_payments.settings import load
from eci_payments.standins import create_app

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL = "standins.sqlite3"


def run(journal: Path | None, host: str | None, port: int | None, parent: int | None, fd: int | None) -> None:
    """Run them until told to stop."""
    data_dir = load().data_dir
    if journal is None:
        data_dir.mkdir(parents=True, exist_ok=True)
    serve_pages(create_app(journal or data_dir / JOURNAL), host, port, parent, fd)
