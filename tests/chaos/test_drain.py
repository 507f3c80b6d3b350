"""SIGTERM: what was accepted is answered, and the process is gone within ten seconds."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx

from support.customers import DONE_UNSAID

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
        await asyncio.sleep(0.4)
        begun = time.monotonic()
        code = await asyncio.to_thread(running.stop)
        assert time.monotonic() - begun < 10
        answers = await asyncio.gather(*asked)
    assert code == 0
    assert {answer.status_code for answer in answers} <= {201, 202}


async def test_work_ends_within_ten_seconds(installation: Installation):
    worker = installation.processes.work()
    begun = time.monotonic()
    assert await asyncio.to_thread(worker.stop) == 0
    assert time.monotonic() - begun < 10
