from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eci_payments.delivery.peers import WANTED
from eci_payments.delivery.shapes import PeerName
from eci_payments.domain.ids import MerchantId
from eci_payments.domain.payment import PaymentStatus
from eci_payments.store.deliveries import list_deliveries
from eci_payments.store.fan_out import FannedOut, Subscription, add_cursors, events_behind, fan_out
from eci_payments.store.rows import PAYMENTS
from eci_payments.store.session import Database, run
from support.deliveries import nothing_runs_before_the_events
from support.shop import MERCHANT, Shop, event, payment

S = PaymentStatus
ALL = [Subscription(name, wants) for name, wants in WANTED.items()]


@pytest.fixture(autouse=True)
async def cursors(db: Database):
    async with db.write() as session:
        await add_cursors(session)
        await add_cursors(session)


async def walk(db: Database, events: int = 500, subscriptions: list[Subscription] = ALL) -> FannedOut:
    await nothing_runs_before_the_events(db)
    return await walk_now(db, events, subscriptions)


async def walk_now(db: Database, events: int = 500, subscriptions: list[Subscription] = ALL) -> FannedOut:
    async with db.write() as session:
        return await fan_out(session, subscriptions, events=events)


async def written(db: Database) -> list[tuple[int, int, str]]:
    async with db.read() as session:
        rows = await list_deliveries(session, MERCHANT, limit=1000)
    return sorted((row.payment_id, row.sequence, row.destination) for row in rows)


async def test_each_event_becomes_one_delivery_for_each_who_wants_it(db: Database, shop: Shop):
    await shop.told(S.PROCESSING, S.COMPLETED)
    await shop.told(S.FAILED)
    done = await walk(db)
    assert done == FannedOut(3, frozenset(PeerName))
    assert await written(db) == [
        (1, 1, "order"),
        (1, 2, "notification"),
        (1, 2, "order"),
        (2, 1, "inventory"),
        (2, 1, "notification"),
        (2, 1, "order"),
    ]
    assert await walk(db) == FannedOut(0, frozenset())


async def test_who_is_not_configured_gets_nothing(db: Database, shop: Shop):
    await shop.told(S.COMPLETED)
    assert await walk(db, subscriptions=[]) == FannedOut(1, frozenset())
    assert await written(db) == []


async def test_an_event_that_commits_late_is_not_skipped(db: Database, shop: Shop):
    (early, late) = await shop.told(S.PROCESSING, payments=2)
    await walk(db)
    async with db.write() as slow:
        await shop.moves(slow, late.payment_id, S.FAILED)
        await shop.goes_on(early.payment_id, S.COMPLETED)
        assert (await walk_now(db)).events == 0, "nothing behind a transaction that still runs is walked"
    assert (await walk(db)).events == 2
    assert (1, 2, "order") in await written(db)
    assert (2, 2, "order") in await written(db)


async def test_an_event_that_stands_behind_a_later_one_of_its_payment_is_taken_first(
    db: Database, shop: Shop
):
    """A transaction may get its number before it waits for the payment that another one holds."""
    (paid,) = await shop.told(S.PENDING)
    await walk(db)
    async with db.write() as numbered_first:
        await run(numbered_first, "SELECT pg_current_xact_id()")
        await shop.goes_on(paid.payment_id, S.PROCESSING)
        await shop.moves(numbered_first, paid.payment_id, S.COMPLETED)
    async with db.read() as session:
        walked = await run(session, "SELECT sequence FROM events ORDER BY committed_in, event_id")
    assert [row.sequence for row in walked] == [1, 3, 2], "the walk meets them in the wrong order"
    assert (await walk(db, events=1)).events == 1
    orders = [row for row in await written(db) if row[2] == "order"]
    assert orders == [(1, 1, "order"), (1, 2, "order"), (1, 3, "order")]
    before = await written(db)
    assert (await walk(db, events=1)).events == 1
    assert await written(db) == before, "taken twice, written once"


async def test_relays_side_by_side_write_each_delivery_once(db: Database, shop: Shop):
    await shop.told(S.PROCESSING, S.COMPLETED, payments=60)

    async def walk_all() -> int:
        walked = 0
        for _ in range(40):
            walked += (await walk(db, events=7)).events
        return walked

    assert sum(await asyncio.gather(*(walk_all() for _ in range(4)))) == 120
    rows = await written(db)
    assert len(rows) == len(set(rows)) == 60 * 3


async def test_a_cursor_that_is_held_is_passed_over(db: Database, shop: Shop):
    await shop.told(S.COMPLETED)
    await nothing_runs_before_the_events(db)
    async with db.write() as other:
        assert (await fan_out(other, ALL)).events == 1
        async with asyncio.timeout(5):
            assert (await walk_now(db)).events == 0
        await run(other, "ROLLBACK")
    assert (await walk(db)).events == 1


async def test_merchants_are_walked_apart(db: Database, shop: Shop, owner_url: str):
    owner = Database(owner_url)
    async with owner.write() as session:
        await run(session, "INSERT INTO merchants (merchant_id, name) VALUES (2, 'second')")
    await owner.close()
    await shop.told(S.COMPLETED)
    second = replace(payment(1, status=S.FAILED), merchant_id=MerchantId(2))
    async with db.write() as session:
        await run(session, PAYMENTS.insert(1), *PAYMENTS.values([second]))
        await shop.tell(session, [event(second)])
        await add_cursors(session)
    assert (await walk(db)).events == 2
    assert [row[2] for row in await written(db)] == ["notification", "order"]


async def test_how_far_the_walk_is_behind(db: Database, shop: Shop):
    await shop.told(S.PROCESSING, S.COMPLETED)
    async with db.read() as session:
        assert await events_behind(session) == 2
    await walk(db, events=1)
    async with db.read() as session:
        assert await events_behind(session) == 1
