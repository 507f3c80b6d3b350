"""Clients that get in each other's way at one order, over two processes: some order of their calls explains it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from proof.linear.workload import judged

if TYPE_CHECKING:
    from support.installation import Installation

ORDERS = 20


@pytest.fixture
def patience() -> dict[str, float]:
    """Silent gateways are given up soon; the lease is long, so that on a busy machine no call is held back."""
    return {"GATEWAY_TIMEOUT_S": 2, "OPERATION_LEASE_S": 60}


async def test_every_history_is_explained(installation: Installation):
    seed = secrets.randbelow(2**31)
    print(f"PYTHONPATH=tools python -m proof linearize --seed {seed} --orders {ORDERS}")
    addresses = [installation.processes.serve()[1] for _ in range(2)]
    installation.processes.work()
    tally = await judged(addresses, seed, ORDERS, at_once=ORDERS)
    assert tally.wrong == []
    assert tally.calls > ORDERS * 5
