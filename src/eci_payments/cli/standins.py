"""``eci-payments standins``: small stand-ins for the services that are told."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from eci_payments.cli.errors import WRONG_SETTING, CommandError
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
    path = journal or data_dir / JOURNAL
    try:
        app = create_app(path)
    except sqlite3.Error as error:
        raise CommandError(f"the journal {path} cannot be used: {error}", WRONG_SETTING) from None
    serve_pages(app, host, port, parent, fd)
