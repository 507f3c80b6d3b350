"""Razorpay's adapter: each request held against the one that Razorpay's own SDK makes, and each answer's meaning."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import razorpay

from eci_payments.domain.ids import SINGLE_SHOP, GatewayKey, OrderId, TransactionId, UserId
from eci_payments.domain.methods import Bank, Card, Instrument, PaymentMethod, Upi, Wallet
from eci_payments.gateways.adapters.razorpay.account import RazorpayGateway
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    CallKind,
    Declined,
    GatewayCall,
    Listing,
    NeverSeen,
    NotSent,
    Pending,
    Prepared,
    Unknown,
)
from eci_payments.operations.commands import Charge, RefundPayment
from support.recorder import Recorded, Recorder
from support.service import caller, payments_over

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, SECRET = "rzp_test_key", "rzp_test_secret"
CARD = Card("4242424242424242", 7, 2031, "123", "A Customer")
JSON_PATH, UPI_PATH = "/v1/payments/create/json", "/v1/payments/create/upi"


@pytest.fixture
def gateway(recorder: Recorder) -> RazorpayGateway:
    return account(recorder.url)


def account(url: str) -> RazorpayGateway:
    return RazorpayGateway(
        "razorpay", KEY, SECRET, url, email="shop@example.com", contact="+919000090000", timeout_s=5
    )


def call(kind: CallKind = CallKind.CHARGE, **fields: Any) -> GatewayCall:
    values: dict[str, Any] = {
        "kind": kind,
        "key": GatewayKey("KEYKEYKEYKEYKEYKEYKEYKEYKE"),
        "merchant_id": SINGLE_SHOP,
        "transaction_id": TransactionId("TXN1"),
        "amount_minor": 14950,
        "currency": "INR",
        "method": PaymentMethod.CREDIT_CARD,
    }
    return GatewayCall(**(values | fields))


def paying(method: PaymentMethod, instrument: Instrument) -> GatewayCall:
    return call(method=method, instrument=instrument, reference="order_1")


PART: dict[str, Any] = {"parent_reference": "pay_1", "parent_key": GatewayKey("PARENT")}
Sdk = Any
SAME: dict[str, tuple[GatewayCall, Callable[[Sdk, Any], Any]]] = {
    "prepare": (call(), lambda sdk, body: sdk.order.create(body)),
    "perform card": (
        paying(PaymentMethod.CREDIT_CARD, CARD),
        lambda sdk, body: sdk.payment.createPaymentJson(body),
    ),
    "perform bank": (
        paying(PaymentMethod.NET_BANKING, Bank("HDFC")),
        lambda sdk, body: sdk.payment.createPaymentJson(body),
    ),
    "perform wallet": (
        paying(PaymentMethod.WALLET, Wallet("paytm")),
        lambda sdk, body: sdk.payment.createPaymentJson(body),
    ),
    "perform upi": (
        paying(PaymentMethod.UPI, Upi("success@razorpay")),
        lambda sdk, body: sdk.payment.createUpi(body),
    ),
    "perform capture": (
        call(CallKind.CAPTURE, **PART),
        lambda sdk, _body: sdk.payment.capture("pay_1", 14950, {"currency": "INR"}),
    ),
    "perform refund": (call(CallKind.REFUND, **PART), lambda sdk, body: sdk.payment.refund("pay_1", body)),
    "inquire charge": (call(reference="order_1"), lambda sdk, _body: sdk.order.payments("order_1")),
    "inquire payment": (call(reference="pay_1"), lambda sdk, _body: sdk.payment.fetch("pay_1")),
    "inquire refund": (
        call(CallKind.REFUND, **PART),
        lambda sdk, _body: sdk.payment.fetch_multiple_refund("pay_1", {"count": "100"}),
    ),
}
"""What we ask, and what the official SDK is told to ask with the same values."""


@pytest.mark.parametrize("name", SAME)
async def test_the_request_is_the_one_that_the_official_sdk_makes(
    name: str, recorder: Recorder, gateway: RazorpayGateway
) -> None:
    asked, by_sdk = SAME[name]
    await getattr(gateway, name.split(maxsplit=1)[0])(asked)
    (ours,) = recorder.requests
    sdk = razorpay.Client(auth=(KEY, SECRET), base_url=recorder.url)
    await asyncio.to_thread(by_sdk, sdk, ours.body)
    theirs = recorder.requests[1]
    assert _comparable(ours) == _comparable(theirs)
    await gateway.close()


def _comparable(request: Recorded) -> tuple[Any, ...]:
    return (request.verb, request.path, request.authorization, request.body or None)


PAYMENT = {"id": "pay_1", "order_id": "order_1", "amount": 14950, "currency": "INR"}


def with_receipt(**fields: Any) -> Callable[[Recorded], Any]:
    """An entity that repeats the receipt it was asked for with."""
    return lambda request: {"receipt": request.body["receipt"], **fields}


@pytest.mark.parametrize(
    ("asked", "status", "answer", "expected"),
    [
        (call(), 200, {**PAYMENT, "status": "captured"}, Approved("pay_1", 14950)),
        (call(), 200, {**PAYMENT, "status": "created"}, Pending("pay_1", may_await_customer=True)),
        (call(), 200, {**PAYMENT, "status": "authorized"}, Pending("pay_1")),
        (call(CallKind.AUTHORIZE), 200, {**PAYMENT, "status": "authorized"}, Approved("pay_1", 14950)),
        (
            call(),
            200,
            {**PAYMENT, "status": "failed", "error_reason": "insufficient_funds"},
            Declined("insufficient_funds", "The payment was declined.", reference="pay_1"),
        ),
        (call(), 200, {**PAYMENT, "currency": "USD", "status": "captured"}, Unknown),
        (call(), 404, {"error": {"code": "BAD_REQUEST_ERROR"}}, Unknown),
        (call(), 200, {**PAYMENT, "id": "pay_2", "status": "captured"}, Unknown),
        (call(), 200, {**PAYMENT, "status": "refunded", "captured": True}, Approved("pay_1", 14950)),
        (call(), 200, {**PAYMENT, "status": "refunded", "captured": False}, Declined),
        (call(), 502, {"error": {"code": "SERVER_ERROR"}}, Unknown),
    ],
)
async def test_what_an_inquiry_says(
    asked: GatewayCall, status: int, answer: Any, expected: Any, recorder: Recorder, gateway: RazorpayGateway
) -> None:
    recorder.answers["GET", "/v1/payments/pay_1"] = (status, answer)
    learned = await gateway.inquire(call(asked.kind, reference="pay_1"))
    assert learned == expected if not isinstance(expected, type) else isinstance(learned, expected)
    await gateway.close()


async def test_of_an_orders_payments_the_best_counts(recorder: Recorder, gateway: RazorpayGateway) -> None:
    items = [{**PAYMENT, "id": "pay_2", "status": "failed"}, {**PAYMENT, "status": "captured"}]
    recorder.answers["GET", "/v1/orders/order_1/payments"] = (200, {"items": items})
    assert await gateway.inquire(call(reference="order_1")) == Approved("pay_1", 14950)
    recorder.answers["GET", "/v1/orders/order_1/payments"] = (200, {"items": []})
    assert await gateway.inquire(call(reference="order_1")) == NeverSeen()
    await gateway.close()


@pytest.mark.parametrize(
    ("asked", "path", "answer", "expected"),
    [
        (
            paying(PaymentMethod.CREDIT_CARD, CARD),
            JSON_PATH,
            {"razorpay_payment_id": "pay_1", "next": [{"action": "redirect", "url": "https://bank/3ds"}]},
            ActionRequired("pay_1", ActionType.REDIRECT, url="https://bank/3ds"),
        ),
        (
            paying(PaymentMethod.UPI, Upi("success@razorpay")),
            UPI_PATH,
            {"razorpay_payment_id": "pay_1"},
            ActionRequired("pay_1", ActionType.UPI_COLLECT),
        ),
        (
            paying(PaymentMethod.UPI, Upi(None)),
            UPI_PATH,
            {"razorpay_payment_id": "pay_1", "link": "upi://pay?pa=x"},
            ActionRequired("pay_1", ActionType.UPI_INTENT, upi_uri="upi://pay?pa=x"),
        ),
        (paying(PaymentMethod.WALLET, Wallet("paytm")), JSON_PATH, {}, Unknown("a payment without an id")),
    ],
)
async def test_what_a_payment_begins_with(
    asked: GatewayCall, path: str, answer: Any, expected: Any, recorder: Recorder, gateway: RazorpayGateway
) -> None:
    recorder.answers["POST", path] = (200, answer)
    assert await gateway.perform(asked) == expected
    await gateway.close()


async def test_a_refund_is_found_by_our_key(recorder: Recorder, gateway: RazorpayGateway) -> None:
    asked = call(CallKind.REFUND, **PART)
    ours = {"id": "rfnd_1", "receipt": asked.key, "amount": 14950, "status": "processed"}
    recorder.answers["GET", "/v1/payments/pay_1/refunds"] = (200, {"items": [{"receipt": "other"}, ours]})
    assert await gateway.inquire(asked) == Approved("rfnd_1", 14950)
    await gateway.close()


async def test_amounts_that_it_cannot_take_are_refused(recorder: Recorder, gateway: RazorpayGateway) -> None:
    declined = await gateway.prepare(call(currency="KWD", amount_minor=1234))
    assert isinstance(declined, Declined)
    assert recorder.requests == []
    recorder.answers["POST", "/v1/orders"] = (200, with_receipt(id="order_1"))
    assert isinstance(await gateway.prepare(call(currency="JPY", amount_minor=500)), Prepared)
    assert recorder.requests[0].body["amount"] == 500
    await gateway.close()


async def test_nothing_listens() -> None:
    gateway = account("http://127.0.0.1:1")
    assert isinstance(await gateway.prepare(call()), NotSent)
    await gateway.close()


async def test_a_card_number_leaves_only_for_the_gateway(service_url: str, recorder: Recorder) -> None:
    recorder.answers["POST", "/v1/orders"] = (200, with_receipt(id="order_1"))
    recorder.answers["POST", JSON_PATH] = (
        200,
        {"razorpay_payment_id": "pay_1", "next": [{"action": "redirect", "url": "https://bank/3ds"}]},
    )
    recorder.answers["GET", "/v1/payments/pay_1"] = (200, {**PAYMENT, "status": "captured"})
    recorder.answers["POST", "/v1/payments/pay_1/refund"] = (
        200,
        with_receipt(id="rfnd_1", amount=5000, status="processed"),
    )
    async with payments_over(service_url, account(recorder.url)) as payments:
        command = Charge(
            order_id=OrderId("1"),
            user_id=UserId("7"),
            amount_minor=14950,
            currency="INR",
            method=PaymentMethod.CREDIT_CARD,
            instrument=CARD,
        )
        begun = json.loads((await payments.charge(caller("k"), command)).body)
        assert begun["next_action"]["url"] == "https://bank/3ds"
        assert CARD.number not in json.dumps(begun)
        async with payments.engine.database.engine.connect() as connection:
            found = await connection.exec_driver_sql("SELECT operation_id, gateway_reference FROM operations")
            row = found.one()
        assert row.gateway_reference == "pay_1"
        await payments.resume(caller(), begun["payment_id"], row.operation_id)
        refund = RefundPayment(payment_id=begun["payment_id"], reason="returned", amount="50")
        after = json.loads((await payments.refund(caller(), refund)).body)
        assert after["status"] == "PARTIALLY_REFUNDED"
    sent = [r for r in recorder.requests if CARD.number in json.dumps(r.body)]
    assert [r.path for r in sent] == [JSON_PATH]


async def test_what_is_switched_on_for_the_account(recorder: Recorder, gateway: RazorpayGateway) -> None:
    recorder.answers["GET", "/v1/methods"] = (
        200,
        {
            "entity": "methods",
            "card": True,
            "credit_card": True,
            "debit_card": False,
            "upi": True,
            "netbanking": {"HDFC": "HDFC Bank", "SBIN": "State Bank of India"},
            "wallet": {"mobikwik": True, "olamoney": False},
        },
    )
    listed = await gateway.list_instruments()
    (asked,) = recorder.requests
    assert (asked.verb, asked.path, (asked.authorization or "")[:6]) == ("GET", "/v1/methods", "Basic ")
    assert listed == Listing(
        {"HDFC": "HDFC Bank", "SBIN": "State Bank of India"},
        {"mobikwik": "mobikwik"},
        frozenset(
            {PaymentMethod.CREDIT_CARD, PaymentMethod.UPI, PaymentMethod.NET_BANKING, PaymentMethod.WALLET}
        ),
    )
    recorder.answers["GET", "/v1/methods"] = (200, {"entity": "methods", "card": True, "wallet": []})
    cards = frozenset({PaymentMethod.CREDIT_CARD, PaymentMethod.DEBIT_CARD})
    assert await gateway.list_instruments() == Listing({}, {}, cards)
    answers: tuple[tuple[int, Any], ...] = ((500, {}), (401, {"error": {}}), (200, {}), (200, []))
    for answer in answers:
        recorder.answers["GET", "/v1/methods"] = answer
        assert isinstance(await gateway.list_instruments(), Unknown)
    await gateway.close()
