"""One installation per test: a database of its own, two `serve`, one `work`, the stand-in peers; or a whole town."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.installation import Installation
from support.processes import processes
from support.town import Town, database_server, town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from support.archived_server import ArchivedServer
    from support.postgres import Database


@pytest.fixture
def patience() -> dict[str, float]:
    """Short, so that recovery comes soon after a kill. On a busy machine a call may then be held back unsent."""
    return {"GATEWAY_TIMEOUT_S": 1, "OPERATION_LEASE_S": 1.5}


@pytest.fixture
def installation(tmp_path: Path, database: Database, patience: dict[str, float]) -> Iterator[Installation]:
    settings = {
        "DATA_DIR": tmp_path,
        "DATABASE_URL": database.service_url,
        "MIGRATION_DATABASE_URL": database.owner_url,
        "GATEWAYS": "simulator",
        **patience,
        "DELIVERY_TIMEOUT_S": 1,
        "DB_POOL_SIZE": 4,
        "REQUIRE_RESTRICTED_ROLE": "on",
    }
    with processes(tmp_path / "processes", **settings) as made:
        standins_url = made.standins()
        for peer in ("ORDER", "INVENTORY", "NOTIFICATION"):
            made.environment[f"{peer}_SERVICE_URL"] = standins_url
        yield Installation(tmp_path, database, made, standins_url)


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter, for as long as the test lasts.

    Not below pytest's own: that one is closed to others again by whichever run of pytest begins next.
    """
    folder = Path(tempfile.mkdtemp(prefix="eci-town-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def server(ground: Path) -> AsyncIterator[ArchivedServer]:
    """A PostgreSQL of the test's own, with an empty database."""
    async with database_server(ground) as made:
        yield made


@pytest.fixture
async def a_town(
    tmp_path: Path, server: ArchivedServer, record_property: Callable[[str, object], None]
) -> AsyncIterator[Town]:
    """A service over a PostgreSQL of its own, each part reached by a line that can fail."""
    async with town(tmp_path, server, record_property) as made:
        yield made
