"""Failover: another gateway takes a charge only after the first certainly did not, and no crash makes it two."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.operation import OperationState
from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.accounts import Account, Limits
from eci_payments.operations.commands import Confirm, Create, RefundPayment
from eci_payments.recovery.operations import OperationRecovery, shares
from eci_payments.store.lane import DatabaseAway
from support.engine import caller, charging, crashed, open_house, told
from support.gateway import CAPABILITIES, ScriptedGateway
from support.waiting import until

S = PaymentStatus
SHARES = shares(["scripted", "other"])


@pytest.fixture
def other():
    return ScriptedGateway("other")


@pytest.fixture
async def house(service_url, gateway, other):
    opened = open_house(service_url, gateway, others=[other])
    yield opened
    await opened.close()


async def charge(house, key="k"):
    return await told(house.payments.charge(caller(key=key), charging("1")))


async def found_payment(house, order):
    view = await house.view_of_order(order)
    assert view is not None
    return view


async def operations(house):
    view = await found_payment(house, "1")
    return [(o.gateway, o.state.value) for o in sorted(view.operations, key=lambda o: o.operation_id)]


async def books_are_right(house, other, held: int) -> None:
    """What verification finds, and that both gateways together took exactly this."""
    view = await found_payment(house, "1")
    assert await house.findings(view.payment.payment_id) == []
    taken = [k for g in (house.gateway, other) for k in g.record.values() if k.state == "approved"]
    assert sum(kept.amount_minor for kept in taken) == held
    assert len(taken) <= 1


async def test_a_charge_that_was_not_sent_goes_to_the_next_gateway(house, other):
    house.gateway.plan("1", "charge", "notsent")
    answer = await charge(house)
    assert (answer.status, answer.document["status"], answer.document["gateway"]) == (
        201,
        "COMPLETED",
        "other",
    )
    assert await operations(house) == [("scripted", "NOT_SENT"), ("other", "APPROVED")]
    keys = {call.key for call in (*house.gateway.calls, *other.calls)}
    assert len(keys) == 2
    assert [t["description"] for t in answer.document["transactions"]] == [
        "Charge begun",
        "Not sent to scripted: refused",
        "Begun again at other",
        "Charged",
    ]
    await books_are_right(house, other, 10000)
    again = await charge(house)
    assert (again.replayed, again.body) == (True, answer.body)
    assert await house.events(answer.payment_id) == ["payment.completed"]


async def test_what_follows_goes_to_the_gateway_that_took_it(house, other):
    house.gateway.plan("1", "charge", "notsent")
    payment_id = (await charge(house)).payment_id
    refund = RefundPayment(payment_id=payment_id, reason="Customer asked")
    answer = await told(house.payments.refund(caller("refund", "r"), refund))
    assert answer.document["status"] == "REFUNDED"
    assert [call.kind for call in other.calls] == ["charge", "refund"]
    assert await house.findings(payment_id) == []


@pytest.mark.parametrize("turn", ["declined", "lost", "taken", "pending", "action"])
async def test_nothing_else_goes_on_to_another(house, other, turn):
    house.gateway.plan("1", "charge", turn)
    await charge(house)
    assert other.calls == []
    assert [gateway for gateway, _ in await operations(house)] == ["scripted"]


async def test_nobody_could_be_reached(house, other):
    house.gateway.plan("1", "charge", "notsent")
    other.plan("1", "charge", "notsent")
    answer = await charge(house)
    assert (answer.status, answer.code) == (502, "gateway_unreachable")
    assert await house.key("charge", "k") is None
    assert await operations(house) == [("scripted", "NOT_SENT"), ("other", "NOT_SENT")]
    await books_are_right(house, other, 0)
    assert (await charge(house)).document["status"] == "COMPLETED"
    await books_are_right(house, other, 10000)


async def test_a_confirmation_goes_on_too(house, other):
    wanted = charging("1")
    names = ("order_id", "user_id", "amount_minor", "currency", "method")
    made = Create(**{name: getattr(wanted, name) for name in names})
    payment_id = (await told(house.payments.create(caller("create"), made))).payment_id
    house.gateway.plan("1", "charge", "notsent")
    confirm = Confirm(payment_id=payment_id)
    answer = await told(house.payments.confirm(caller("confirm", "c"), confirm))
    assert (answer.status, answer.document["gateway"]) == (200, "other")
    await books_are_right(house, other, 10000)


async def test_an_unknown_outcome_at_the_second_is_asked_about_there(house, other):
    house.gateway.plan("1", "charge", "notsent")
    other.plan("1", "charge", "taken")
    answer = await charge(house)
    assert (answer.status, answer.document["processing_reason"]) == (202, "outcome_unknown")
    assert (await charge(house)).status == 202
    await house.later(2)
    await house.recover()
    assert house.gateway.inquiries == []
    assert (await charge(house)).document["status"] == "COMPLETED"
    await books_are_right(house, other, 10000)


async def test_without_time_left_nobody_else_is_asked(service_url, gateway, other):
    house = open_house(service_url, gateway, others=[other], gateway_timeout_s=0.0)
    gateway.plan("1", "charge", "notsent")
    assert house.rules.failover_within_s == 0
    assert (await charge(house)).status in {202, 502}
    assert other.calls == []
    await house.close()


# it dies       | recovery finds it | operations in the end                           | taken
POINTS = """
before reroute  | FAILED            | scripted DECLINED                               | 0
after reroute   | FAILED            | scripted NOT_SENT, other DECLINED               | 0
second call     | COMPLETED         | scripted NOT_SENT, other APPROVED               | 10000
"""


@pytest.mark.parametrize(
    ("point", "found", "ended", "held"),
    [[c.strip() for c in p.split("|")] for p in POINTS.strip().split("\n")],
)
async def test_a_crash_on_the_way(service_url, gateway, other, point, found, ended, held):
    house = open_house(service_url, gateway, others=[other])
    gateway.plan("1", "charge", "notsent")
    if point == "second call":
        plain = other.perform

        async def dying(call):
            house.watch.crash_at = "after call"
            return await plain(call)

        other.perform = dying
    else:
        house.watch.crash_at = point
    await crashed(house.payments.charge(caller(key="k"), charging("1")))
    await house.later(200)
    await house.recover()
    assert (await found_payment(house, "1")).payment.status == found
    assert ", ".join(" ".join(o) for o in await operations(house)) == ended
    await books_are_right(house, other, int(held))
    again = await charge(house)
    assert (again.replayed, again.document["status"]) == (True, found)
    assert len(gateway.calls) + len(other.calls) == (2 if held != "0" else 1)
    await house.close()


async def test_a_commit_whose_answer_was_lost_is_not_made_twice(house, other):
    """The database takes the failover and goes away before it says so; the same is decided once more."""
    submit = house.lane.submit
    lost: list[object] = []

    async def losing(unit, *, bounded=True):
        result = await submit(unit, bounded=bounded)
        if not bounded and not lost and getattr(result, "operations", None):
            lost.append(result)
            raise DatabaseAway("gone")
        return result

    house.lane.submit = losing
    house.gateway.plan("1", "charge", "notsent")
    answer = await charge(house)
    assert (answer.document["status"], answer.document["gateway"]) == ("COMPLETED", "other")
    assert lost
    assert await operations(house) == [("scripted", "NOT_SENT"), ("other", "APPROVED")]
    assert len(other.calls) == 1
    await books_are_right(house, other, 10000)


async def test_who_has_lost_the_operation_begins_nothing(house, second, other):
    """Recovery claims it between the call and the failover: only recovery's word counts then."""
    house.gateway.plan("1", "charge", "notsent")

    async def overtaken() -> None:
        await house.later(31)
        await second.recover()

    submit = house.lane.submit

    async def slow(unit, *, bounded=True):
        if not bounded:
            await overtaken()
        return await submit(unit, bounded=bounded)

    house.lane.submit = slow
    answer = await charge(house)
    assert answer.status in {201, 202}
    assert other.calls == []
    assert [gateway for gateway, _ in await operations(house)] == ["scripted"]


async def test_many_at_once_take_each_orders_money_once(house, other):
    orders = [str(n) for n in range(100, 140)]
    for order in orders:
        house.gateway.plan(order, "charge", "notsent")
    asked = [
        house.payments.charge(caller(key=f"{order}-{n}"), charging(order)) for order in orders for n in (1, 2)
    ]
    answers = await asyncio.gather(*(told(each) for each in asked))
    assert sum(answer.status == 201 for answer in answers) == len(orders)
    assert len(other.calls) == len(orders)
    assert await house.findings(None) == []


async def test_a_bulkhead_keeps_the_other_gateways_charges_flowing_while_one_hangs(
    service_url, gateway, other
):
    """Forty customers wait for a gateway that does not answer; two of them hold its places, others are told at once."""
    hanging = Account(gateway, limits=Limits(max_calls=2, max_wait_s=0.01, breaker_failures=0))
    other.capabilities = replace(CAPABILITIES, methods=frozenset({PaymentMethod.WALLET}))
    gateway.capabilities = replace(CAPABILITIES, methods=frozenset({PaymentMethod.UPI}))
    house = open_house(service_url, hanging, others=[other], gateway_timeout_s=60, lease_s=120)
    for n in range(42):
        gateway.plan(f"slow-{n}", "charge", "slow")
    held = [asyncio.create_task(told(house.payments.charge(caller(), charging(f"slow-{n}")))) for n in (0, 1)]
    await until(lambda: len(gateway.calls) == 2)
    refused = await asyncio.gather(
        *(told(house.payments.charge(caller(), charging(f"slow-{n}"))) for n in range(2, 42))
    )
    flowing = [
        (
            await told(house.payments.charge(caller(), charging(f"quick-{n}", method=PaymentMethod.WALLET)))
        ).status
        for n in range(20)
    ]
    assert flowing == [200] * 20
    assert {(answer.status, answer.code) for answer in refused} <= {(0, "busy"), (502, "gateway_unreachable")}
    assert len(gateway.calls) == 2
    gateway.released.set()
    assert [answer.document["status"] for answer in await asyncio.gather(*held)] == ["COMPLETED"] * 2
    assert await house.findings(None) == []
    await house.close()


async def test_an_open_breaker_sends_charges_elsewhere_and_guesses_nothing(service_url, gateway, other):
    account = Account(gateway, limits=Limits(breaker_failures=2))
    house = open_house(service_url, account, others=[other])
    first = await told(house.payments.charge(caller(), charging("paid")))
    for n in range(2):
        gateway.plan(f"lost-{n}", "charge", "lost")
        await house.payments.charge(caller(), charging(f"lost-{n}"))
    calls = len(gateway.calls)
    elsewhere = await told(house.payments.charge(caller(), charging("next")))
    assert elsewhere.document["gateway"] == "other"
    refund = RefundPayment(payment_id=first.payment_id, reason="Customer asked")
    refused = await told(house.payments.refund(caller("refund", "r"), refund))
    assert (refused.status, refused.code) == (502, "gateway_unreachable")
    assert len(gateway.calls) == calls
    view = await house.view(first.payment_id)
    assert (view.payment.status, view.payment.amount_refund_pending_minor) == (S.COMPLETED, 0)
    await house.later(200)
    await house.recover()
    assert len(gateway.inquiries) >= 2
    states = {o.state for n in range(2) for o in (await found_payment(house, f"lost-{n}")).operations}
    assert states == {OperationState.DECLINED}
    assert await house.findings(None) == []
    await house.close()


async def test_a_gateway_that_answers_no_question_holds_up_no_others_recovery(house, other):
    for order in range(40):
        house.gateway.plan(f"a-{order}", "charge", "taken")
        await house.payments.charge(caller(), charging(f"a-{order}"))
    house.gateway.capabilities = replace(CAPABILITIES, methods=frozenset())
    other.plan("b", "charge", "taken")
    await house.payments.charge(caller(), charging("b"))
    await house.later(2)
    answered = asyncio.Event()
    plain = house.gateway.inquire

    async def silent(call):
        await answered.wait()
        return await plain(call)

    house.gateway.inquire = silent
    workers = {name: OperationRecovery(house.payments, share) for name, share in SHARES.items()}
    held = asyncio.create_task(workers["scripted"].run_once())
    assert await workers["other"].run_once() == 1
    assert (await found_payment(house, "b")).payment.status is S.COMPLETED
    assert await workers["accounts that are gone"].run_once() == 0
    assert not held.done()
    answered.set()
    assert await held == 32


async def test_operations_of_accounts_that_are_gone_are_somebodys_too(house, other):
    other.plan("1", "charge", "taken")
    house.gateway.plan("1", "charge", "notsent")
    await charge(house)
    await house.later(2)
    only_first = shares(["scripted"])
    assert await OperationRecovery(house.payments, only_first["scripted"]).run_once() == 0
    assert await OperationRecovery(house.payments, only_first["accounts that are gone"]).run_once() == 1
