"""Many at once, over several processes: one order is paid once, one key is one request, refunds stay within."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from eci_payments.gateways.adapters.simulator.record import SimulatorRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.installation import Installation

BODY = {"order_id": "order-1", "user_id": 7, "amount": "100.00", "payment_method": "UPI"}


@pytest.fixture
def patience() -> dict[str, float]:
    """Nothing is killed here: long, so that on a busy machine no call is held back or given up."""
    return {"GATEWAY_TIMEOUT_S": 10, "OPERATION_LEASE_S": 60}


@pytest.fixture
async def serves(installation: Installation) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two `serve` processes over one database, as their clients."""
    limits = httpx.Limits(max_connections=None)
    clients = [
        httpx.AsyncClient(base_url=installation.processes.serve()[1], timeout=60, limits=limits)
        for _ in range(2)
    ]
    yield clients
    for client in clients:
        await client.aclose()


def takings(installation: Installation) -> list[int]:
    """What the gateway's own record says was taken, one amount for each time, in minor units."""
    record = SimulatorRecord(installation.simulator_record)
    try:
        return [each.amount_minor for each in record.movements() if each.kind == "taken"]
    finally:
        record.close()


def returned(installation: Installation) -> list[int]:
    record = SimulatorRecord(installation.simulator_record)
    try:
        return [each.amount_minor for each in record.movements() if each.kind == "refunded"]
    finally:
        record.close()


async def test_two_hundred_charges_with_one_key_are_one_payment(installation, serves):
    answers = await asyncio.gather(
        *(
            serves[number % 2].post("/v1/payments/charge", json=BODY, headers={"Idempotency-Key": "one"})
            for number in range(200)
        )
    )
    bodies = {answer.content for answer in answers if answer.status_code == 201}
    assert len(bodies) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert set(refused) <= {"idempotency_key_in_flight"}
    assert takings(installation) == [10000]


async def test_fifty_charges_of_one_order_with_keys_of_their_own_are_one_payment(installation, serves):
    answers = await asyncio.gather(
        *(
            serves[number % 2].post(
                "/v1/payments/charge", json=BODY, headers={"Idempotency-Key": f"key-{number}"}
            )
            for number in range(50)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    assert takings(installation) == [10000]


async def test_fifty_refunds_of_sixty_on_a_hundred_are_one_refund(installation, serves):
    charged = await serves[0].post("/v1/payments/charge", json=BODY, headers={"Idempotency-Key": "one"})
    path = f"/v1/payments/{charged.json()['payment_id']}/refund"
    refund = {"amount": "60.00", "reason": "it came back"}
    answers = await asyncio.gather(
        *(
            serves[number % 2].post(path, json=refund, headers={"Idempotency-Key": f"refund-{number}"})
            for number in range(50)
        )
    )
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[200] == 1
    assert statuses.keys() <= {200, 409, 422}
    assert returned(installation) == [6000]
    payment = (await serves[1].get(f"/v1/payments/{charged.json()['payment_id']}")).json()
    assert (payment["status"], payment["amount_refunded_minor"]) == ("PARTIALLY_REFUNDED", 6000)
