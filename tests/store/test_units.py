"""Units written together: one's refusal or failure is its own, and together or alone they write the same rows."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eci_payments.domain.errors import BrokenInvariant, Refusal, RefusalCode
from eci_payments.domain.ids import SINGLE_SHOP, OrderId, PaymentId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.operations.charge import register
from eci_payments.operations.commands import RefundPayment
from eci_payments.operations.refund import begin_refund
from eci_payments.store import session
from eci_payments.store.ids import LEAST_BLOCKS
from eci_payments.store.lane import DatabaseAway
from eci_payments.store.session import Database, run
from eci_payments.store.tables import ID_BLOCK
from eci_payments.store.turns import SHARE
from eci_payments.store.units import KeyTaken, Unit
from support.engine import SCOPES, caller, charging, open_house, told
from support.gateway import ScriptedGateway
from support.waiting import until


@pytest.fixture
async def open_with(service_url):
    """Processes over the test's database."""
    opened = []

    def make(seed=1, **options):
        opened.append(open_house(service_url, ScriptedGateway(), seed=seed, **options))
        return opened[-1]

    yield make
    for house in opened:
        await house.close()


@pytest.fixture
def house(open_with):
    """One process."""
    return open_with()


def creating(house, order, key=None, **fields):
    """A unit that registers an order's payment."""
    who = caller("create", key)
    command = charging(order, **fields)
    return Unit(
        SINGLE_SHOP,
        lambda found: register(found, who, command, house.rules),
        order_id=OrderId(str(order)),
        claim=who.claim,
    )


def failing(house, order, error, key=None):
    """A unit whose decision raises."""

    def decide(_found):
        raise error

    return replace(creating(house, order, key), decide=decide)


def poison(house, order):
    """A unit whose rows the database does not take."""
    good = creating(house, order)

    def decide(found):
        change = good.decide(found)
        return replace(change, payment=replace(change.payment, amount_minor=0))

    return replace(good, decide=decide)


async def together(house, *units):
    """All submitted before the lane begins: what fits is one batch."""
    return await asyncio.gather(*(house.lane.submit(unit) for unit in units), return_exceptions=True)


def kinds(results):
    return [result.code.value if isinstance(result, Refusal) else type(result).__name__ for result in results]


async def keys(house):
    return sorted(row.key for row in await house.query("SELECT key FROM idempotency_keys"))


async def test_a_refusal_is_nobody_elses(house):
    await together(house, creating(house, "taken"))
    results = await together(
        house,
        creating(house, "1", "k1"),
        creating(house, "taken", "k2"),
        failing(house, "2", Refusal(RefusalCode.USER_MISMATCH, "no"), "k3"),
        replace(creating(house, "x", "k4"), order_id=None, payment_id=PaymentId(10**9)),
        creating(house, "3", "k5"),
    )
    assert kinds(results) == ["Change", "order_in_progress", "user_mismatch", "not_found", "Change"]
    assert house.lane.batches == 2
    assert await keys(house) == ["k1", "k5"]
    assert await house.broken() == []


async def test_the_same_order_twice_is_done_one_after_the_other(house):
    results = await together(
        house, creating(house, "1", "a"), creating(house, "1", "b"), creating(house, "2")
    )
    assert kinds(results) == ["Change", "order_in_progress", "Change"]
    assert results[1].payment_id == results[0].payment.payment_id
    assert await keys(house) == ["a"]


async def test_many_who_come_for_one_payment_in_vain_are_answered_together(house):
    await together(house, creating(house, "1"))
    before = house.lane.batches
    results = await together(house, *(creating(house, "1", f"k{n}") for n in range(40)))
    assert set(kinds(results)) == {"order_in_progress"}
    assert house.lane.batches - before == 1
    assert await keys(house) == []


async def test_an_order_refused_as_new_leaves_its_place_to_the_next(house):
    results = await together(
        house, failing(house, "1", Refusal(RefusalCode.BUSY, "no")), creating(house, "1")
    )
    assert kinds(results) == ["busy", "Change"]


async def test_the_same_key_many_times_is_told_of_the_first(house):
    results = await together(house, *(creating(house, n, "k") for n in range(20)))
    assert kinds(results) == ["Change"] + ["KeyTaken"] * 19
    assert house.lane.batches == 2
    assert all(result.record.status == 201 for result in results if isinstance(result, KeyTaken))
    assert len(await house.query("SELECT 1 FROM payments")) == 1


async def test_the_same_payment_is_changed_once_per_batch(house):
    payment_id = (await told(house.payments.charge(caller(key="k"), charging("1")))).payment_id
    before = house.lane.batches

    def refunding(number):
        command = RefundPayment(payment_id=payment_id, reason="Customer asked", amount=10)
        who = caller("refund", f"r{number}")
        return Unit(
            SINGLE_SHOP,
            lambda found: begin_refund(found, who, command, 1000 + number, house.rules),
            payment_id=payment_id,
            claim=who.claim,
            operation_id=1000 + number,
        )

    results = await together(house, *(refunding(n) for n in range(5)))
    assert kinds(results) == ["Change"] * 5
    assert house.lane.batches - before == 5
    assert sorted(result.payment.version for result in results) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("error", [BrokenInvariant("poison"), KeyError("poison")])
async def test_a_decision_that_breaks_fails_alone(house, error):
    results = await together(
        house, creating(house, "1", "a"), failing(house, "2", error, "b"), creating(house, "3", "c")
    )
    assert kinds(results) == ["Change", type(error).__name__, "Change"]
    assert await keys(house) == ["a", "c"]
    assert await house.broken() == []


async def test_rows_that_the_database_refuses_fail_alone(house):
    results = await together(house, creating(house, "1"), poison(house, "2"), creating(house, "3"))
    assert kinds(results) == ["Change", "CheckViolationError", "Change"]
    assert len(await house.query("SELECT 1 FROM payments")) == 2


async def test_what_does_not_fit_is_refused_and_outcomes_are_taken_all_the_same(open_with):
    house = open_with(queue_max=2)
    bounded = [house.lane.submit(creating(house, n)) for n in range(4)]
    outcome = house.lane.submit(creating(house, "outcome"), bounded=False)
    results = await asyncio.gather(*bounded, outcome, return_exceptions=True)
    assert kinds(results) == ["Change", "Change", "busy", "busy", "Change"]


async def test_who_goes_on_with_what_was_written_joins_the_next_batch(house):
    def charges(*orders):
        return [asyncio.create_task(house.payments.charge(caller(), charging(order))) for order in orders]

    first = charges("1", "2")
    await until(lambda: house.lane.is_writing and not house.lane.depth, every_s=0)
    others = charges("3", "4")
    await asyncio.gather(*first, *others)
    assert (
        house.lane.batches == 3
    )  # intents; their conclusions with the others' intents; the others' conclusions


async def test_a_caller_that_hangs_up_does_not_take_its_unit_back(house):
    waiting = asyncio.create_task(house.lane.submit(creating(house, "1")))
    await asyncio.sleep(0)
    waiting.cancel()
    await house.lane.drain()
    assert len(await house.query("SELECT 1 FROM payments")) == 1


async def test_a_lock_that_does_not_come_is_one_units_failure(open_with, monkeypatch):
    monkeypatch.setitem(session._LIMITS, "statement_timeout", "300")
    house = open_with()
    await together(house, creating(house, "held"))
    async with house.database.write() as other:
        await run(other, "SELECT 1 FROM payments FOR UPDATE")
        results = await together(house, creating(house, "1"), creating(house, "held"), creating(house, "2"))
    assert kinds(results) == ["Change", "DatabaseAway", "Change"]
    assert isinstance(results[1], DatabaseAway)


async def test_two_writers_with_crossing_orders_do_not_deadlock(open_with):
    one, two = open_with(), open_with(seed=2)
    orders = [f"o{number}" for number in range(40)]
    await together(one, *(creating(one, order) for order in orders[:20]))

    async def customers(house, name, taken):
        asking = (
            house.payments.charge(caller(key=f"{name}-{order}"), charging(order, method=PaymentMethod.COD))
            for order in taken
        )
        return await asyncio.gather(*(told(each) for each in asking))

    for turn in range(3):
        answers = await asyncio.gather(
            customers(one, f"k{turn}", orders), customers(two, f"k{turn}", reversed(orders))
        )
        assert {answer.code for told_to in answers for answer in told_to} <= {
            "", "order_in_progress", "idempotency_key_in_flight",
        }  # fmt: skip
        await one.query(
            "UPDATE payments SET status = 'CANCELLED', expires_at = NULL WHERE status = 'PENDING'"
        )
    (found,) = await one.query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert found.deadlocks == 0
    assert len(await one.query("SELECT 1 FROM payments")) == 40


ROWS = {
    "payments": "order_id, status, currency, amount_minor, amount_captured_minor, amount_refunded_minor, version,"
    " attempt, event_sequence, processing_reason, failure, open_operation_id IS NULL AS is_free",
    "operations": "kind, state, amount_minor, lease_epoch, key_scope, key, outcome ->> 'kind' AS outcome",
    "refunds": "amount_minor, status, reason",
    "transactions": "version, transaction_type, amount_minor, status, description",
    "ledger_entries": "version, movement, debit_account, credit_account, amount_minor",
    "events": "sequence, event_type, data ->> 'order_id' AS order_id, data ->> 'status' AS status",
    "idempotency_keys": "scope, key, response_status",
}


async def rows(house):
    found = {}
    for table, columns in ROWS.items():
        read = await house.query(f"SELECT {columns} FROM {table}")
        found[table] = sorted(str(tuple(row)) for row in read)
    return found


async def test_a_batch_of_one_and_of_many_write_the_same_rows(new_database):
    written = []
    for batch_max in (1, 64):
        house = open_house(new_database().service_url, ScriptedGateway(), batch_max=batch_max)
        house.gateway.plan("o2", "charge", "declined")
        house.gateway.plan("o3", "charge", "lost")
        house.gateway.plan("o4", "charge", "action")
        await asyncio.gather(
            *(
                told(house.payments.charge(caller(key=f"k{n}"), charging(f"o{n}", 1000 + n)))
                for n in range(12)
            )
        )
        found = await house.query("SELECT payment_id FROM payments ORDER BY order_id")
        ids = [row.payment_id for row in found][5:]
        await asyncio.gather(
            *(
                told(
                    house.payments.refund(
                        caller("refund", f"r{n}"),
                        RefundPayment(payment_id=n_id, reason="Too large", amount=n + 1),
                    )
                )
                for n, n_id in enumerate(ids)
            )
        )
        written.append((await rows(house), await house.broken()))
        assert (house.lane.batches == house.lane.units) == (batch_max == 1)
        await house.close()
    assert written[0] == written[1]
    assert written[0][1] == []


@pytest.fixture
async def aged(house):
    """A key that was answered long ago."""
    first = await told(house.payments.charge(caller(key="k"), charging("1")))
    await house.later(24 * 3600 + 1)
    return first


async def test_a_key_is_free_after_its_window_and_the_order_still_protects(house, aged):
    again = await told(house.payments.charge(caller(key="k"), charging("1")))
    assert again.code == "order_already_paid"
    other = await told(house.payments.charge(caller(key="k", fingerprint=b"other"), charging("2")))
    assert (other.status, other.replayed) == (201, False)
    assert aged.body != other.body


async def test_a_key_within_its_window_is_kept(house):
    first = await told(house.payments.charge(caller(key="k"), charging("1")))
    await house.later(24 * 3600 - 60)
    again = await told(house.payments.charge(caller(key="k"), charging("1")))
    assert (again.replayed, again.body) == (True, first.body)


@pytest.mark.parametrize("outcome", ["pending", "action", "lost"])
async def test_a_key_with_an_open_operation_never_expires(house, outcome):
    payment_id = (await told(house.payments.charge(caller(key="k"), charging("1")))).payment_id
    house.gateway.plan("1", "refund", outcome)
    command = RefundPayment(payment_id=payment_id, reason="Customer asked", amount=10)
    first = await told(house.payments.refund(caller("refund", "r"), command))
    await house.later(10 * 24 * 3600)
    again = await told(house.payments.refund(caller("refund", "r"), command))
    assert again.status == first.status
    assert len([call for call in house.gateway.calls if call.kind == "refund"]) == 1
    assert await house.key("refund", "r") is not None


async def test_keys_of_different_scopes_are_different(house):
    payment_id = (await told(house.payments.charge(caller(key="k"), charging("1")))).payment_id
    command = RefundPayment(payment_id=payment_id, reason="Customer asked", amount=10)
    assert (await told(house.payments.refund(caller("refund", "k"), command))).status == 200
    assert set(SCOPES.values()) >= {
        row.scope for row in await house.query("SELECT scope FROM idempotency_keys")
    }


async def test_ids_taken_by_many_at_once_are_all_different(service_url):
    house = open_house(service_url, ScriptedGateway(), pool_size=2)
    taken = await asyncio.gather(*(house.payments.engine.ids.new_operation() for _ in range(500)))
    assert len(set(taken)) == 500
    (row,) = await house.query("SELECT nextval('operation_ids') AS next")
    assert row.next < 2 * LEAST_BLOCKS * ID_BLOCK
    await house.close()


async def test_the_database_holds_what_the_code_should(open_with):
    """The last line, were the code to fail: each of these is refused by a constraint."""
    house = open_with()
    payment_id = (await told(house.payments.charge(caller(key="k"), charging("1")))).payment_id
    for change, constraint in (
        ("amount_captured_minor = amount_authorized_minor + 1", "captured_within_authorized_check"),
        ("amount_refund_pending_minor = -1", "refunds_within_captured_check"),
        ("amount_refunded_minor = amount_captured_minor + 1", "exceeding_check"),
        ("amount_refund_pending_minor = amount_captured_minor + 1", "exceeding_check"),
        ("amount_unapplied_minor = -1", "unapplied_check"),
        ("status = 'PAID'", "status_check"),
    ):
        with pytest.raises(Exception, match=constraint):
            await house.query(f"UPDATE payments SET {change} WHERE payment_id = $1", payment_id)
    begun = (
        "INSERT INTO operations (merchant_id, operation_id, payment_id, kind, state, attempt, amount_minor,"
        " currency, payment_method, gateway, gateway_key, lease_epoch, final, inquiries, late_amount_minor,"
        " actor, created_at) VALUES (1, $2, $1, 'CAPTURE', 'STARTED', 1, 1, 'INR', 'UPI', 'x',"
        " $3, 1, true, 0, 0, 'x', now())"
    )
    await house.query(begun, payment_id, 5000, "one")
    with pytest.raises(Exception, match="one_open"):
        await house.query(begun, payment_id, 5001, "two")


async def test_reading_sessions_cannot_write(service_url):
    database = Database(service_url)
    with pytest.raises(Exception, match="read-only transaction"):
        async with database.read() as reading:
            await run(reading, "UPDATE payments SET version = 1")
    await database.close()


async def test_one_callers_backlog_does_not_hold_up_another(house):
    """A hundred of one caller's wait; what another sends then is written in the next batch but one at the latest."""
    written = []

    def unit(number, actor):
        made = replace(creating(house, f"{actor}-{number}"), actor=actor)

        def decide(found):
            written.append(actor)
            return made.decide(found)

        return replace(made, decide=decide)

    backlog = [asyncio.ensure_future(house.lane.submit(unit(number, "one"))) for number in range(100)]
    await asyncio.sleep(0)
    await house.lane.submit(unit(0, "other"))
    assert written.index("other") <= 64 + SHARE
    await asyncio.gather(*backlog)
    assert len(set(written)) == 2
