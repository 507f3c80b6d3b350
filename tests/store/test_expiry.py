"""Idempotency keys are forgotten after their window, and never while their operation is open."""

from __future__ import annotations

from datetime import timedelta

from eci_payments.gateways.contract import Pending, Unknown
from eci_payments.store.expiry import expire_keys
from eci_payments.store.session import run
from support.world import APPROVED

DAY = timedelta(hours=24)


async def keys(database):
    async with database.read() as session:
        rows = await run(session, "SELECT operation_id FROM idempotency_keys ORDER BY operation_id")
    return [row.operation_id for row in rows]


async def age(database, hours):
    async with database.write() as session:
        await run(
            session,
            "UPDATE idempotency_keys SET created_at = created_at - make_interval(hours => $1),"
            " completed_at = completed_at - make_interval(hours => $1)",
            hours,
        )


async def expire(database, limit=1000):
    async with database.write() as session:
        return await expire_keys(session, DAY, limit)


async def test_a_key_is_kept_for_its_window(shop, service):
    await shop.charge(APPROVED)
    await age(service, 23)
    assert await expire(service) == 0
    await age(service, 2)
    assert await expire(service) == 1
    assert await keys(service) == []


async def test_a_key_whose_operation_is_open_never_expires(shop, service):
    waiting = await shop.charge(Pending("ref"))  # answered, and not concluded
    await shop.charge(Unknown("time-out"))
    await shop.charge()
    await age(service, 1000)
    assert await expire(service) == 0
    async with service.read() as session:
        (row,) = await run(session, "SELECT open_operation_id FROM payments WHERE payment_id = $1", waiting)
    await shop.answer(waiting, row.open_operation_id, APPROVED)
    assert await expire(service) == 1
    assert len(await keys(service)) == 2


async def test_keys_go_in_small_batches_oldest_first(shop, service):
    for _ in range(5):
        await shop.charge(APPROVED)
    before = await keys(service)
    await age(service, 1000)
    assert [await expire(service, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert len(before) == 5


async def test_a_key_that_somebody_holds_is_left_for_later(shop, service):
    await shop.charge(APPROVED)
    await age(service, 1000)
    async with service.write() as other:
        await run(other, "SELECT 1 FROM idempotency_keys FOR UPDATE")
        assert await expire(service) == 0
    assert await expire(service) == 1
