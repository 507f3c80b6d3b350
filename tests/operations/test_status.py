"""What an operator may say of a payment, and what it takes to be believed."""

from __future__ import annotations

import pytest

from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.commands import Cancel, Capture, ChangeStatus, Create, RefundPayment
from support.engine import caller, charging, told

S = PaymentStatus
WHY = "The gateway's support says so"


async def say(house, payment_id, status, reason=WHY, key=None, **fields):
    command = ChangeStatus(payment_id=payment_id, status=S(status), reason=reason, **fields)
    return await told(house.payments.change_status(caller("status", key), command))


async def charged(house, **fields):
    return (await told(house.payments.charge(caller(key="setup"), charging("1", **fields)))).payment_id


async def unknown_charge(house):
    house.gateway.plan("1", "charge", "lost")
    return await charged(house)


async def unknown_authorization(house):
    house.gateway.plan("1", "authorize", "lost")
    return await charged(house, capture=False)


async def unknown_capture(house, amount=None):
    house.gateway.plan("1", "capture", "lost")
    payment_id = await charged(house, capture=False)
    await house.payments.capture(caller("capture", "k"), Capture(payment_id=payment_id, amount=amount))
    return payment_id


async def unknown_void(house, captured=None):
    payment_id = await charged(house, capture=False)
    if captured:
        command = Capture(payment_id=payment_id, amount=captured, final=False)
        await house.payments.capture(caller("capture", "k"), command)
    house.gateway.plan("1", "void", "lost")
    await house.payments.cancel(caller("cancel", "k"), Cancel(payment_id=payment_id))
    return payment_id


async def unknown_rest(house):
    return await unknown_void(house, 40)


async def unknown_refund(house, amount=None, earlier=None):
    payment_id = await charged(house)
    for sum_of_money in (earlier, amount):
        if sum_of_money == amount:
            house.gateway.plan("1", "refund", "lost")
        if sum_of_money or sum_of_money == amount:
            command = RefundPayment(payment_id=payment_id, reason="Customer asked", amount=sum_of_money)
            await house.payments.refund(caller("refund", f"k-{sum_of_money}"), command)
    return payment_id


async def unknown_part_refund(house):
    return await unknown_refund(house, 60)


async def unknown_last_refund(house):
    return await unknown_refund(house, None, 40)


async def unknown_middle_refund(house):
    return await unknown_refund(house, 30, 40)


async def unknown_cancellation(house):
    house.gateway.plan("1", "charge", "action")
    house.gateway.plan("1", "cancel_action", "lost")
    payment_id = await charged(house)
    await house.payments.cancel(caller("cancel", "k"), Cancel(payment_id=payment_id))
    return payment_id


# what is unknown        | what the operator says | what comes of it
ENDINGS = """
unknown_charge           | COMPLETED              | COMPLETED
unknown_charge           | FAILED                 | FAILED
unknown_charge           | AUTHORIZED             | illegal_state
unknown_charge           | CANCELLED              | illegal_state
unknown_authorization    | AUTHORIZED             | AUTHORIZED
unknown_authorization    | FAILED                 | FAILED
unknown_authorization    | COMPLETED              | illegal_state
unknown_capture          | COMPLETED              | COMPLETED
unknown_capture          | AUTHORIZED             | AUTHORIZED
unknown_capture          | FAILED                 | illegal_state
unknown_void             | CANCELLED              | CANCELLED
unknown_void             | AUTHORIZED             | AUTHORIZED
unknown_void             | COMPLETED              | illegal_state
unknown_rest             | COMPLETED              | COMPLETED
unknown_rest             | CANCELLED              | illegal_state
unknown_refund           | REFUNDED               | REFUNDED
unknown_refund           | COMPLETED              | COMPLETED
unknown_refund           | PARTIALLY_REFUNDED     | illegal_state
unknown_part_refund      | PARTIALLY_REFUNDED     | PARTIALLY_REFUNDED
unknown_part_refund      | COMPLETED              | COMPLETED
unknown_part_refund      | REFUNDED               | illegal_state
unknown_last_refund      | REFUNDED               | REFUNDED
unknown_last_refund      | PARTIALLY_REFUNDED     | PARTIALLY_REFUNDED denied
unknown_last_refund      | COMPLETED              | PARTIALLY_REFUNDED denied
unknown_middle_refund    | PARTIALLY_REFUNDED     | PARTIALLY_REFUNDED
unknown_middle_refund    | COMPLETED              | PARTIALLY_REFUNDED denied
unknown_cancellation     | CANCELLED              | CANCELLED
unknown_cancellation     | REQUIRES_ACTION        | REQUIRES_ACTION
unknown_cancellation     | FAILED                 | illegal_state
"""
CASES = [tuple(cell.strip() for cell in line.split("|")) for line in ENDINGS.strip().splitlines()]


@pytest.mark.parametrize(("what", "status", "result"), CASES)
async def test_an_unknown_outcome_is_ended_by_a_status_the_payment_would_have(house, what, status, result):
    payment_id = await globals()[what](house)
    answer = await say(house, payment_id, status)
    wanted, _, denied = result.partition(" ")
    if wanted == "illegal_state":
        assert (answer.status, answer.code) == (0, "illegal_state")
        assert "UNKNOWN" in {o.state for o in (await house.view(payment_id)).operations}
        return
    assert answer.status == 200
    view = await house.view(payment_id)
    assert view.payment.status == wanted
    assert "UNKNOWN" not in {o.state for o in view.operations}
    if "refund" in what:
        assert view.refunds[-1].status == ("FAILED" if denied or wanted == "COMPLETED" else "SUCCEEDED")
    last = view.audit[-1]
    assert (last.reason, last.description) == (WHY, f"{last.status}, by an operator's word")
    assert await house.findings(payment_id) == []


async def test_whoever_began_it_gets_the_true_answer(house):
    payment_id = await unknown_charge(house)
    await say(house, payment_id, "COMPLETED")
    again = await told(house.payments.charge(caller(key="setup"), charging("1")))
    assert (again.status, again.replayed, again.document["status"]) == (201, True, "COMPLETED")


async def test_a_denied_capture_is_a_problem_to_whoever_began_it(house):
    payment_id = await unknown_capture(house)
    await say(house, payment_id, "AUTHORIZED")
    again = await told(house.payments.capture(caller("capture", "k"), Capture(payment_id=payment_id)))
    assert (again.status, again.code, again.replayed) == (409, "gateway_declined", True)


async def test_it_needs_a_reason(house):
    payment_id = await unknown_charge(house)
    assert (await say(house, payment_id, "FAILED", reason=None)).code == "reason_required"
    assert house.gateway.inquiries == []


async def test_the_gateways_own_word_goes_before(house):
    house.gateway.plan("1", "charge", "taken")
    payment_id = await charged(house)
    answer = await say(house, payment_id, "FAILED")
    assert answer.code == "illegal_state"
    assert (await house.view(payment_id)).payment.status is S.COMPLETED
    assert (await say(house, payment_id, "COMPLETED")).code == "illegal_state"


async def test_the_gateways_word_that_agrees_is_the_answer(house):
    house.gateway.plan("1", "charge", "taken")
    payment_id = await charged(house)
    answer = await say(house, payment_id, "COMPLETED", key="s")
    assert (answer.status, answer.document["status"]) == (200, "COMPLETED")
    again = await say(house, payment_id, "COMPLETED", key="s")
    assert (again.body, again.replayed) == (answer.body, True)


async def test_an_inquiry_that_could_not_be_made_is_none(house):
    payment_id = await unknown_charge(house)
    house.gateway.answer("1", "charge", "notsent")
    assert (await say(house, payment_id, "FAILED")).code == "inquiry_required"
    assert (await say(house, payment_id, "FAILED")).status == 200


async def test_an_old_inquiry_is_made_anew(house):
    payment_id = await unknown_charge(house)
    await house.later(2, payment_id)
    await house.recover()
    await house.later(50, payment_id)
    asked = len(house.gateway.inquiries)
    await house.query(
        "UPDATE operations SET due_at = now() + interval '1 hour' WHERE payment_id = $1", payment_id
    )
    house.gateway.answer("1", "charge", "lost")
    assert (await say(house, payment_id, "AUTHORIZED")).code == "illegal_state"
    assert len(house.gateway.inquiries) == asked
    await house.later(11, payment_id)
    assert (await say(house, payment_id, "FAILED")).status == 200
    assert len(house.gateway.inquiries) == asked + 1


async def test_asking_does_not_send_again(house):
    payment_id = await unknown_capture(house)
    await house.later(200, payment_id)
    await say(house, payment_id, "AUTHORIZED")
    assert [call.kind.value for call in house.gateway.calls] == ["authorize", "capture"]


async def test_the_return_of_late_money_is_not_in_the_way(house):
    """A payment whose late money is on its way back, outcome unknown, is registered anew and paid outside."""
    payment_id = await unknown_charge(house)
    await say(house, payment_id, "FAILED")
    house.gateway.settle("1", "charge", "approved")
    house.gateway.plan("1", "refund", "lost")
    for seconds in (61, 2):
        await house.later(seconds, payment_id)
        await house.recover()
    assert "UNKNOWN" in {o.state for o in (await house.view(payment_id)).operations}
    again = charging("1", method=PaymentMethod.COD)
    assert (await told(house.payments.charge(caller(key="cod"), again))).document["status"] == "PENDING"
    assert (await say(house, payment_id, "COMPLETED")).document["status"] == "COMPLETED"
    assert await house.findings(payment_id) == []


async def pending(house, method):
    command = charging("1")
    create = Create(order_id=command.order_id, user_id=command.user_id, amount_minor=10000, currency="INR",
                    method=method)  # fmt: skip
    return (await told(house.payments.create(caller("create"), create))).payment_id


@pytest.mark.parametrize(
    ("method", "holder"), [(PaymentMethod.COD, "cod:in_transit"), (PaymentMethod.UPI, "external")]
)
async def test_money_taken_outside_is_booked_and_paid_back_by_hand(house, method, holder):
    payment_id = await pending(house, method)
    assert (await say(house, payment_id, "COMPLETED")).document["status"] == "COMPLETED"
    (entry,) = await house.query("SELECT debit_account FROM ledger_entries")
    assert entry.debit_account == holder
    command = RefundPayment(payment_id=payment_id, reason="Customer asked")
    refund = await told(house.payments.refund(caller("refund", "r"), command))
    assert (refund.status, refund.document["refunds"][0]["status"]) == (200, "PENDING")
    assert house.gateway.calls == []
    refund_id = refund.document["refunds"][0]["refund_id"]
    paid = await told(house.payments.pay_out(caller("status"), payment_id, refund_id))
    assert paid.document["status"] == "REFUNDED"
    assert (
        await told(house.payments.pay_out(caller("status"), payment_id, refund_id))
    ).code == "illegal_state"
    assert await house.broken() == []


async def test_pending_is_failed_by_hand(house):
    payment_id = await pending(house, PaymentMethod.UPI)
    assert (await say(house, payment_id, "FAILED")).document["failure"]["code"] == "failed_by_operator"
    assert await house.broken() == []


@pytest.mark.parametrize("status", ["PENDING", "PROCESSING", "FAILED", "CANCELLED", "COMPLETED"])
async def test_what_is_paid_is_not_said_otherwise(house, status):
    payment_id = await charged(house)
    assert (await say(house, payment_id, status)).code == "illegal_state"


async def test_refunded_is_said_by_refunding(house):
    payment_id = await charged(house)
    assert (await say(house, payment_id, "REFUNDED")).code == "use_refund_endpoint"
