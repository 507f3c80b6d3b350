from __future__ import annotations

import asyncio

import pytest

from eci_payments.domain.payment import PaymentStatus
from eci_payments.store.delivery_claims import Claim, count_as_tried, park_overdue
from eci_payments.store.session import Database, run
from support.deliveries import (
    LEASE_S,
    delivered,
    failed,
    fan_out_all,
    parked,
    shown,
    states,
    take,
    time_passes,
)
from support.shop import MERCHANT, Shop

S = PaymentStatus


async def orders(db: Database, shop: Shop, *statuses: PaymentStatus, payments: int = 1) -> None:
    await shop.told(*statuses, payments=payments)
    await fan_out_all(db)


def sequences(claim: Claim) -> list[tuple[int, int]]:
    return sorted((each.event.payment_id, each.event.sequence) for each in claim.deliveries)


async def test_a_claim_carries_all_that_the_call_needs(db: Database, shop: Shop):
    await orders(db, shop, S.COMPLETED)
    (claimed,) = (await take(db)).deliveries
    assert (claimed.destination, claimed.tries, claimed.age_s, claimed.lease_epoch) == ("order", 1, 0.0, 1)
    assert claimed.event.data["status"] == "COMPLETED"
    assert claimed.event.correlation_id == "corr-1"
    (row,) = await shown(db)
    assert row.leased_until == row.due_at
    assert row.due_at is not None
    assert (row.due_at - claimed.claimed_at).total_seconds() == LEASE_S


async def test_what_is_claimed_is_nobody_elses_until_its_lease_ends(db: Database, shop: Shop):
    await orders(db, shop, S.COMPLETED)
    await take(db)
    assert not (await take(db)).deliveries
    await time_passes(db, LEASE_S)
    (again,) = (await take(db)).deliveries
    assert (again.tries, again.lease_epoch) == (2, 2)
    assert again.age_s == pytest.approx(LEASE_S, abs=5)


async def test_claims_side_by_side_share_the_work_without_waiting(db: Database, shop: Shop):
    await orders(db, shop, S.COMPLETED, payments=50)
    claims = await asyncio.gather(*(take(db, limit=10) for _ in range(8)))
    taken = [each.delivery_id for claim in claims for each in claim.deliveries]
    assert len(taken) == len(set(taken)) == 50


async def test_a_payments_events_go_one_after_another(db: Database, shop: Shop):
    await orders(db, shop, S.PENDING, S.PROCESSING, S.COMPLETED, payments=2)
    seen: list[tuple[int, int]] = []
    for _ in range(3):
        claim = await take(db)
        seen += sequences(claim)
        assert not (await take(db)).deliveries, "the next one waits for the conclusion"
        await delivered(db, *claim.deliveries)
    assert seen == [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3)]


async def test_a_failed_one_holds_back_the_later_ones_of_its_payment_and_no_others(db: Database, shop: Shop):
    await orders(db, shop, S.PROCESSING, S.COMPLETED, payments=2)
    one, two = sorted((await take(db)).deliveries, key=lambda each: each.event.payment_id)
    await failed(db, one, delay_s=60)
    await delivered(db, two)
    assert sequences(await take(db)) == [(2, 2)]
    await time_passes(db, 60)
    assert (1, 1) in sequences(await take(db))


async def test_destinations_are_independent(db: Database, shop: Shop):
    await orders(db, shop, S.COMPLETED)
    await take(db, "order")
    assert len((await take(db, "notification")).deliveries) == 1


async def test_a_conclusion_that_comes_after_somebody_elses_claim_changes_nothing(db: Database, shop: Shop):
    await orders(db, shop, S.COMPLETED)
    (slow,) = (await take(db)).deliveries
    await time_passes(db, LEASE_S)
    (quick,) = (await take(db)).deliveries
    assert await parked(db, slow) == frozenset()
    assert await delivered(db, quick) == {quick.delivery_id}
    assert await failed(db, slow) == frozenset()
    assert await states(db) == ["DELIVERED"]


async def test_a_late_conclusion_lands_as_long_as_nobody_else_has_claimed(db: Database, shop: Shop):
    await orders(db, shop, S.COMPLETED)
    (slow,) = (await take(db)).deliveries
    await time_passes(db, LEASE_S)
    assert await delivered(db, slow) == {slow.delivery_id}


async def test_conclusions_of_many_land_together_each_by_its_own_guard(db: Database, shop: Shop):
    await orders(db, shop, S.COMPLETED, payments=3)
    one, two, three = sorted((await take(db)).deliveries, key=lambda each: each.event.payment_id)
    await delivered(db, two)
    assert await delivered(db, three, two, one) == {one.delivery_id, three.delivery_id}


async def test_a_parked_one_does_not_block_later_ones(db: Database, shop: Shop):
    await orders(db, shop, S.PROCESSING, S.COMPLETED)
    (first,) = (await take(db)).deliveries
    await parked(db, first)
    assert sequences(await take(db)) == [(1, 2)]
    assert await states(db) == ["PARKED", "PENDING"]


@pytest.mark.parametrize("status", [S.FAILED, S.CANCELLED, S.REFUNDED])
async def test_stock_of_an_unpaid_order_is_released(db: Database, shop: Shop, status: PaymentStatus):
    await orders(db, shop, status)
    assert len((await take(db, "inventory")).deliveries) == 1


@pytest.mark.parametrize("now", sorted(set(S) - {S.FAILED, S.CANCELLED, S.REFUNDED}))
async def test_stock_of_an_order_that_is_paid_by_now_is_kept(db: Database, shop: Shop, now: PaymentStatus):
    await orders(db, shop, S.FAILED)
    await shop.becomes(1, status=now.value)
    assert await take(db, "inventory") == Claim((), 1)
    (row,) = await shown(db, "inventory")
    assert (row.state, row.tries, row.due_at, row.first_attempt_at) == ("SUPERSEDED", 0, None, None)
    assert "paid" in (row.last_error or "")


@pytest.mark.parametrize(
    "columns",
    [
        {"open_operation_id": 5},
        {"amount_captured_minor": 100, "amount_refund_pending_minor": 100},
    ],
)
async def test_stock_is_kept_while_money_is_on_its_way(db: Database, shop: Shop, columns: dict[str, int]):
    await orders(db, shop, S.FAILED)
    await shop.becomes(1, **columns)
    assert (await take(db, "inventory")).superseded == 1


async def test_a_retry_judges_the_payment_again(db: Database, shop: Shop):
    await orders(db, shop, S.FAILED)
    (claimed,) = (await take(db, "inventory")).deliveries
    await failed(db, claimed)
    await shop.becomes(1, status="COMPLETED")
    assert (await take(db, "inventory")).superseded == 1


async def test_a_payment_that_is_being_written_is_judged_afterwards(db: Database, shop: Shop):
    await orders(db, shop, S.FAILED)
    async with db.write() as writer:
        await run(
            writer,
            "UPDATE payments SET status = 'PROCESSING', open_operation_id = 9 WHERE merchant_id = $1",
            MERCHANT,
        )
        async with asyncio.timeout(5):
            assert await take(db, "inventory") == Claim((), 0), "neither released nor waited for"
    assert (await take(db, "inventory")).superseded == 1


async def test_only_what_was_tried_for_too_long_is_parked_and_none_that_is_being_sent(
    db: Database, shop: Shop
):
    await orders(db, shop, S.COMPLETED, payments=3)
    await time_passes(db, 9 * 3600)
    untried = await park(db)
    async with db.write() as session:
        assert await count_as_tried(session, "order", 10) == 3
    await time_passes(db, 3600)
    await orders(db, shop, S.COMPLETED)
    being_sent = (await take(db, limit=1)).deliveries[0]
    assert being_sent.age_s >= 3600
    assert (untried, await park(db), await park(db)) == (0, 2, 0)
    rows = {row.delivery_id: row.state.value for row in await shown(db)}
    assert rows.pop(being_sent.delivery_id) == "PENDING"
    assert sorted(rows.values()) == ["PARKED", "PARKED", "PENDING"]


async def park(db: Database) -> int:
    async with db.write() as session:
        return await park_overdue(session, "order", 10, max_age_s=3600, reason="down")
