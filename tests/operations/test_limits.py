"""Limits and blocks of a merchant: exact under races of processes, counted by what really became of each charge."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sqlalchemy import event

from eci_payments.domain.card_fingerprints import card_keys
from eci_payments.domain.ids import SINGLE_SHOP, MerchantId, UserId
from eci_payments.domain.limits import BlockKind, LimitKind
from eci_payments.domain.methods import Card, PaymentMethod, Upi
from eci_payments.operations.commands import Collect, Confirm, Create
from eci_payments.store.blocks import add_block
from eci_payments.store.screening import forget_uses
from eci_payments.store.session import Database
from support.engine import all_told, caller, charging, open_house, told
from support.limits import limited

CARD = Card("4242424242424242", 12, 2040, "123")
OTHER_CARD = Card("4000056655665556", 12, 2040, "123")
OLD, NEW = f"k1:{'ab' * 32}", f"k2:{'cd' * 32}"
HOUR_S = 3600


@pytest.fixture
def limit(owner_url):
    def set_it(kind, amount_minor=None, **fields):
        window = {"window_s": HOUR_S} if kind in {LimitKind.USER, LimitKind.CARD} else {}
        return limited(owner_url, kind, amount_minor, **(window | fields))

    return set_it


@pytest.fixture
def block(owner_url):
    async def add(kind, value):
        owner = Database(owner_url, pool_size=1)
        async with owner.write() as session:
            assert await add_block(session, SINGLE_SHOP, kind, f"{kind}:{value}", "Fraud")
        await owner.close()

    return add


@pytest.fixture
async def open_with(service_url, gateway):
    opened = []

    def make(keys, seed=7):
        opened.append(open_house(service_url, gateway, seed=seed, cards=card_keys(keys)))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


def charge(house, order, amount_minor=10000, key=None, **fields):
    return told(
        house.payments.charge(caller(key=key or f"k-{order}"), charging(order, amount_minor, **fields))
    )


def by_card(house, order, card=CARD, **fields):
    return charge(house, order, instrument=card, method=PaymentMethod.CREDIT_CARD, **fields)


async def trail(house):
    found = await house.query("SELECT action, subject, result, times FROM admin_events ORDER BY event_id")
    return [(row.action, row.subject, row.result, row.times) for row in found]


async def nothing_of(house, order, key=None):
    assert await house.view_of_order(order) is None
    assert await house.key("charge", key or f"k-{order}") is None
    assert await house.query("SELECT 1 FROM limit_uses u WHERE NOT EXISTS (SELECT FROM payments p WHERE"
                             " p.payment_id = u.payment_id)") == []  # fmt: skip


async def test_one_charge(house, limit):
    await limit(LimitKind.CHARGE, 10000)
    assert (await charge(house, "1")).status == 201
    refused = await charge(house, "2", 10001)
    assert refused.code == "amount_above_limit"
    await nothing_of(house, "2")
    assert (await charge(house, "3", 10001, currency="JPY")).status == 201
    assert await trail(house) == [("charge refused", "order 2 of user 7", "charge limit", 1)]


async def test_a_user_in_a_window(house, limit):
    await limit(LimitKind.USER, 30000)
    house.gateway.plan("declined", "charge", "declined")
    house.gateway.plan("unknown", "charge", "taken")
    for order in ("paid", "declined", "unknown", "third"):
        assert (await charge(house, order)).status in {201, 202}
    refused = await charge(house, "fourth")
    assert refused.code == "charge_refused"
    await nothing_of(house, "fourth")
    assert [call.order_id for call in house.gateway.calls] == ["paid", "declined", "unknown", "third"]
    assert (await charge(house, "else", user_id=UserId("8"))).status == 201
    assert await trail(house) == [("charge refused", "order fourth of user 7", "user limit", 1)]
    await house.query("UPDATE limit_uses SET begun_at = begun_at - interval '61 minutes'")
    assert (await charge(house, "fourth")).status == 201
    assert await house.findings(None) == []


async def test_a_repeat_of_a_charge_that_counted_is_answered_and_a_refused_one_leaves_its_key(house, limit):
    await limit(LimitKind.USER, 10000)
    first = await charge(house, "1", key="k")
    assert (await charge(house, "1", key="k")).body == first.body
    assert (await charge(house, "2", key="k2")).code == "charge_refused"
    await house.query("UPDATE limit_uses SET begun_at = begun_at - interval '2 hours'")
    assert (await charge(house, "2", key="k2")).status == 201


async def test_an_order_that_is_paid_is_called_paid_also_beyond_the_limit(house, limit):
    await limit(LimitKind.USER, 10000)
    assert (await charge(house, "1")).status == 201
    assert (await charge(house, "1", key="again")).code == "order_already_paid"
    assert await trail(house) == []


async def test_a_failed_order_is_tried_again_within_the_limit(house, limit):
    await limit(LimitKind.USER, charges=1)
    house.gateway.plan("1", "charge", "declined")
    assert (await charge(house, "1")).document["status"] == "FAILED"
    assert (await charge(house, "1", key="again")).document["status"] == "COMPLETED"
    assert (await charge(house, "2")).code == "charge_refused"


async def test_what_was_created_counts_when_it_is_confirmed(house, limit):
    await limit(LimitKind.USER, charges=1)
    ids = []
    for order in ("1", "2"):
        c = charging(order)
        create = Create(
            order_id=c.order_id, user_id=c.user_id, amount_minor=100, currency="INR", method=c.method
        )
        ids.append((await told(house.payments.create(caller("create", order), create))).payment_id)
    answers = [
        await told(house.payments.confirm(caller("confirm", f"c{each}"), Confirm(payment_id=each)))
        for each in ids
    ]
    assert [answer.code for answer in answers] == ["", "charge_refused"]
    assert (await house.view(ids[1])).payment.status == "PENDING"


async def test_cash_counts_until_it_is_refused_at_the_door(house, limit):
    await limit(LimitKind.USER, charges=1)
    cash = await charge(house, "1", method=PaymentMethod.COD)
    assert (await charge(house, "2", method=PaymentMethod.COD)).code == "charge_refused"
    paid = Confirm(payment_id=cash.payment_id, method=PaymentMethod.UPI)
    assert (await told(house.payments.confirm(caller("confirm", "c"), paid))).status == 200
    other = await charge(house, "3", method=PaymentMethod.COD, user_id=UserId("8"))
    await house.payments.collect(
        caller(), Collect(payment_id=other.payment_id, collector="Courier", refused=True)
    )
    assert (await charge(house, "4", user_id=UserId("8"))).status == 201


async def test_two_processes_together_keep_to_the_limit(house, second, limit):
    await limit(LimitKind.USER, 50000)
    answers = await asyncio.gather(
        *(charge(h, f"{n}-{i}") for n in range(12) for i, h in enumerate((house, second)))
    )
    assert Counter(answer.code for answer in answers) == {"": 5, "charge_refused": 19}
    assert sum(house.gateway.net().values()) == 50000
    assert sum(times for _, _, _, times in await trail(house)) == 19
    assert await house.broken() == []


async def test_many_users_and_cards_at_once_do_not_deadlock(open_with, limit):
    houses = [open_with(OLD), open_with(OLD, seed=8)]
    await limit(LimitKind.USER, charges=3)
    await limit(LimitKind.CARD, charges=4)
    asking = [
        by_card(h, f"{n}-{i}", (CARD, OTHER_CARD)[n % 2], user_id=UserId(str(n % 5)))
        for n in range(30)
        for i, h in enumerate(houses)
    ]
    answers = await asyncio.gather(*asking)
    assert Counter(answer.code for answer in answers) == {"": 8, "charge_refused": 52}
    assert await houses[0].broken() == []


async def test_the_same_order_at_once_beside_a_limit(house, limit):
    """One lands; the others are told of it, and not of the limit that they would have come to."""
    await limit(LimitKind.USER, charges=1)
    answers = await all_told(
        *(house.payments.charge(caller(key=f"k{n}"), charging("1")) for n in range(6)),
        *(house.payments.charge(caller(key=f"o{n}"), charging(f"o{n}")) for n in range(3)),
    )
    codes = Counter(answer.code for answer in answers)
    assert codes[""] == 1
    assert set(codes) <= {"", "order_in_progress", "order_already_paid", "charge_refused"}
    assert await house.broken() == []


async def test_blocked_users_addresses_and_bins(house, block):
    await block(BlockKind.USER, "7")
    await block(BlockKind.UPI, "thief@upi")
    await block(BlockKind.BIN, "424242")
    free = {"user_id": UserId("8")}
    assert (await charge(house, "1")).code == "charge_refused"
    assert (await charge(house, "2", **free)).status == 201
    assert (await charge(house, "3", instrument=Upi("Thief@UPI"), **free)).code == "charge_refused"
    assert (await by_card(house, "4", **free)).code == "charge_refused"
    assert (await by_card(house, "5", OTHER_CARD, **free)).status == 201
    assert [row[2] for row in await trail(house)] == ["blocked user", "blocked upi", "blocked bin"]
    assert await house.query("SELECT 1 FROM limit_uses") == []


async def test_one_card_in_many_hands_while_its_key_is_rotated(open_with, limit, block):
    """The present key makes new fingerprints; what the one before it made still counts, and stays blocked."""
    await limit(LimitKind.CARD, 30000)
    before, after = open_with(OLD), open_with(f"{NEW},{OLD}", seed=8)
    assert (await by_card(before, "1", user_id=UserId("1"))).status == 201
    assert (await by_card(after, "2", user_id=UserId("2"))).status == 201
    assert (await by_card(after, "3", user_id=UserId("3"))).status == 201
    assert (await by_card(after, "4", user_id=UserId("4"))).code == "charge_refused"
    assert (await by_card(after, "5", OTHER_CARD)).status == 201
    found = await after.query("SELECT card_fingerprint AS f FROM operations ORDER BY operation_id")
    made = {row.f for row in found}
    assert sorted(each[:3] for each in made) == ["k1:", "k2:", "k2:"]
    assert not any(CARD.number in each for each in made)

    first = next(each for each in made if each.startswith("k1:"))
    await block(BlockKind.CARD, first)
    fresh = open_with(f"{NEW},{OLD}", seed=9)
    assert (await by_card(fresh, "6", currency="JPY")).code == "charge_refused"
    assert (await trail(fresh))[-1][2] == "blocked card"


async def test_a_card_that_cannot_be_recognised_is_not_charged_where_cards_are_limited(house, limit):
    await limit(LimitKind.CARD, 30000)
    assert (await by_card(house, "1")).code == "charge_refused"
    assert (await charge(house, "2")).status == 201


async def test_what_waits_for_its_customer_goes_on_whatever_was_limited_since(house, second, limit):
    house.gateway.plan("1", "charge", "action")
    begun = await by_card(house, "1")
    await limit(LimitKind.CARD, 30000)
    assert begun.payment_id
    confirm = Confirm(payment_id=begun.payment_id, instrument=CARD)
    goes_on = await told(second.payments.confirm(caller("confirm", key="on"), confirm))
    assert (goes_on.status, goes_on.code) == (200, "")
    assert len(house.gateway.calls) == 1


async def test_without_limits_nothing_is_asked_and_nothing_is_noted(house, limit):
    await limit(LimitKind.REFUND_APPROVAL, 100)
    await charge(house, "warm")
    seen = []

    def watch(connection, _record):
        connection.driver_connection.add_query_logger(lambda sent: seen.append(sent.query))

    event.listen(house.database.engine.sync_engine, "connect", watch)
    await house.database.close()  # so that it connects anew
    await charge(house, "1")
    assert any("payments" in sql for sql in seen)
    asked = [sql for sql in seen if any(word in sql for word in ("limit_uses", "blocks", "advisory"))]
    assert asked == []


async def test_what_no_window_reaches_is_forgotten(house, limit):
    await limit(LimitKind.USER, charges=9)
    for order in ("1", "2", "3"):
        await charge(house, order)
    await house.query("UPDATE limit_uses SET begun_at = begun_at - interval '2 hours' WHERE payment_id IN ("
                      "SELECT payment_id FROM payments WHERE order_id <> '3')")  # fmt: skip
    async with house.database.write() as session:
        assert await forget_uses(session, HOUR_S, limit=1) == 1
        assert await forget_uses(session, HOUR_S) == 1
        assert await forget_uses(session, HOUR_S) == 0


async def test_another_merchants_limits_are_its_own(house, limit):
    await limit(LimitKind.USER, charges=0)
    assert (await charge(house, "1")).code == "charge_refused"
    assert not (await house.payments._limits.of(MerchantId(2))).screens("INR")
