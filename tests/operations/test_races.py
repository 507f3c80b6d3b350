"""Many callers at once over two processes: whatever the order, no money moves twice and everybody is told the truth."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations import waiting
from eci_payments.operations.commands import Cancel, Capture, ChangeStatus, Confirm, Create, RefundPayment
from eci_payments.recovery.operations import OperationRecovery
from support.engine import all_told, caller, charging, told

S = PaymentStatus
MANY = 24


def split(house, second):
    """Both processes in turn."""
    return [house if number % 2 else second for number in range(MANY)]


async def paid(house, order="1", **fields):
    answer = await told(house.payments.charge(caller(key=f"setup-{order}"), charging(order, **fields)))
    assert answer.status == 201
    return answer.payment_id


async def test_one_key(house, second):
    answers = await all_told(
        *(h.payments.charge(caller(key="k"), charging("1")) for h in split(house, second))
    )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert len(house.gateway.calls) == 1
    assert await house.broken() == []


async def test_one_key_while_the_outcome_is_unknown(house, second):
    house.gateway.plan("1", "charge", "lost")
    answers = await all_told(
        *(h.payments.charge(caller(key="k"), charging("1")) for h in split(house, second))
    )
    assert {answer.status for answer in answers} == {202}
    assert len(house.gateway.calls) == 1


async def test_one_key_while_nothing_can_be_sent(house, second):
    house.gateway.plan("1", "charge", *["notsent"] * MANY)
    answers = await all_told(
        *(h.payments.charge(caller(key="k"), charging("1")) for h in split(house, second))
    )
    assert {(answer.status, answer.code) for answer in answers} <= {
        (502, "gateway_unreachable"),
        (0, "idempotency_key_in_flight"),
    }
    assert await house.key("charge", "k") is None
    assert house.gateway.net() == {}
    assert await house.broken() == []


async def test_an_answer_made_while_its_repeat_gives_up_is_given(house):
    """The answer lands after the repeat read the key, and before the time of its wait has passed."""
    await paid(house)
    engine = house.payments.engine
    claim = caller(key="setup-1").claim
    assert claim
    record = await waiting.load_key(engine, SINGLE_SHOP, claim.name)
    assert record
    engine = replace(engine, rules=replace(engine.rules, key_wait_s=-1.0))
    answer = await waiting.first_result(engine, replace(record, status=None, body=None))
    assert answer
    assert (answer.status, answer.body) == (201, record.body)


async def test_one_key_for_two_requests(house, second):
    asking = (
        h.payments.charge(caller(key="k", fingerprint=bytes([n % 2])), charging(str(n % 2)))
        for n, h in enumerate(split(house, second))
    )
    codes = Counter(answer.code for answer in await all_told(*asking))
    assert codes == {"": MANY // 2, "idempotency_key_reused": MANY // 2}
    assert len(house.gateway.calls) == 1


async def test_one_order_under_many_keys(house, second):
    asking = (
        h.payments.charge(caller(key=f"k{n}"), charging("1")) for n, h in enumerate(split(house, second))
    )
    answers = await all_told(*asking)
    assert Counter(answer.status for answer in answers) == {201: 1, 0: MANY - 1}
    assert {answer.code for answer in answers} <= {"", "order_already_paid", "order_in_progress"}
    assert len(house.gateway.calls) == 1
    assert len(await house.query("SELECT 1 FROM idempotency_keys")) == 1
    assert await house.broken() == []


async def test_one_failed_order_is_taken_over_once(house, second):
    house.gateway.plan("1", "charge", "declined")
    await paid(house)
    asking = (
        h.payments.charge(caller(key=f"k{n}"), charging("1")) for n, h in enumerate(split(house, second))
    )
    answers = await all_told(*asking)
    assert Counter(answer.status for answer in answers) == {201: 1, 0: MANY - 1}
    assert house.gateway.net().total() == 10000
    assert await house.broken() == []


@pytest.mark.parametrize("with_keys", [True, False])
async def test_refunds_together_never_exceed_what_was_taken(house, second, with_keys):
    payment_id = await paid(house)
    command = RefundPayment(payment_id=payment_id, reason="Customer asked", amount=60)
    asking = (
        h.payments.refund(caller("refund", f"r{n}" if with_keys else None), command)
        for n, h in enumerate(split(house, second))
    )
    answers = await all_told(*asking)
    assert Counter(answer.status for answer in answers) == {200: 1, 0: MANY - 1}
    assert {a.code for a in answers} == {
        "",
        "amount_exceeds_refundable" if with_keys else "possible_duplicate",
    }
    assert await house.ledger(payment_id) == ["captured:10000", "refunded:6000"]
    assert await house.broken() == []


async def test_small_refunds_all_fit(house, second):
    payment_id = await paid(house)
    asking = (
        h.payments.refund(
            caller("refund", f"r{n}"), RefundPayment(payment_id=payment_id, reason="Customer asked", amount=4)
        )
        for n, h in enumerate(split(house, second))
    )
    assert {answer.status for answer in await all_told(*asking)} == {200}
    assert (await house.view(payment_id)).payment.amount_refunded_minor == 400 * MANY
    assert await house.broken() == []


async def test_capture_against_void(house, second):
    for number in range(8):
        payment_id = await paid(house, f"cv{number}", capture=False)
        answers = await all_told(
            house.payments.capture(caller("capture", f"c{number}"), Capture(payment_id=payment_id)),
            second.payments.cancel(caller("cancel", f"v{number}"), Cancel(payment_id=payment_id)),
        )
        assert sorted(answer.status for answer in answers) == [0, 200]
        kinds = [call.kind.value for call in house.gateway.calls if call.order_id == f"cv{number}"]
        assert len(kinds) == 2
    assert await house.broken() == []


async def test_confirm_against_cancel(house, second):
    for number in range(8):
        command = charging(f"cc{number}")
        create = Create(order_id=command.order_id, user_id=command.user_id, amount_minor=1, currency="INR",
                        method=command.method)  # fmt: skip
        payment_id = (await told(house.payments.create(caller("create"), create))).payment_id
        answers = await all_told(
            house.payments.confirm(caller("confirm", f"c{number}"), Confirm(payment_id=payment_id)),
            second.payments.cancel(caller("cancel", f"v{number}"), Cancel(payment_id=payment_id)),
            second.payments.confirm(caller("confirm", f"d{number}"), Confirm(payment_id=payment_id)),
        )
        assert sorted(answer.status for answer in answers) == [0, 0, 200]
    assert await house.broken() == []


async def test_two_tabs_that_pay_by_two_methods(house, second):
    """One of them pays; the other is told so, whether it comes beside the first or behind it."""
    methods = [PaymentMethod.WALLET, PaymentMethod.NET_BANKING]
    for number in range(8):
        order, cash = f"tt{number}", charging(f"tt{number}", method=PaymentMethod.COD)
        payment_id = (await told(house.payments.charge(caller(key=order), cash))).payment_id
        if number % 2:
            house.gateway.plan(order, "charge", "action")
        answers = await all_told(
            *(
                shop.payments.confirm(
                    caller("confirm", f"{order}-{method}"), Confirm(payment_id=payment_id, method=method)
                )
                for shop, method in zip((house, second), methods, strict=True)
            )
        )
        refused = [answer for answer in answers if answer.code]
        assert [answer.status for answer in answers if not answer.code] == [200]
        assert refused[0].code in {
            "operation_in_progress",
            "order_in_progress",
            "action_pending",
            "illegal_state",
        }
        calls = [call for call in house.gateway.calls if call.order_id == order]
        assert len(calls) == 1
        assert (await house.view(payment_id)).payment.method is calls[0].method
    assert await house.broken() == []


async def held_up(house, asking):
    """An original that is at the gateway when its lease ends."""
    task = asyncio.create_task(told(asking))
    await house.gateway.arrived.wait()
    return task


async def test_a_slow_original_whose_operation_was_taken_over_cannot_write(house, second):
    """Recovery has been told that nothing ever came; the approval comes after that, and goes back."""
    house.gateway.plan("1", "charge", "slow")
    original = await held_up(house, house.payments.charge(caller(key="k"), charging("1")))
    await house.later(200)
    await second.recover()
    view = await house.view_of_order("1")
    assert (view.payment.status, view.operations[0].lease_epoch) == (S.FAILED, 2)

    house.gateway.released.set()
    answer = await original

    assert answer.status == 201
    assert answer.replayed
    assert answer.document["status"] == "FAILED"
    payment_id = view.payment.payment_id
    assert await house.ledger(payment_id) == ["arrived_late:10000"]
    assert await house.broken() == []
    await house.later(2)
    await second.recover()
    assert house.gateway.net() == {}
    assert await house.broken() == []


async def test_a_slow_original_is_fenced_while_its_outcome_is_open(house, second):
    """Recovery has claimed it and learned nothing: the original's answer changes nothing, the next inquiry does."""
    house.gateway.plan("1", "charge", "slow")
    original = await held_up(house, house.payments.charge(caller(key="k"), charging("1")))
    await house.later(31)
    await second.recover()
    house.gateway.released.set()
    assert (await original).status == 202
    view = await house.view_of_order("1")
    assert (view.payment.status, view.operations[0].state) == (S.PROCESSING, "UNKNOWN")
    await house.later(2)
    await second.recover()
    assert (await house.view_of_order("1")).payment.status is S.COMPLETED
    assert await house.broken() == []


async def test_a_process_that_slept_through_its_lease_does_not_send(house, monkeypatch):
    loop = asyncio.get_running_loop()
    slept = 0.0
    now = loop.time

    def passed(point):
        nonlocal slept
        slept = 25.0 if point == "before call" else slept

    monkeypatch.setattr(type(house.watch), "__call__", lambda _self, point: passed(point))
    monkeypatch.setattr(loop, "time", lambda: now() + slept)
    answer = await told(house.payments.charge(caller(key="k"), charging("1")))
    assert (answer.status, answer.code) == (502, "gateway_unreachable")
    assert house.gateway.calls == []


async def test_a_refund_without_a_key_that_recovery_finished_is_told_as_it_ended(house, second):
    payment_id = await paid(house)
    house.gateway.plan("1", "refund", "slow")
    command = RefundPayment(payment_id=payment_id, reason="Customer asked")
    original = await held_up(house, house.payments.refund(caller("refund"), command))
    house.gateway._take(house.gateway.calls[-1], "declined")
    await house.later(31)
    await second.recover()
    house.gateway.released.set()
    house.gateway.record[house.gateway.calls[-1].key] = house.gateway._keep(
        house.gateway.calls[-1], "declined"
    )
    answer = await original
    assert (await house.view(payment_id)).refunds[0].status == "FAILED"
    assert (answer.status, answer.code) == (409, "gateway_declined")


async def test_several_workers_resume_each_operation_once(house, second):
    for number in range(12):
        house.gateway.plan(f"w{number}", "charge", "taken")
    await all_told(*(house.payments.charge(caller(key=f"w{n}"), charging(f"w{n}")) for n in range(12)))
    await house.later(2)
    workers = [OperationRecovery(h.payments) for h in (house, second, house, second)]
    resumed = await asyncio.gather(*(worker.run_once() for worker in workers))
    assert sum(resumed) == 12
    assert len(house.gateway.inquiries) == 12
    assert await house.broken() == []


async def test_a_claim_that_somebody_else_has_taken_since_is_not_used(house):
    house.gateway.plan("1", "charge", "taken")
    answer = await told(house.payments.charge(caller(key="k"), charging("1")))
    operation = (await house.view(answer.payment_id)).operations[0]
    resumed = house.payments.resume(
        caller(), answer.payment_id, operation.operation_id, lease_epoch=operation.lease_epoch + 1
    )
    assert (await told(resumed)).code == "operation_in_progress"
    assert house.gateway.inquiries == []


async def test_an_operator_against_recovery(house, second):
    """Whoever is first ends it; the other changes nothing, and the money is counted once."""
    for number in range(6):
        order = f"o{number}"
        house.gateway.plan(order, "charge", "taken")
        payment_id = (await told(house.payments.charge(caller(key=order), charging(order)))).payment_id
        await house.query(
            "UPDATE operations SET inquired_at = now(), due_at = now() WHERE payment_id = $1", payment_id
        )
        command = ChangeStatus(payment_id=payment_id, status=S.FAILED, reason="The bank says so")
        answer, _ = await asyncio.gather(
            told(house.payments.change_status(caller("status"), command)), second.recover()
        )
        view = await house.view(payment_id)
        if answer.status == 200:
            assert view.payment.status is S.FAILED
            assert view.operations[0].late_amount_minor in {0, 10000}
        else:
            assert view.payment.status is S.COMPLETED
    await house.later(61)
    await second.recover()
    await house.later(2)
    await second.recover()
    assert await house.broken() == []


_OLDER = """
UPDATE operations SET due_at = now(), created_at = created_at - interval '2 minutes' WHERE operation_id IN (
    SELECT operation_id FROM operations WHERE state <> 'STARTED' AND due_at IS NOT NULL FOR UPDATE SKIP LOCKED)
"""


async def test_everything_at_once(house, second):
    """Charges, refunds, repeats and workers over a few orders."""
    orders = [f"x{number}" for number in range(6)]
    for order in orders:
        house.gateway.plan(order, "charge", "lost", "declined", "taken")
        house.gateway.plan(order, "refund", "taken", "declined", "lost")

    async def customer(h, number):
        order = orders[number % len(orders)]
        answer = await told(h.payments.charge(caller(key=f"c{number}"), charging(order)))
        view = await h.view_of_order(order)
        command = RefundPayment(payment_id=view.payment.payment_id, reason="Customer asked", amount=30)
        return [answer, await told(h.payments.refund(caller("refund", f"r{number}"), command))]

    async def worker(h):
        for _ in range(6):
            await h.query(_OLDER)
            await h.recover()
            await asyncio.sleep(0.02)

    await asyncio.gather(
        *(customer(h, n) for n, h in enumerate(split(house, second))), worker(house), worker(second)
    )
    for _ in range(6):
        await house.later(400)
        await house.recover()
    assert await house.query("SELECT 1 FROM operations WHERE state IN ('STARTED', 'UNKNOWN')") == []
    assert await house.broken() == []
