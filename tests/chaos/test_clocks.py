"""Processes whose clocks are minutes apart: leases, due times and expiries are the database's, so nobody notices."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest

from support import clocks
from support.town import ALL, LEASE_S, survives, town

if TYPE_CHECKING:
    from pathlib import Path

    from support.archived_server import ArchivedServer
    from support.town import Town

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not ALL, reason="`make chaos` does it"),
    pytest.mark.skipif(clocks.library() is None, reason=f"libfaketime is missing (Debian: {clocks.PACKAGE})"),
]
APART_S = 300
EXPIRY_MIN = 4
"""Less than the clocks are apart, and more than the test takes."""
CREATED = 5


async def test_two_workers_with_clocks_five_minutes_apart(
    tmp_path: Path, server: ArchivedServer, record_property
):
    """And two `serve`. What was created and not charged stays for its time; a stopped worker's leases end in theirs."""
    ahead, behind = clocks.wrong_by(APART_S // 2), clocks.wrong_by(-APART_S // 2)
    async with town(
        tmp_path,
        server,
        record_property,
        gateway_apart=True,
        workers=(ahead, behind),
        serves=(ahead, behind),
        command=(sys.executable, "-m", "eci_payments"),
        PENDING_EXPIRY_MIN=EXPIRY_MIN,
    ) as made:
        assert await _clocks_apart_s(made) > APART_S - 30
        created = [await _created(made, number) for number in range(CREATED)]

        workers = [each.process for each in made.running.running if each.name == "work"]

        async def outage() -> None:
            for worker in workers:
                worker.send_signal(signal.SIGSTOP)
                await asyncio.sleep(1.5 * LEASE_S)
                worker.send_signal(signal.SIGCONT)

        await survives(made, outage)
        assert await _statuses(made, created) == ["PENDING"] * CREATED


async def _clocks_apart_s(made: Town) -> float:
    """By what the two `serve` say the time is."""
    async with httpx.AsyncClient() as client:
        said = [(await client.get(f"{base}/health")).json()["timestamp"] for base in made.serves]
    first, second = (datetime.fromisoformat(each) for each in said)
    return abs((first - second).total_seconds())


async def _created(made: Town, number: int) -> int:
    """A payment that is created and not charged, at one `serve` or the other."""
    base = list(made.serves)[number % 2]
    body = {"order_id": f"waits-{number}", "user_id": 1, "amount": "10.00", "payment_method": "UPI"}
    async with httpx.AsyncClient(base_url=base) as client:
        answer = await client.post("/v1/payments", json=body, headers={"Idempotency-Key": f"waits-{number}"})
    assert answer.status_code == 201, answer.text
    payment_id: int = answer.json()["payment_id"]
    return payment_id


async def _statuses(made: Town, payments: list[int]) -> list[str]:
    connection = await asyncpg.connect(made.owner_url)
    try:
        rows = await connection.fetch(
            "SELECT status FROM payments WHERE payment_id = ANY ($1::bigint[])", payments
        )
    finally:
        await connection.close()
    return [row["status"] for row in rows]
