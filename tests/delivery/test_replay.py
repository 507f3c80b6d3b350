from __future__ import annotations

import asyncio

import pytest

from eci_payments.domain.ids import DeliveryId, MerchantId
from eci_payments.domain.payment import PaymentStatus
from eci_payments.store.deliveries import (
    DeliveryState,
    Replayed,
    backlogs,
    list_deliveries,
    replay,
    replay_all_parked,
    replay_parked,
)
from eci_payments.store.session import Database
from support.deliveries import delivered, fan_out_all, parked, shown, states, take, time_passes
from support.shop import MERCHANT, Shop

S = PaymentStatus


async def again(db: Database, delivery_id: DeliveryId, merchant: MerchantId = MERCHANT) -> Replayed:
    async with db.write() as session:
        return await replay(session, merchant, delivery_id)


@pytest.fixture
async def first_is_parked(db: Database, shop: Shop) -> DeliveryId:
    """Two events of one payment; the first one's delivery to the order service is parked."""
    await shop.told(S.PROCESSING, S.COMPLETED)
    await fan_out_all(db)
    (first,) = (await take(db)).deliveries
    await parked(db, first)
    return first.delivery_id


async def test_a_replayed_delivery_begins_anew(db: Database, first_is_parked: DeliveryId):
    await time_passes(db, 100 * 3600)
    assert await again(db, first_is_parked) is Replayed.QUEUED
    (claimed,) = (await take(db)).deliveries
    assert (claimed.delivery_id, claimed.tries, claimed.age_s) == (first_is_parked, 1, 0.0)
    assert claimed.lease_epoch == 2, "a conclusion of the first claim can still not land"


async def test_what_a_later_one_has_overtaken_ends_superseded(db: Database, first_is_parked: DeliveryId):
    await delivered(db, *(await take(db)).deliveries)
    assert await again(db, first_is_parked) is Replayed.SUPERSEDED
    assert await states(db) == ["SUPERSEDED", "DELIVERED"]
    assert await again(db, first_is_parked) is Replayed.NOT_PARKED


async def test_a_replay_waits_for_a_later_one_that_is_on_its_way(db: Database, first_is_parked: DeliveryId):
    (second,) = (await take(db)).deliveries
    assert await again(db, first_is_parked) is Replayed.QUEUED
    assert not (await take(db)).deliveries, "the peer must not hear the older state last"
    await delivered(db, second)
    assert (await take(db)).superseded == 1
    assert await states(db) == ["SUPERSEDED", "DELIVERED"]


async def test_a_claim_that_does_not_see_the_replay_yet_does_not_overtake_it(
    db: Database, first_is_parked: DeliveryId
):
    async with db.write() as session:
        assert await replay(session, MERCHANT, first_is_parked) is Replayed.QUEUED
        assert not (await take(db)).deliveries
    (claimed,) = (await take(db)).deliveries
    assert claimed.delivery_id == first_is_parked


async def test_replays_and_claims_at_once_never_send_two_of_one_payment(
    db: Database, first_is_parked: DeliveryId
):
    for _ in range(30):
        claims = await asyncio.gather(take(db), again(db, first_is_parked), take(db), take(db))
        taken = [each for claim in claims if not isinstance(claim, Replayed) for each in claim.deliveries]
        assert len(taken) <= 1
        for each in taken:
            await parked(db, each)
            await again(db, each.delivery_id)
        await time_passes(db, 2)


async def test_a_replay_behind_an_earlier_one_waits_its_turn(db: Database, first_is_parked: DeliveryId):
    (second,) = (await take(db)).deliveries
    await parked(db, second)
    assert await again(db, second.delivery_id) is Replayed.QUEUED
    assert await again(db, first_is_parked) is Replayed.QUEUED
    await time_passes(db, 2)
    assert [each.delivery_id for each in (await take(db)).deliveries] == [first_is_parked]


@pytest.mark.parametrize("merchant", [MERCHANT, MerchantId(2)])
async def test_what_is_not_parked_or_not_there_is_said_so(db: Database, shop: Shop, merchant: MerchantId):
    await shop.told(S.COMPLETED)
    await fan_out_all(db)
    (row,) = await shown(db)
    expected = Replayed.NOT_PARKED if merchant == MERCHANT else Replayed.NOT_FOUND
    assert await again(db, row.delivery_id, merchant) is expected
    assert await again(db, DeliveryId(999_999), merchant) is Replayed.NOT_FOUND
    assert await states(db) == ["PENDING"]


async def test_all_parked_ones_of_a_destination_are_replayed_in_portions(db: Database, shop: Shop):
    await shop.told(S.COMPLETED, payments=5)
    await fan_out_all(db)
    for destination in ("order", "notification"):
        for claimed in (await take(db, destination)).deliveries:
            await parked(db, claimed)
    async with db.write() as session:
        portion = await replay_parked(session, MERCHANT, "order", limit=2)
        assert list(portion.values()) == [Replayed.QUEUED] * 2
        rest = await replay_parked(session, MERCHANT, "order", after=max(portion))
        assert len(rest) == 3
        assert not await replay_parked(session, MERCHANT, "order", after=max(rest))
    assert await states(db) == ["PENDING"] * 5
    assert await states(db, "notification") == ["PARKED"] * 5
    assert await replay_all_parked(db, MERCHANT) == {Replayed.QUEUED: 5, Replayed.SUPERSEDED: 0}
    assert await states(db, "notification") == ["PENDING"] * 5


async def test_an_inventory_replay_is_judged_by_what_is_paid_now(db: Database, shop: Shop):
    await shop.told(S.FAILED)
    await fan_out_all(db)
    (claimed,) = (await take(db, "inventory")).deliveries
    await parked(db, claimed)
    await shop.becomes(1, status="COMPLETED")
    assert await again(db, claimed.delivery_id) is Replayed.QUEUED
    assert (await take(db, "inventory")).superseded == 1


async def test_listing_is_by_state_and_destination_newest_first_and_in_pages(db: Database, shop: Shop):
    await shop.told(S.FAILED, payments=4)
    await fan_out_all(db)
    await parked(db, (await take(db, limit=1)).deliveries[0])
    async with db.read() as session:
        (only,) = await list_deliveries(session, MERCHANT, state=DeliveryState.PARKED)
        orders = await list_deliveries(session, MERCHANT, destination="order", limit=3)
        rest = await list_deliveries(session, MERCHANT, None, "order", 3, before=orders[-1].delivery_id)
        assert not await list_deliveries(session, MerchantId(2))
    assert (only.destination, only.last_status, only.last_error) == ("order", 410, "HTTP 410")
    assert (only.order_id, only.event_type, only.tries) == (str(only.payment_id), "payment.failed", 1)
    ids = [row.delivery_id for row in orders + rest]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 4


async def test_a_backlog_says_what_waits_and_for_how_long(db: Database, shop: Shop):
    await shop.told(S.COMPLETED, payments=3)
    await fan_out_all(db)
    await parked(db, (await take(db, limit=1)).deliveries[0])
    await delivered(db, *(await take(db, "notification")).deliveries)
    await time_passes(db, 500)
    async with db.read() as session:
        (order,) = await backlogs(session)
    assert (order.destination, order.pending, order.parked) == ("order", 2, 1)
    assert order.oldest_pending_s == pytest.approx(500, abs=10)
