"""What is refused, by name, and leaves nothing behind."""

from __future__ import annotations

from decimal import Decimal

import pytest

from eci_payments.domain.ids import OrderId, PaymentId, UserId
from eci_payments.domain.methods import Card, PaymentMethod, Upi
from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.commands import Cancel, Capture, Confirm, Create, RefundPayment
from support.engine import caller, charging, open_house, told
from support.gateway import CAPABILITIES, ScriptedGateway

S = PaymentStatus


async def charge(house, order="1", key=None, amount_minor=10000, **fields):
    return await told(house.payments.charge(caller(key=key), charging(order, amount_minor, **fields)))


async def refund(house, payment_id, amount=None, key=None):
    command = RefundPayment(payment_id=payment_id, reason="Customer asked", amount=amount)
    return await told(house.payments.refund(caller("refund", key), command))


async def capture(house, payment_id, amount=None, key=None, *, final=True):
    command = Capture(payment_id=payment_id, amount=amount, final=final)
    return await told(house.payments.capture(caller("capture", key), command))


def creating(order):
    return Create(
        order_id=OrderId(order),
        user_id=UserId("7"),
        amount_minor=10000,
        currency="INR",
        method=PaymentMethod.UPI,
    )


# the order's payment is       | a charge of it is answered
TAKEN = """
approved                       | order_already_paid
action                         | order_in_progress
pending                        | order_in_progress
lost                           | order_outcome_unknown
declined                       |
notsent                        |
"""


@pytest.mark.parametrize(
    ("outcome", "code"), [[c.strip() for c in line.split("|")] for line in TAKEN.strip().split("\n")]
)
async def test_an_order_has_one_payment(house, outcome, code):
    house.gateway.plan("1", "charge", outcome)
    first = await charge(house, key="a")
    again = await charge(house, key="b")
    assert again.code == code
    if code:
        assert await house.key("charge", "b") is None
        return
    view = await house.view_of_order("1")
    assert (view.payment.status, view.payment.attempt) == (S.COMPLETED, 2)
    assert again.payment_id == view.payment.payment_id
    assert first.status in {201, 502}


async def test_a_refunded_order_is_not_charged_again(house):
    payment_id = (await charge(house)).payment_id
    await refund(house, payment_id)
    assert (await charge(house)).code == "order_refunded"


async def test_a_new_attempt_must_be_the_same_users(house):
    house.gateway.plan("1", "charge", "declined")
    await charge(house)
    command = charging("1")
    other = type(command)(**{**{n: getattr(command, n) for n in command.__slots__}, "user_id": UserId("8")})
    assert (await told(house.payments.charge(caller(), other))).code == "user_mismatch"


async def test_a_new_attempt_has_its_own_amount_currency_and_method_and_nothing_of_the_old_one(house):
    house.gateway.plan("1", "charge", "declined")
    await charge(house, metadata={"a": "1"}, reference="R1")
    again = await charge(house, amount_minor=700, currency="JPY", method=PaymentMethod.WALLET)
    document = again.document
    assert (document["amount"], document["currency"], document["payment_method"]) == (700, "JPY", "WALLET")
    assert (document["failure"], document["metadata"], document["reference"]) == (None, {}, "R1")
    assert await house.broken() == []


async def test_the_limit_is_in_major_units_of_any_currency(house):
    assert (await charge(house, "1", amount_minor=10_000_001)).code == "amount_above_limit"
    assert (await charge(house, "2", amount_minor=100_001, currency="JPY")).code == "amount_above_limit"
    assert (await charge(house, "3", "k", amount_minor=100_000_000, currency="KWD")).status == 201


@pytest.mark.parametrize("instrument", [Card("4242424242424242", 12, 2030, "123"), Upi("a@b")])
async def test_details_must_fit_the_method(house, instrument):
    method = PaymentMethod.WALLET
    assert (await charge(house, method=method, instrument=instrument)).code == "validation_failed"
    assert (await charge(house, method=PaymentMethod.COD, instrument=instrument)).code == "validation_failed"


async def test_what_no_gateway_takes(service_url):
    able = type(CAPABILITIES)(
        methods=frozenset({PaymentMethod.CREDIT_CARD}),
        currencies=frozenset({"INR"}),
        instrument_required=frozenset({PaymentMethod.CREDIT_CARD}),
    )
    house = open_house(service_url, ScriptedGateway(capabilities=able))
    assert (await charge(house)).code == "method_not_supported"
    assert (
        await charge(house, method=PaymentMethod.CREDIT_CARD, currency="JPY")
    ).code == "method_not_supported"
    assert (await charge(house, method=PaymentMethod.CREDIT_CARD)).code == "instrument_required"
    assert await house.view_of_order("1") is None
    card = Card("4242424242424242", 12, 2030, "123")
    payment_id = (
        await charge(house, method=PaymentMethod.CREDIT_CARD, instrument=card, capture=False)
    ).payment_id
    assert (await capture(house, payment_id, 40, final=False)).code == "partial_capture_unsupported"
    assert (await capture(house, payment_id, 40)).status == 200
    await house.close()


async def test_an_account_that_is_gone_sends_nothing(house, service_url):
    payment_id = (await charge(house)).payment_id
    other = open_house(service_url, ScriptedGateway(name="other"), seed=2)
    answer = await refund(other, payment_id)
    assert (answer.status, answer.code) == (502, "gateway_unreachable")
    await other.close()
    assert await house.broken() == []


@pytest.mark.parametrize("amount", ["100.01", 101, Decimal("100.01")])
async def test_more_than_is_left(house, amount):
    payment_id = (await charge(house, "1")).payment_id
    assert (await refund(house, payment_id, amount, "k")).code == "amount_exceeds_refundable"
    assert await house.key("refund", "k") is None
    payment_id = (await charge(house, "2", capture=False)).payment_id
    assert (await capture(house, payment_id, amount)).code == "amount_exceeds_authorized"
    assert len(house.gateway.calls) == 2


@pytest.mark.parametrize("amount", ["0", "-1", "1.001", "x", 0])
async def test_what_is_no_amount(house, amount):
    payment_id = (await charge(house)).payment_id
    assert (await refund(house, payment_id, amount)).code == "validation_failed"


async def test_nothing_is_left_to_refund(house):
    payment_id = (await charge(house)).payment_id
    house.gateway.plan("1", "refund", "pending")
    await refund(house, payment_id, key="a")
    assert (await refund(house, payment_id, key="b")).code == "amount_exceeds_refundable"


async def test_without_a_key_an_equal_refund_is_a_likely_repeat(house):
    payment_id = (await charge(house)).payment_id
    assert (await refund(house, payment_id, 30)).status == 200
    assert (await refund(house, payment_id, "30.00")).code == "possible_duplicate"
    assert (await refund(house, payment_id, 30, "meant")).status == 200
    assert (await refund(house, payment_id, 10)).status == 200
    await house.later(24 * 3600 + 1)
    assert (await refund(house, payment_id, 30)).status == 200
    assert await house.broken() == []


async def test_without_a_key_a_refund_that_did_not_happen_may_be_repeated(house):
    payment_id = (await charge(house)).payment_id
    house.gateway.plan("1", "refund", "declined", "notsent", "lost")
    for status in (409, 502, 202):
        assert (await refund(house, payment_id, 30)).status == status
    assert (await refund(house, payment_id, 30)).code == "possible_duplicate"


async def test_without_a_key_a_capture_that_did_not_happen_may_be_repeated(house):
    payment_id = (await charge(house, capture=False)).payment_id
    house.gateway.plan("1", "capture", "declined", "cancelled", "notsent")
    for status in (409, 409, 502, 200):
        assert (await capture(house, payment_id)).status == status


async def test_without_a_key_an_equal_capture_is_a_likely_repeat(house):
    payment_id = (await charge(house, capture=False)).payment_id
    assert (await capture(house, payment_id, 60, final=False)).status == 200
    assert (await capture(house, payment_id, 60)).code == "possible_duplicate"
    assert (await capture(house, payment_id, 40)).status == 200
    assert (await capture(house, payment_id, 40)).code == "possible_duplicate"
    assert await house.broken() == []


async def test_without_a_key_a_repeat_of_the_last_refund_is_a_likely_repeat(house):
    payment_id = (await charge(house)).payment_id
    assert (await refund(house, payment_id, 40)).status == 200
    assert (await refund(house, payment_id)).document["status"] == "REFUNDED"
    assert [(await refund(house, payment_id, amount)).code for amount in (None, 60, "40.00", 50)] == [
        *["possible_duplicate"] * 3,
        "illegal_state",
    ]
    assert (await refund(house, payment_id, key="meant")).code == "illegal_state"
    await house.later(24 * 3600 + 1)
    assert (await refund(house, payment_id)).code == "illegal_state"


async def test_without_a_key_a_repeat_of_the_refund_of_all_while_that_is_under_way_is_a_likely_repeat(house):
    house.gateway.plan("1", "refund", "pending")
    payment_id = (await charge(house)).payment_id
    assert (await refund(house, payment_id)).status == 200
    assert (await refund(house, payment_id)).code == "possible_duplicate"


async def test_without_a_key_a_repeat_of_the_last_capture_is_a_likely_repeat(house):
    payment_id = (await charge(house, capture=False)).payment_id
    assert (await capture(house, payment_id, 60, final=False)).status == 200
    assert (await capture(house, payment_id)).document["status"] == "COMPLETED"
    assert (await capture(house, payment_id)).code == "possible_duplicate"
    assert (await capture(house, payment_id, 30)).code == "illegal_state"
    await refund(house, payment_id, 10)
    assert (await capture(house, payment_id)).code == "possible_duplicate"
    charged = (await charge(house, "2")).payment_id
    assert (await capture(house, charged)).code == "illegal_state"


async def test_the_capture_of_an_earlier_attempt_is_no_likely_repeat(house):
    payment_id = (await charge(house, capture=False)).payment_id
    house.gateway.plan("1", "capture", "cancelled")
    assert (await capture(house, payment_id)).status == 409
    await told(house.payments.cancel(caller("cancel"), Cancel(payment_id=payment_id)))
    await charge(house, capture=False)
    assert (await capture(house, payment_id)).status == 200
    assert await house.broken() == []


async def test_nothing_starts_beside_what_is_unknown_but_refunds_that_fit(house):
    house.gateway.plan("1", "capture", "lost")
    payment_id = (await charge(house, capture=False)).payment_id
    await capture(house, payment_id, 50, "k", final=False)
    assert (await capture(house, payment_id, 10, "l")).code == "operation_in_progress"
    cancelled = await told(house.payments.cancel(caller("cancel"), Cancel(payment_id=payment_id)))
    assert cancelled.code == "operation_in_progress"
    assert (await refund(house, payment_id)).code == "operation_in_progress"

    house.gateway.plan("2", "refund", "lost")
    payment_id = (await charge(house, "2")).payment_id
    await refund(house, payment_id, 60, "a")
    assert (await refund(house, payment_id, 50, "b")).code == "amount_exceeds_refundable"
    assert (await refund(house, payment_id, 40, "c")).status == 200
    assert await house.broken() == []


@pytest.mark.parametrize("asking", ["refund", "capture", "cancel", "confirm"])
async def test_what_does_not_exist(house, asking):
    who, payment_id = caller(asking, "k"), PaymentId(10**12)
    command = {
        "refund": lambda: house.payments.refund(
            who, RefundPayment(payment_id=payment_id, reason="Customer asked")
        ),
        "capture": lambda: house.payments.capture(who, Capture(payment_id=payment_id)),
        "cancel": lambda: house.payments.cancel(who, Cancel(payment_id=payment_id)),
        "confirm": lambda: house.payments.confirm(who, Confirm(payment_id=payment_id)),
    }[asking]
    assert (await told(command())).code == "not_found"
    assert await house.key(asking, "k") is None


async def test_one_payment_takes_so_many_operations(service_url):
    """Attempts leave room for captures, and captures for refunds."""
    house = open_house(service_url, ScriptedGateway(), max_operations=8)
    house.gateway.plan("1", "authorize", "declined", "declined", "declined")
    answers = [await charge(house, capture=False) for _ in range(4)]
    assert [a.document["status"] for a in answers] == ["FAILED", "FAILED", "FAILED", "AUTHORIZED"]
    payment_id = answers[0].payment_id
    captures = [await capture(house, payment_id, amount, final=False) for amount in (1, 2, 3)]
    assert [a.code for a in captures] == ["", "", "too_many_operations"]
    await told(house.payments.cancel(caller("cancel"), Cancel(payment_id=payment_id)))
    assert [(await refund(house, payment_id, n)).code for n in ("1.5", 1)] == ["", "too_many_operations"]
    assert await house.broken() == []

    house.gateway.plan("2", "charge", *["declined"] * 5)
    codes = [(await charge(house, "2")).code for _ in range(5)]
    assert codes == ["", "", "", "", "too_many_operations"]
    await house.close()


async def test_a_repeat_gets_the_first_answer_whatever_would_be_refused_by_now(house, service_url):
    first = await charge(house, "1", "k")
    created = await told(house.payments.create(caller("create", "c"), creating("2")))
    card = type(CAPABILITIES)(methods=frozenset({PaymentMethod.CREDIT_CARD}), currencies=None)
    other = open_house(service_url, ScriptedGateway(capabilities=card), seed=2)
    strict = open_house(service_url, ScriptedGateway(), seed=3, max_charge_amount=Decimal(1))
    for process in (other, strict):
        again = await charge(process, "1", "k")
        assert (again.body, again.replayed) == (first.body, True)
    again = await told(strict.payments.create(caller("create", "c"), creating("2")))
    assert (again.body, again.replayed) == (created.body, True)
    assert (await charge(other, "3", "l")).code == "method_not_supported"
    assert (await charge(strict, "3", "l")).code == "amount_above_limit"
    reused = await told(other.payments.charge(caller(key="k", fingerprint=b"another"), charging("3")))
    assert reused.code == "method_not_supported"
    await other.close()
    await strict.close()


async def test_a_repeated_confirmation_gets_the_first_answer_whatever_the_payment_has_become(house):
    house.gateway.plan("1", "charge", "declined", "action")
    payment_id = (await told(house.payments.create(caller("create"), creating("1")))).payment_id
    upi = Confirm(payment_id=payment_id, method=PaymentMethod.UPI)
    first = await told(house.payments.confirm(caller("confirm", "k"), upi))
    assert first.document["status"] == "FAILED"
    waits = await charge(house, "1", method=PaymentMethod.WALLET)
    assert waits.document["status"] == "REQUIRES_ACTION"
    again = await told(house.payments.confirm(caller("confirm", "k"), upi))
    assert (again.body, again.replayed) == (first.body, True)
    assert (await told(house.payments.confirm(caller("confirm", "l"), upi))).code == "action_pending"


async def test_recovery_does_not_spin_on_what_fails_each_time(house):
    """An operation whose conclusion breaks keeps its lease, so that it is tried again when that ends, not at once."""
    house.gateway.plan("1", "refund", "taken")
    payment_id = (await charge(house)).payment_id
    await refund(house, payment_id, key="k")
    await house.query("UPDATE operations SET refund_id = 999999 WHERE kind = 'REFUND'")
    await house.later(2)
    assert await house.recover() == 1
    asked = len(house.gateway.inquiries)
    assert await house.recover() == 0
    assert len(house.gateway.inquiries) == asked
    await house.later(31)
    assert await house.recover() == 1


async def test_an_adapter_that_fails_or_hangs_leaves_an_unknown_outcome(house, monkeypatch, service_url):
    async def breaks(_call):
        raise RuntimeError("adapter")

    monkeypatch.setattr(house.gateway, "perform", breaks)
    assert (await charge(house, "1")).status == 202
    slow = ScriptedGateway()
    quick = open_house(service_url, slow, seed=2, gateway_timeout_s=0.1)
    slow.plan("2", "charge", "slow")
    assert (await charge(quick, "2")).status == 202
    await quick.close()
