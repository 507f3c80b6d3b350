"""What a release says that it consists of."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

from shipped import builds_only, shipped

LOCK = Path(__file__).parents[2] / "requirements.lock"


def names(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)", lock, re.MULTILINE))


def test_the_bill_of_materials_has_what_runs_and_nothing_that_only_builds():
    told = names(shipped(LOCK.read_text(), builds_only()))
    ours = {Requirement(each).name for each in requires("eci-payments") or []}
    assert ours <= told
    assert names(LOCK.read_text()) - told == builds_only() & names(LOCK.read_text())
    assert "hatchling" not in told


def test_whatever_is_left_out_nothing_that_runs_needs():
    """Of what is installed here; the image's build asks `pip check` the same."""
    told = names(shipped(LOCK.read_text(), builds_only()))
    needed = {
        Requirement(each).name.lower()
        for name in told & {"alembic", "fastapi", "sqlalchemy", "typer", "uvicorn", "aiohttp"}
        for each in requires(name) or []
        if "extra ==" not in each
    }
    assert needed & builds_only() == set()
