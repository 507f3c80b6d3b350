"""Webhooks in: an event concludes what is open, once, in any order, and nothing wrong is ever believed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.contract import ActionRequired, ActionType, Declined, Pending
from eci_payments.gateways.hooks import OperationTold, Subject, Unread
from eci_payments.operations.commands import Capture, RefundPayment
from eci_payments.recovery.inbox import InboxWorker
from support.engine import Crash, caller, charging, told
from support.inbox import event, inbox, outcome_of, pass_time, put, states, told_of, work_off

S = PaymentStatus


async def unknown_charge(house, order="1", turn="taken", **fields):
    """A charge whose outcome we do not know."""
    house.gateway.plan(order, "charge" if fields.get("capture", True) else "authorize", turn)
    answer = await told(house.payments.charge(caller(key=f"k-{order}"), charging(order, **fields)))
    assert answer.status == 202
    return (await house.view(answer.payment_id)).operations[0]


async def status(house, payment_id):
    return (await house.view(payment_id)).payment.status


@pytest.mark.parametrize(
    ("word", "becomes"), [("approved", S.COMPLETED), ("declined", S.FAILED), ("cancelled", S.FAILED)]
)
async def test_an_event_concludes_what_nobody_knew(house, word, becomes):
    operation = await unknown_charge(house, turn="taken" if word == "approved" else "lost")
    await put(house, told_of(operation, word))
    assert await work_off(house) == 1
    assert await status(house, operation.payment_id) is becomes
    assert await states(house) == ["APPLIED"]
    assert house.gateway.inquiries == []
    repeat = await told(house.payments.charge(caller(key="k-1"), charging("1")))
    assert (repeat.status, repeat.replayed) == (201, True)
    assert repeat.document["status"] == becomes
    view = await house.view(operation.payment_id)
    assert view.audit[-1].actor == "webhook:scripted"
    assert await house.findings(operation.payment_id) == []


async def test_the_same_event_is_kept_and_applied_once(house):
    operation = await unknown_charge(house)
    twice = event(told_of(operation), "evt-same")
    await put(house, twice, twice)
    await work_off(house)
    await put(house, twice)
    assert await work_off(house) == 0
    assert await states(house) == ["APPLIED"]
    assert await house.ledger(operation.payment_id) == ["captured:10000"]


async def test_other_events_that_say_the_same_change_nothing(house):
    operation = await unknown_charge(house)
    await put(house, *[told_of(operation) for _ in range(3)])
    await work_off(house)
    assert sorted(await states(house)) == ["APPLIED", "IGNORED", "IGNORED"]
    assert await house.ledger(operation.payment_id) == ["captured:10000"]
    assert await house.broken() == []


@pytest.mark.parametrize(
    "fields",
    [{"currency": "USD"}, {"amount_minor": 10001}, {"amount": 10001}, {"amount": 9999}, {"amount": 1}],
)
async def test_another_amount_or_currency_is_recorded_and_not_believed(house, fields):
    operation = await unknown_charge(house)
    if "amount" in fields:
        fields = {"outcome": outcome_of(operation, amount_minor=fields["amount"]), "amount_minor": None}
    await put(house, told_of(operation, **fields))
    await work_off(house)
    assert await states(house) == ["MISMATCH"]
    view = await house.view(operation.payment_id)
    assert (view.payment.status, view.operations[0].state) == (S.PROCESSING, "UNKNOWN")
    assert view.audit[-1].status == "MISMATCH"
    assert (await house.events(operation.payment_id))[-1] == "payment.gateway_mismatch"
    assert await house.ledger(operation.payment_id) == []
    assert await house.findings(operation.payment_id) == []
    assert await house.recover() == 1, "the gateway is asked at once"
    assert await status(house, operation.payment_id) is S.COMPLETED
    assert await house.broken() == []


async def test_an_event_of_another_currency_about_a_paid_one_changes_nothing(house):
    answer = await told(house.payments.charge(caller(key="k"), charging("1")))
    operation = (await house.view(answer.payment_id)).operations[0]
    await put(house, told_of(operation, currency="USD"))
    await work_off(house)
    assert await states(house) == ["MISMATCH"]
    assert await house.ledger(answer.payment_id) == ["captured:10000"]
    assert await house.broken() == []


async def test_an_event_about_nothing_of_ours_waits_and_is_parked(house):
    operation = await unknown_charge(house)
    stranger = replace(operation, gateway_key="a-key-that-is-not-ours")
    await put(house, told_of(stranger))
    assert await work_off(house) == 1
    (row,) = await inbox(house)
    assert (row.state, row.attempts, row.due_at is not None) == ("PENDING", 1, True)
    for _ in range(4):
        await pass_time(house, 61)
        await work_off(house)
    assert await states(house) == ["PENDING"]
    await pass_time(house, 900)
    await work_off(house)
    (row,) = await inbox(house)
    assert (row.state, row.payment_id) == ("PARKED", None)
    assert await status(house, operation.payment_id) is S.PROCESSING


async def test_a_charge_is_found_by_the_gateways_own_id(house):
    operation = await unknown_charge(house)
    await house.query("UPDATE operations SET gateway_reference = 'pay_1'")
    await put(house, told_of(operation, about=Subject(charges=("order_1", "pay_1"))))
    await work_off(house)
    assert await status(house, operation.payment_id) is S.COMPLETED


async def test_another_gateways_account_has_no_say(house):
    operation = await unknown_charge(house)
    await put(house, told_of(operation))
    await house.query("UPDATE gateway_inbox SET account = 'another'")
    await work_off(house)
    assert await states(house) == ["PENDING"]
    assert await status(house, operation.payment_id) is S.PROCESSING


async def test_what_is_not_decided_only_has_the_gateway_asked(house):
    operation = await unknown_charge(house)
    acts = ActionRequired("ref", ActionType.REDIRECT, url="https://bank.example/1")
    await put(house, told_of(operation, outcome=acts))
    await work_off(house)
    assert await states(house) == ["APPLIED"]
    assert await status(house, operation.payment_id) is S.PROCESSING
    assert await house.recover() == 1
    assert await status(house, operation.payment_id) is S.COMPLETED


async def test_the_caller_and_the_webhook_answer_the_same(house):
    """The event comes while the call is in flight: whoever is first concludes, the other finds it done."""
    house.gateway.plan("1", "charge", "slow")
    asking = asyncio.create_task(told(house.payments.charge(caller(key="k"), charging("1"))))
    await asyncio.wait_for(house.gateway.arrived.wait(), 20)
    operation = (await house.view_of_order("1")).operations[0]
    await put(house, told_of(operation, outcome=Pending("ref")), told_of(operation))
    await work_off(house)
    assert await states(house) == ["IGNORED", "APPLIED"]
    assert await status(house, operation.payment_id) is S.COMPLETED
    house.gateway.released.set()
    answer = await asking
    repeat = await told(house.payments.charge(caller(key="k"), charging("1")))
    assert (answer.status, answer.document["status"]) == (201, "COMPLETED")
    assert answer.body == repeat.body
    assert await house.ledger(operation.payment_id) == ["captured:10000"]
    assert await house.broken() == []


async def test_a_capture_made_in_the_gateways_dashboard_is_held_for_a_person(house):
    answer = await told(house.payments.charge(caller(key="k"), charging("1", capture=False)))
    operation = (await house.view(answer.payment_id)).operations[0]
    await put(house, told_of(operation, captures=True))
    await work_off(house)
    assert await states(house) == ["MISMATCH"]
    assert await status(house, answer.payment_id) is S.AUTHORIZED


async def test_what_captures_an_authorization_concludes_our_capture(house):
    answer = await told(house.payments.charge(caller(key="k"), charging("1", capture=False)))
    house.gateway.plan("1", "capture", "taken")
    taken = await told(
        house.payments.capture(caller("capture", "c"), Capture(payment_id=answer.payment_id, amount="60"))
    )
    assert taken.status == 202
    authorization, capture = (await house.view(answer.payment_id)).operations
    said = told_of(authorization, captures=True, amount_minor=None, outcome=outcome_of(capture))
    await put(house, said, said)
    await work_off(house)
    assert await states(house) == ["APPLIED", "IGNORED"]
    assert await house.ledger(answer.payment_id) == ["captured:6000"]
    assert await house.broken() == []


async def test_money_that_came_late_is_booked_by_its_event(house):
    operation = await unknown_charge(house, turn="lost")
    await house.later(200, operation.payment_id)
    await house.recover()
    assert await status(house, operation.payment_id) is S.FAILED
    house.gateway.settle("1", "charge", "approved")
    await put(house, told_of(operation))
    await work_off(house)
    assert await states(house) == ["APPLIED"]
    assert await house.ledger(operation.payment_id) == ["arrived_late:10000"]
    assert await house.broken() == []


async def test_a_refund_that_fails_after_it_was_done_is_held_for_a_person(house):
    answer = await told(house.payments.charge(caller(key="k"), charging("1")))
    refund = RefundPayment(payment_id=answer.payment_id, reason="It came back")
    assert (await told(house.payments.refund(caller("refund", "r"), refund))).status == 200
    operation = (await house.view(answer.payment_id)).operations[1]
    await put(house, told_of(operation, "declined"))
    await work_off(house)
    assert await states(house) == ["MISMATCH"]
    assert await status(house, answer.payment_id) is S.REFUNDED


async def test_what_changes_nothing_says_why(house):
    await put(house, Unread(why="a customer was created"))
    await work_off(house)
    (row,) = await inbox(house)
    assert (row.state, row.why) == ("IGNORED", "a customer was created")


async def test_a_row_that_cannot_be_read_is_parked(house):
    operation = await unknown_charge(house)
    await put(house, told_of(operation))
    await house.query('UPDATE gateway_inbox SET told = \'{"is": "of a later release"}\'')
    await work_off(house)
    assert await states(house) == ["PARKED"]


async def test_a_worker_that_dies_leaves_its_events_to_the_next(house, second):
    operation = await unknown_charge(house)
    await put(house, told_of(operation))
    house.watch.crash_at = "after inbox claim"
    with pytest.raises(Crash):
        await InboxWorker(house.payments).run_once()
    assert await work_off(second) == 0
    await pass_time(house, 31)
    assert await work_off(second) == 1
    assert await states(house) == ["APPLIED"]
    assert await house.broken() == []


async def test_workers_side_by_side_apply_each_event_once(house, second):
    operations = [await unknown_charge(house, str(order)) for order in range(12)]
    await put(house, *(told_of(operation) for operation in operations for _ in range(2)))
    await asyncio.gather(work_off(house), work_off(second), work_off(house))
    assert sorted(await states(house)) == ["APPLIED"] * 12 + ["IGNORED"] * 12
    assert await house.broken() == []


async def test_card_data_in_a_payload_is_not_kept(house):
    payload = {
        "card": {"number": "4242424242424242", "cvc": "123"},
        "note": "4242 4242 4242 4242",
        "email": "a@b.example",
    }
    await put(house, event(Unread(why="nothing"), payload=payload))
    ((text,),) = await house.query("SELECT gateway_inbox::text FROM gateway_inbox")
    assert "4242424242" not in text.replace(" ", "")
    assert "123" not in text
    assert "a@b.example" not in text


async def test_card_data_in_what_was_told_is_not_kept(house):
    said = Declined("do_not_honor", "4242 4242 4242 4242 with 917", reference="ref-4242424242424242")
    word = OperationTold(about=Subject(key="nobody"), currency="INR", outcome=said)
    await put(house, event(word, event_id="evt-1"))
    ((text,),) = await house.query("SELECT told::text FROM gateway_inbox")
    assert "4242424242" not in text.replace(" ", "")
    assert "917" not in text
