"""Clients that get in each other's way at one order, over two processes: some order of their calls explains it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from proof.linear.workload import judged

if TYPE_CHECKING:
    from support.installation import Installation

ORDERS = 30


@pytest.fixture
def patience() -> dict[str, float]:
    """Nothing is killed here: long, so that on a busy machine no call is held back or given up."""
    return {"GATEWAY_TIMEOUT_S": 10, "OPERATION_LEASE_S": 60}


async def test_every_history_is_explained(installation: Installation):
    seed = secrets.randbelow(2**31)
    print(f"PYTHONPATH=tools python -m proof linearize --seed {seed} --orders {ORDERS}")
    addresses = [installation.processes.serve()[1] for _ in range(2)]
    calls, wrong = await judged(addresses, seed, ORDERS)
    assert wrong == []
    assert calls > ORDERS * 5
