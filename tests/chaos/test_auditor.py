"""The auditor sees what it is there to see: each kind of wrong, made by hand, is named."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import httpx

from support.auditor import auditor
from support.waiting import until

if TYPE_CHECKING:
    from support.installation import Installation


async def test_every_kind_of_wrong_is_named(installation: Installation):
    address = installation.processes.serve()[1]
    installation.processes.work()
    body = {"order_id": "order-1", "user_id": 7, "amount": "100.00", "payment_method": "UPI"}
    async with httpx.AsyncClient(base_url=address) as client:
        charged = await client.post("/v1/payments/charge", json=body, headers={"Idempotency-Key": "one"})
    assert charged.json()["status"] == "COMPLETED"
    books = await auditor(
        installation.database.owner_url, installation.simulator_record, installation.journal
    )
    try:
        await until(books.drained)
        assert await books.wrong_money() == []
        assert await books.wrong_deliveries() == []
        assert await books.stock_of_paid() == []

        await books.connection.execute("UPDATE ledger_entries SET amount_minor = amount_minor + 1")
        assert len(await books.wrong_money()) == 1
        await books.connection.execute("DELETE FROM ledger_entries")
        await books.connection.execute("UPDATE payments SET transaction_id = 'TXNOTHER'")
        assert any("unknown to us" in each for each in await books.wrong_money())

        with sqlite3.connect(installation.journal) as journal:
            journal.execute(
                "INSERT INTO received (received_at, peer, method, path, order_id, answered, repeat, body)"
                " VALUES ('2999-01-01T00:00:00+00:00', 'inventory', 'POST', '/', 'order-1', 200, 0, '{}')"
            )
            journal.execute("UPDATE received SET idempotency_key = 'another'")
        assert await books.stock_of_paid() == ["order-1"]
        assert len(await books.wrong_deliveries()) == 2  # the order and the notification service
    finally:
        await books.connection.close()
