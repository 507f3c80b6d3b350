"""One installation per test: a database of its own, two `serve`, one `work`, the stand-in peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.installation import Installation
from support.processes import processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
