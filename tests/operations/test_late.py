"""Money that comes after its operation had ended otherwise: booked apart, then as the policy says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.commands import Cancel, Capture, ChangeStatus, RefundPayment
from eci_payments.operations.rules import LateSuccessPolicy
from support.engine import caller, charging, open_house, told

S = PaymentStatus
ACCEPT = {"late_success": LateSuccessPolicy.ACCEPT}
HOLD = {"late_success": LateSuccessPolicy.HOLD}


@pytest.fixture
async def open_with(service_url, gateway):
    """A process with rules of its own."""
    opened = []

    def make(**rules):
        opened.append(open_house(service_url, gateway, **rules))
        return opened[-1]

    yield make
    for house in opened:
        await house.close()


async def never_received(house, order="1", **fields):
    """A charge that the gateway has never seen: FAILED by its word."""
    house.gateway.plan(order, "charge" if fields.get("capture", True) else "authorize", "lost")
    answer = await told(house.payments.charge(caller(key=f"k-{order}"), charging(order, **fields)))
    await house.later(200, answer.payment_id)
    await house.recover()
    view = await house.view(answer.payment_id)
    assert (view.payment.status, view.operations[0].state) == (S.FAILED, "DECLINED")
    return answer.payment_id


async def arrives(house, payment_id, order="1", kind="charge", watch_s=61):
    """Its money is there after all, and the next watch sees it."""
    house.gateway.settle(order, kind, "approved")
    await house.later(watch_s, payment_id)
    await house.recover()


async def amounts(house, payment_id):
    payment = (await house.view(payment_id)).payment
    return payment.status, payment.amount_captured_minor, payment.amount_unapplied_minor


async def test_it_is_given_back(house):
    payment_id = await never_received(house)
    await arrives(house, payment_id)
    assert await amounts(house, payment_id) == (S.FAILED, 0, 10000)
    assert await house.broken() == []
    await house.later(2, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 0)
    assert await house.ledger(payment_id) == ["arrived_late:10000", "returned:10000"]
    assert (await house.events(payment_id))[-2:] == ["payment.late_success", "payment.late_success_returned"]
    assert [call.kind.value for call in house.gateway.calls] == ["charge", "refund"]
    assert await house.broken() == []


async def test_it_is_booked_once(house):
    payment_id = await never_received(house)
    await arrives(house, payment_id)
    for _ in range(3):
        await house.query("UPDATE operations SET due_at = now() WHERE payment_id = $1", payment_id)
        await house.recover()
    assert await house.ledger(payment_id) == ["arrived_late:10000", "returned:10000"]


async def test_its_return_is_sent_again_with_the_same_key(house):
    payment_id = await never_received(house)
    house.gateway.plan("1", "refund", "lost")
    await arrives(house, payment_id)
    await house.later(2, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 10000)
    await house.later(200, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 0)
    assert len({call.key for call in house.gateway.calls if call.kind == "refund"}) == 1
    assert await house.broken() == []


@pytest.mark.parametrize("outcome", ["declined", "cancelled"])
async def test_a_return_that_does_not_happen_leaves_it_where_a_person_finds_it(house, outcome):
    payment_id = await never_received(house)
    house.gateway.plan("1", "refund", outcome)
    await arrives(house, payment_id)
    await house.later(2, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 10000)
    assert await house.ledger(payment_id) == ["arrived_late:10000"]
    assert await house.broken() == []


async def test_it_is_held(open_with):
    house = open_with(**HOLD)
    payment_id = await never_received(house)
    await arrives(house, payment_id)
    await house.later(100, payment_id)
    assert await house.recover() == 0
    assert await amounts(house, payment_id) == (S.FAILED, 0, 10000)
    assert await house.broken() == []


async def test_it_is_accepted(open_with):
    house = open_with(**ACCEPT)
    payment_id = await never_received(house)
    await arrives(house, payment_id)
    assert await amounts(house, payment_id) == (S.COMPLETED, 10000, 0)
    payment = (await house.view(payment_id)).payment
    assert payment.failure is None
    assert payment.completed_at is not None
    assert await house.ledger(payment_id) == ["arrived_late:10000", "applied:10000"]
    assert (await house.events(payment_id))[-1] == "payment.completed"
    (event,) = await house.query(
        "SELECT data FROM events WHERE payment_id = $1 AND event_type = 'payment.completed'", payment_id
    )
    assert (event.data["reason"], event.data["previous_status"]) == ("late_success", "FAILED")
    assert await house.broken() == []
    refunded = await told(
        house.payments.refund(
            caller("refund", "r"), RefundPayment(payment_id=payment_id, reason="Changed mind")
        )
    )
    assert refunded.document["status"] == "REFUNDED"
    assert await house.broken() == []


async def cancelled_by_word(house, order="1"):
    """Waiting for its customer, and the gateway confirmed that it was given up."""
    house.gateway.plan(order, "charge", "action")
    payment_id = (await told(house.payments.charge(caller(key=f"k-{order}"), charging(order)))).payment_id
    await told(house.payments.cancel(caller("cancel"), Cancel(payment_id=payment_id)))
    for key, kept in list(house.gateway.record.items()):  # the gateway forgets what it confirmed
        if kept.call.kind == "charge":
            del house.gateway.record[key]
    return payment_id


async def test_it_is_accepted_by_a_cancelled_payment(open_with):
    house = open_with(**ACCEPT)
    payment_id = await cancelled_by_word(house)
    assert (await house.view(payment_id)).payment.status is S.CANCELLED
    await arrives(house, payment_id)
    assert await amounts(house, payment_id) == (S.COMPLETED, 10000, 0)
    assert await house.broken() == []


async def taken_over(house):
    assert (await told(house.payments.charge(caller(key="k-2"), charging("1")))).status == 201


async def taken_over_and_failed(house):
    house.gateway.plan("1", "charge", "declined")
    await taken_over(house)


async def in_another_currency(house):
    command = charging("1", 700, currency="JPY")
    assert (await told(house.payments.charge(caller(key="k-2"), command))).status == 201


@pytest.mark.parametrize(
    ("meanwhile", "status", "captured"),
    [
        (taken_over, S.COMPLETED, 10000),
        (taken_over_and_failed, S.FAILED, 0),
        (in_another_currency, S.COMPLETED, 700),
    ],
)
@pytest.mark.parametrize("rules", [{}, ACCEPT], ids=["refund", "accept"])
async def test_an_older_attempts_money_is_never_the_payments(open_with, rules, meanwhile, status, captured):
    house = open_with(**rules)
    payment_id = await never_received(house)
    first = house.gateway.calls[0].key
    await meanwhile(house)
    kept = next(c for c in house.gateway.calls if c.key == first)
    house.gateway._take(kept, "approved")
    await house.later(61, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (status, captured, 10000)
    assert await house.broken() == []
    await house.later(2, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (status, captured, 0)
    assert await house.broken() == []


async def test_nothing_is_accepted_while_something_is_open(open_with):
    """The money of the attempt before is still on its way back, outcome unknown."""
    house = open_with(**ACCEPT)
    payment_id = await never_received(house)
    house.gateway.plan("1", "charge", "lost")
    assert (await told(house.payments.charge(caller(key="k2"), charging("1")))).status == 202
    house.gateway.plan("1", "refund", "lost")
    first, second = house.gateway.calls
    house.gateway._take(first, "approved")
    await house.later(200, payment_id)  # the second is never received; the first has come late
    await house.recover()
    await house.later(2, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 10000)
    house.gateway._take(second, "approved")
    await house.later(61, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 20000)
    for _ in range(2):
        await house.later(200, payment_id)
        await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 0)
    assert await house.broken() == []


async def test_another_amount_is_not_accepted_and_booked_as_the_gateway_says(open_with):
    house = open_with(**ACCEPT)
    payment_id = await never_received(house)
    house.gateway._take(house.gateway.calls[0], "short")
    await house.later(61, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 9999)
    assert await house.broken() == []
    await house.later(2, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 0)
    assert await house.broken() == []


@pytest.mark.parametrize("rules", [{}, ACCEPT], ids=["refund", "accept"])
async def test_a_late_authorization_is_released(open_with, rules):
    house = open_with(**rules)
    payment_id = await never_received(house, capture=False)
    await arrives(house, payment_id, kind="authorize")
    assert await house.ledger(payment_id) == []
    await house.later(2, payment_id)
    await house.recover()
    assert [call.kind.value for call in house.gateway.calls] == ["authorize", "void"]
    assert await amounts(house, payment_id) == (S.FAILED, 0, 0)
    assert await house.broken() == []


async def test_a_watch_that_was_not_answered_counts_as_not_made(open_with):
    house = open_with(watches=(timedelta(minutes=1),))
    payment_id = await never_received(house)
    house.gateway.answer("1", "charge", "lost", "notsent")
    await arrives(house, payment_id)
    for _ in range(2):
        assert await amounts(house, payment_id) == (S.FAILED, 0, 0)
        await house.query("UPDATE operations SET due_at = now() WHERE payment_id = $1", payment_id)
        await house.recover()
    assert await amounts(house, payment_id) == (S.FAILED, 0, 10000)


async def test_the_watch_ends(house):
    payment_id = await never_received(house)
    looks = 0
    for seconds in (61, 600, 3600, 86400, 86400):
        await house.later(seconds, payment_id)
        looks += await house.recover()
    assert looks == 4
    assert (await house.view(payment_id)).operations[0].due_at is None


@pytest.mark.parametrize("outcome", ["pending", "action"])
async def test_a_gateway_that_forgets_what_it_had_acknowledged_proves_nothing(house, outcome):
    house.gateway.plan("1", "charge", outcome)
    payment_id = (await told(house.payments.charge(caller(key="k"), charging("1")))).payment_id
    before = (await house.view(payment_id)).payment
    kept = dict(house.gateway.record)
    house.gateway.record.clear()
    await house.later(600, payment_id)
    await house.recover()
    view = await house.view(payment_id)
    assert (view.payment.status, view.payment.version) == (before.status, before.version)
    assert view.operations[0].is_open
    house.gateway.record.update(kept)
    house.gateway.settle("1", "charge", "approved")
    await house.later(600, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.COMPLETED, 10000, 0)
    assert await house.broken() == []


@pytest.mark.parametrize("outcome", ["pending", "action"])
@pytest.mark.parametrize("word", ["lost", "notsent"])
async def test_an_inquiry_without_an_answer_takes_back_nothing(house, outcome, word):
    """What the gateway had acknowledged stays acknowledged, and its answer to the caller stays the answer."""
    house.gateway.plan("1", "charge", outcome)
    first = await told(house.payments.charge(caller(key="k"), charging("1")))
    house.gateway.answer("1", "charge", word)
    await house.later(2, first.payment_id)
    await house.recover()
    assert (await house.view(first.payment_id)).operations[0].state == {"action": "REQUIRES_ACTION"}.get(
        outcome, "PENDING"
    )
    again = await told(house.payments.charge(caller(key="k"), charging("1")))
    assert (again.body, again.replayed) == (first.body, True)


@pytest.mark.parametrize("kind", ["charge", "authorize", "capture", "refund"])
async def test_another_amount_than_ours_is_not_believed(house, kind):
    capture = kind in {"charge", "refund"}
    house.gateway.plan("1", kind, "short")
    answer = await told(house.payments.charge(caller(key="k"), charging("1", capture=capture)))
    payment_id = answer.payment_id
    if kind == "capture":
        answer = await told(house.payments.capture(caller("capture", "c"), Capture(payment_id=payment_id)))
    if kind == "refund":
        command = RefundPayment(payment_id=payment_id, reason="Customer asked")
        answer = await told(house.payments.refund(caller("refund", "r"), command))
    assert answer.status == 202
    await house.later(2, payment_id)
    await house.recover()
    newest = (await house.view(payment_id)).operations[-1]
    assert (newest.state, "instead of" in newest.outcome["reason"]) == ("UNKNOWN", True)
    assert await house.findings(payment_id) == []


async def unknown(house, order, kind, asking):
    house.gateway.plan(order, kind, "lost")
    answer = await told(asking)
    assert answer.status == 202
    return answer.payment_id


async def ended_by_operator(house, payment_id, status):
    command = ChangeStatus(payment_id=payment_id, status=status, reason="The gateway's support says so")
    return await told(house.payments.change_status(caller("status"), command))


async def test_a_capture_that_an_operator_denied(house):
    payment_id = (await told(house.payments.charge(caller(key="k"), charging("1", capture=False)))).payment_id
    await unknown(
        house, "1", "capture", house.payments.capture(caller("capture"), Capture(payment_id=payment_id))
    )
    assert (await ended_by_operator(house, payment_id, S.AUTHORIZED)).document["status"] == "AUTHORIZED"
    await arrives(house, payment_id, kind="capture")
    assert await amounts(house, payment_id) == (S.AUTHORIZED, 0, 10000)
    await house.later(2, payment_id)
    await house.recover()
    assert await amounts(house, payment_id) == (S.AUTHORIZED, 0, 0)
    assert await house.broken() == []


async def refund_denied(house, amount=None):
    payment_id = (await told(house.payments.charge(caller(key="k"), charging("1")))).payment_id
    command = RefundPayment(payment_id=payment_id, reason="Customer asked", amount=amount)
    await unknown(house, "1", "refund", house.payments.refund(caller("refund", "r"), command))
    assert (await ended_by_operator(house, payment_id, S.COMPLETED)).document["status"] == "COMPLETED"
    return payment_id


@pytest.mark.parametrize(
    ("amount", "status"), [(None, S.REFUNDED), (60, S.PARTIALLY_REFUNDED)], ids=["whole", "part"]
)
async def test_a_refund_that_an_operator_denied_and_that_went_through(house, amount, status):
    payment_id = await refund_denied(house, amount)
    await arrives(house, payment_id, kind="refund")
    view = await house.view(payment_id)
    assert view.payment.status is status
    assert [refund.status.value for refund in view.refunds] == ["FAILED", "SUCCEEDED"]
    assert await house.broken() == []


async def test_a_refund_that_went_through_beside_another_is_booked_as_overpaid(house):
    payment_id = await refund_denied(house)
    command = RefundPayment(payment_id=payment_id, reason="Customer asked again")
    assert (await told(house.payments.refund(caller("refund", "r2"), command))).status == 200
    first = next(call for call in house.gateway.calls if call.kind == "refund")
    house.gateway._take(first, "approved")
    await house.later(61, payment_id)
    await house.recover()
    assert await house.ledger(payment_id) == ["captured:10000", "refunded:10000", "overpaid:10000"]
    assert (await house.events(payment_id))[-1] == "refund.late_success"
    assert await house.broken() == []
