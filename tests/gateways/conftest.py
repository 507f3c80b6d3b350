"""A simulator for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    made = Simulator(tmp_path / "simulator.sqlite3")
    yield made
    await made.gateway.close()
