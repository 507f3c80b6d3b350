"""Large refunds: reserved, decided by somebody else, made once, whatever races and whoever dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from eci_payments.domain.ids import MerchantId
from eci_payments.domain.limits import LimitKind
from eci_payments.domain.methods import PaymentMethod
from eci_payments.operations.commands import Collect, DecideApproval, RefundPayment
from eci_payments.recovery.approvals import ApprovalExpiry
from support.engine import all_told, caller, charging, crashed, told
from support.limits import limited

DAY_S = 24 * 3600
THRESHOLD = 5000


@pytest.fixture(autouse=True)
async def threshold(owner_url):
    """What is refunded of one payment beyond 50 INR needs a second person."""
    await limited(owner_url, LimitKind.REFUND_APPROVAL, THRESHOLD)


async def paid(house, order="1", **fields):
    answer = await told(house.payments.charge(caller(key=f"setup-{order}"), charging(order, **fields)))
    assert answer.status == 201
    return answer.payment_id


def refunding(house, payment_id, key="r", amount="60", **who):
    command = RefundPayment(payment_id=payment_id, reason="Customer asked", amount=amount)
    return house.payments.refund(replace(caller("refund", key), **who), command)


def deciding(house, refund_id, key="d", *, approves=True, actor="boss"):
    command = DecideApproval(approval_id=refund_id, approves=approves, reason="I looked at it")
    return house.payments.decide_approval(replace(caller("approve", key), actor=actor), command)


async def awaiting(house, order="1", key="r", **fields):
    """(payment, refund) of a refund that awaits approval."""
    payment_id = await paid(house, order, **fields)
    answer = await told(refunding(house, payment_id, key))
    assert answer.status == 202
    return payment_id, answer.document["refunds"][0]["refund_id"]


async def standing(house, payment_id):
    view = await house.view(payment_id)
    payment = view.payment
    return (
        payment.amount_refunded_minor,
        payment.amount_refund_pending_minor,
        [refund.status.value for refund in view.refunds],
    )


async def test_a_large_refund_waits_and_keeps_its_amount(house):
    payment_id = await paid(house)
    first = await told(refunding(house, payment_id))
    assert (first.status, first.document["refunds"][0]["status"]) == (202, "AWAITING_APPROVAL")
    assert await standing(house, payment_id) == (0, 6000, ["AWAITING_APPROVAL"])
    again = await told(refunding(house, payment_id))
    assert (again.status, again.document["amount_refund_pending_minor"]) == (202, 6000)
    assert (await told(refunding(house, payment_id, "r2", "41"))).code == "amount_exceeds_refundable"
    assert [call.kind.value for call in house.gateway.calls] == ["charge"]
    assert (await house.events(payment_id))[-1] == "refund.awaiting_approval"
    assert await house.broken() == []


async def test_approved_by_another_it_is_made_and_both_requests_are_answered(house):
    payment_id, refund_id = await awaiting(house)
    approved = await told(deciding(house, refund_id))
    assert (approved.status, approved.document["status"]) == (200, "PARTIALLY_REFUNDED")
    assert await standing(house, payment_id) == (6000, 0, ["SUCCEEDED"])
    for repeat in (deciding(house, refund_id), refunding(house, payment_id)):
        answer = await told(repeat)
        assert (answer.status, answer.body, answer.replayed) == (200, approved.body, True)
    (refund,) = (await house.view(payment_id)).refunds
    assert (refund.requested_by, refund.decided_by, refund.decision_reason) == (
        "client",
        "boss",
        "I looked at it",
    )
    assert (await told(deciding(house, refund_id, "d2"))).code == "illegal_state"
    assert [call.kind.value for call in house.gateway.calls] == ["charge", "refund"]
    assert await house.broken() == []


async def test_who_asked_cannot_approve_and_can_take_it_back(house):
    payment_id, refund_id = await awaiting(house)
    refused = await told(deciding(house, refund_id, actor="client"))
    assert refused.code == "another_key_needed"
    assert await standing(house, payment_id) == (0, 6000, ["AWAITING_APPROVAL"])
    assert await house.key("approve", "d") is None
    taken_back = await told(deciding(house, refund_id, approves=False, actor="client"))
    assert taken_back.status == 200
    assert await standing(house, payment_id) == (0, 0, ["FAILED"])
    assert await house.broken() == []


async def test_the_database_itself_refuses_an_approval_by_who_asked(house):
    await awaiting(house)
    with pytest.raises(Exception, match="refunds_approved_by_another_check"):
        await house.query("UPDATE refunds SET status = 'PENDING', decided_by = requested_by")
    with pytest.raises(Exception, match="refunds_approved_by_another_check"):
        await house.query("UPDATE refunds SET status = 'SUCCEEDED'")


async def test_rejected_it_is_free_again_and_the_request_is_told_so(house):
    payment_id, refund_id = await awaiting(house)
    rejected = await told(deciding(house, refund_id, approves=False))
    assert rejected.document["refunds"][0]["failure"]["code"] == "approval_rejected"
    answer = await told(refunding(house, payment_id))
    assert (answer.status, answer.code, answer.replayed) == (409, "refund_not_approved", True)
    assert answer.document["failure"]["code"] == "approval_rejected"
    assert (await told(deciding(house, refund_id, "d2"))).code == "illegal_state"
    assert (await house.events(payment_id))[-1] == "refund.failed"
    assert len(house.gateway.calls) == 1
    assert (await told(refunding(house, payment_id, "r2", "50"))).status == 200
    assert await house.broken() == []


async def test_without_a_decision_it_expires(house):
    payment_id, refund_id = await awaiting(house)
    worker = ApprovalExpiry(house.payments)
    assert await worker.run_once() == 0
    await house.later(DAY_S + 1)
    assert (await told(deciding(house, refund_id))).code == "illegal_state"
    assert await standing(house, payment_id) == (0, 6000, ["AWAITING_APPROVAL"])
    assert await worker.run_once() == 1
    assert await standing(house, payment_id) == (0, 0, ["FAILED"])
    answer = await told(refunding(house, payment_id))
    assert (answer.status, answer.document["failure"]["code"]) == (409, "approval_expired")
    assert await worker.run_once() == 0
    assert await house.broken() == []


async def test_small_refunds_count_together_and_approved_ones_do_not(house):
    payment_id = await paid(house)
    assert (await told(refunding(house, payment_id, "a", "30"))).status == 200
    assert (await told(refunding(house, payment_id, "b", "20"))).status == 200
    large = await told(refunding(house, payment_id, "c", "1"))
    assert large.status == 202
    assert (await told(deciding(house, large.document["refunds"][-1]["refund_id"]))).status == 200
    assert (await told(refunding(house, payment_id, "d", "1"))).status == 202

    other = await paid(house, "2")
    whole = await told(refunding(house, other, "e", "60"))
    assert (await told(deciding(house, whole.document["refunds"][0]["refund_id"], "f"))).status == 200
    assert (await told(refunding(house, other, "g", "40"))).status == 200
    assert await house.broken() == []


async def test_a_threshold_is_of_its_currency(house):
    payment_id = await paid(house, currency="JPY", amount_minor=10000)
    assert (await told(refunding(house, payment_id, "a", "9999"))).status == 200


async def test_without_a_key(house):
    payment_id = await paid(house)
    first = await told(refunding(house, payment_id, None))
    assert first.status == 202
    assert (await told(refunding(house, payment_id, None))).code == "possible_duplicate"
    approved = await told(deciding(house, first.document["refunds"][0]["refund_id"], None))
    assert (approved.status, approved.document["amount_refunded_minor"]) == (200, 6000)
    assert await house.broken() == []


@pytest.mark.parametrize(
    ("turn", "status", "code", "refund", "stored"),
    [
        ("declined", 409, "gateway_declined", "FAILED", 409),
        ("notsent", 502, "gateway_unreachable", "FAILED", None),
        ("pending", 200, "", "PENDING", 200),
        ("taken", 202, "", "PENDING", None),
    ],
)
async def test_what_the_gateway_says_is_both_requests_answer(house, turn, status, code, refund, stored):
    payment_id, refund_id = await awaiting(house)
    house.gateway.plan("1", "refund", turn)
    answer = await told(deciding(house, refund_id))
    assert (answer.status, answer.code) == (status, code)
    assert (await standing(house, payment_id))[2] == [refund]
    keys = [await house.key("approve", "d"), await house.key("refund", "r")]
    if turn == "notsent":
        assert keys == [None, None]
    else:
        assert {key.response_status for key in keys} == {stored}
        assert len({key.response_body for key in keys}) == 1
    if turn == "taken":
        assert (await told(refunding(house, payment_id))).status == 202
        await house.later(2)
        await house.recover()
        assert (await told(refunding(house, payment_id))).status == 200
        assert (await told(deciding(house, refund_id))).status == 200
    assert await house.broken() == []


async def test_a_payout_by_hand_is_approved_first(house):
    charged = await told(house.payments.charge(caller(key="c"), charging("1", method=PaymentMethod.COD)))
    payment_id = charged.payment_id
    await house.payments.collect(caller(), Collect(payment_id=payment_id, collector="Courier"))
    asked = await told(refunding(house, payment_id))
    refund_id = asked.document["refunds"][0]["refund_id"]
    early = await told(house.payments.pay_out(caller(), payment_id, refund_id))
    assert (asked.status, early.code) == (202, "illegal_state")
    approved = await told(deciding(house, refund_id))
    assert (approved.status, await standing(house, payment_id)) == (200, (0, 6000, ["PENDING"]))
    assert (await told(refunding(house, payment_id))).body == approved.body
    assert (await told(house.payments.pay_out(caller(), payment_id, refund_id))).status == 200
    assert await standing(house, payment_id) == (6000, 0, ["SUCCEEDED"])
    assert house.gateway.calls == []
    assert await house.broken() == []


async def test_another_merchants_approval_is_not_there(house):
    _, refund_id = await awaiting(house)
    command = DecideApproval(approval_id=refund_id, approves=True, reason="I looked at it")
    stranger = replace(caller(), merchant_id=MerchantId(2), actor="boss")
    assert (await told(house.payments.decide_approval(stranger, command))).code == "not_found"
    assert (await told(deciding(house, refund_id + 1))).code == "not_found"


async def test_many_who_approve_make_one_refund(house, second):
    payment_id, refund_id = await awaiting(house)
    answers = await all_told(
        *(deciding(h, refund_id, f"d{n}", actor=f"boss-{n}") for n in range(6) for h in (house, second))
    )
    assert Counter(answer.status for answer in answers)[200] >= 1
    refunds = [call for call in house.gateway.calls if call.kind.value == "refund"]
    assert len(refunds) == 1
    assert await standing(house, payment_id) == (6000, 0, ["SUCCEEDED"])
    assert await house.broken() == []


async def test_approve_against_reject_and_expiry(house, second):
    for number in range(6):
        payment_id, refund_id = await awaiting(house, f"o{number}", f"r{number}")
        if number % 2:
            await house.query(
                "UPDATE refunds SET approval_expires_at = clock_timestamp() + interval '5 ms' WHERE refund_id = $1",
                refund_id,
            )
        answers, expired = await asyncio.gather(
            all_told(
                deciding(house, refund_id, f"a{number}"),
                deciding(second, refund_id, f"b{number}", approves=False),
            ),
            ApprovalExpiry(second.payments).run_once(),
        )
        done = [answer.status == 200 for answer in answers]
        assert sum(done) + expired <= 1
        sent = [c for c in house.gateway.calls if c.order_id == f"o{number}" and c.kind.value == "refund"]
        assert len(sent) == done[0]
        refunded, _, _ = await standing(house, payment_id)
        assert refunded == 6000 * done[0]
    assert await house.broken() == []


@pytest.mark.parametrize(
    "point",
    ["before begin", "after begin", "before call", "after call", "before conclude", "after conclude"],
)
async def test_a_process_that_dies_while_it_approves(house, second, point):
    payment_id, refund_id = await awaiting(house)
    house.watch.crash_at = point
    await crashed(deciding(house, refund_id))
    for _ in range(3):
        await second.later(200)
        await second.recover()
    begun = point != "before begin"
    sent = [call for call in house.gateway.record.values() if call.call.kind.value == "refund"]
    assert len(sent) == begun
    again = await told(deciding(second, refund_id))
    assert (again.status, again.replayed) == (200, begun)
    own = await told(refunding(second, payment_id))
    assert (own.status, own.body) == (200, again.body)
    assert await standing(second, payment_id) == (6000, 0, ["SUCCEEDED"])
    assert len({c.key for c in house.gateway.calls if c.kind.value == "refund"}) == 1
    assert await second.broken() == []


@pytest.mark.parametrize("point", ["before begin", "after begin"])
async def test_a_process_that_dies_while_it_asks(house, second, point):
    payment_id = await paid(house)
    house.watch.crash_at = point
    await crashed(refunding(house, payment_id))
    answer = await told(refunding(second, payment_id))
    assert (answer.status, len(answer.document["refunds"])) == (202, 1)
    assert await second.broken() == []
