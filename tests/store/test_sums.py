"""The business metrics are sums over the audit trail: each row once, by whomever, whenever."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.contract import Declined, NotSent, Unknown
from eci_payments.store.session import run
from eci_payments.store.sums import READER, BusinessSums, fold, read
from eci_payments.store.trail import rows_behind
from support.settled import walk_to_end
from support.world import APPROVED

DECLINED = Declined("insufficient_funds", "No money")


async def fold_all(database, limit=1000):
    return await walk_to_end(database, lambda s: fold(s, limit), lambda s: rows_behind(s, READER))


async def read_sums(database):
    async with database.read() as session:
        return await read(session)


async def filled(shop):
    paid = await shop.charge(APPROVED)
    await shop.refund(paid, "49.50", APPROVED)
    await shop.refund(paid, "10", DECLINED)
    await shop.refund(paid, "11", Unknown("time-out"))
    await shop.refund(paid, "12", NotSent("refused"))
    await shop.charge(APPROVED, amount_minor=500, currency="JPY", method=PaymentMethod.WALLET)
    await shop.charge(APPROVED, amount_minor=1234, currency="KWD")
    await shop.charge(DECLINED, order="again")
    await shop.charge(APPROVED, order="again", amount_minor=100, method=PaymentMethod.CREDIT_CARD)
    await shop.charge(Unknown("time-out"))
    await shop.charge(NotSent("refused"))
    held = await shop.charge(APPROVED, capture=False)
    await shop.capture(held, "50", APPROVED)
    await shop.create(PaymentMethod.COD)


EXPECTED = BusinessSums(
    payments_created=8,
    payments_failed=2,
    refunds_processed=1,
    processing_errors=4,
    amount_processed={"INR": Decimal("200.50"), "JPY": Decimal(500), "KWD": Decimal("1.234")},
    amount_refunded={"INR": Decimal("49.50")},
    payments_by_status={"PARTIALLY_REFUNDED": 1, "COMPLETED": 4, "PROCESSING": 1, "FAILED": 1, "PENDING": 1},
    payments_by_method={"UPI": 5, "WALLET": 1, "CREDIT_CARD": 1, "COD": 1},
)


def without_zeros(sums):
    return {
        name: {k: v for k, v in value.items() if v} if isinstance(value, dict) else value
        for name in sums.__dataclass_fields__
        for value in [getattr(sums, name)]
    }


async def test_an_empty_shop_counts_nothing(service):
    async with service.write() as session:
        assert await fold(session) == 0
    assert not any(without_zeros(await read_sums(service)).values())


async def test_the_sums_say_what_happened(shop, service):
    await filled(shop)
    await fold_all(service)

    assert without_zeros(await read_sums(service)) == without_zeros(EXPECTED)


async def test_small_steps_and_many_hands_give_the_same(shop, service):
    await filled(shop)

    async def hand():
        for _ in range(10):
            async with service.write() as session:
                await fold(session, 3)

    await asyncio.gather(hand(), hand(), hand())
    await fold_all(service, limit=1)
    assert without_zeros(await read_sums(service)) == without_zeros(EXPECTED)


async def test_what_is_known_now_agrees_with_the_payments_themselves(shop, service):
    await filled(shop)
    await fold_all(service)
    sums = await read_sums(service)
    async with service.read() as session:
        for column, found in (
            ("status", sums.payments_by_status),
            ("payment_method", sums.payments_by_method),
        ):
            rows = await run(session, f"SELECT {column} AS label, count(*) FROM payments GROUP BY 1")
            assert {row.label: row[1] for row in rows} == {k: v for k, v in found.items() if v}


async def test_a_fold_that_is_rolled_back_leaves_no_trace(shop, service):
    await shop.charge(APPROVED)
    with pytest.raises(ZeroDivisionError):
        async with service.write() as session:
            _ = await fold(session) // 0
    await fold_all(service)
    assert (await read_sums(service)).payments_created == 1
