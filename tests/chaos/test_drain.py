"""SIGTERM: what was accepted is answered, and the process is gone; `Running.stop` waits for it so long, no longer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import httpx

from support.customers import DONE_UNSAID
from support.waiting import until

if TYPE_CHECKING:
    from support.installation import Installation

SLOW_MINOR = 31
"""Approved, with an answer that takes a second."""


async def test_what_was_accepted_is_answered(installation: Installation):
    running, address = installation.processes.serve()

    async def charge(client: httpx.AsyncClient, number: int) -> httpx.Response:
        ending = SLOW_MINOR if number % 2 else DONE_UNSAID
        body = {
            "order_id": f"order-{number}",
            "user_id": 7,
            "amount": f"100.{ending}",
            "payment_method": "UPI",
        }
        return await client.post(
            f"{address}/v1/payments/charge", json=body, headers={"Idempotency-Key": f"key-{number}"}
        )

    async with httpx.AsyncClient(timeout=20) as client:
        asked = [asyncio.create_task(charge(client, number)) for number in range(30)]
        await until(lambda: begun(installation.database.owner_url, len(asked)))
        code = await asyncio.to_thread(running.stop)
        answers = await asyncio.gather(*asked)
    assert code == 0
    assert {answer.status_code for answer in answers} <= {201, 202}


async def begun(owner_url: str, operations: int) -> bool:
    """Whether so many operations are committed: their requests were accepted."""
    connection = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        return bool(await connection.fetchval("SELECT count(*) FROM operations") == operations)
    finally:
        await connection.close()


async def test_work_ends(installation: Installation):
    worker = installation.processes.work()
    assert await asyncio.to_thread(worker.stop) == 0
