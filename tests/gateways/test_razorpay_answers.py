"""What Razorpay's answers mean: each that Razorpay documents, and what only looks like one."""

from __future__ import annotations

from typing import Any

import pytest

from eci_payments.domain.ids import SINGLE_SHOP, GatewayKey, TransactionId
from eci_payments.domain.methods import PaymentMethod, Upi
from eci_payments.gateways.adapters.razorpay.account import RazorpayGateway
from eci_payments.gateways.contract import (
    Approved,
    CallKind,
    Declined,
    GatewayCall,
    NeverSeen,
    NotSent,
    Unknown,
)
from eci_payments.gateways.recounting import PAGE
from support.recorder import Recorder

KEY = GatewayKey("KEYKEYKEYKEYKEYKEYKEYKEYKE")
CAPTURE, REFUND = CallKind.CAPTURE, CallKind.REFUND
PATHS = {
    CallKind.CHARGE: "/v1/payments/create/upi",
    CAPTURE: "/v1/payments/pay_1/capture",
    REFUND: "/v1/payments/pay_1/refund",
}


@pytest.fixture
def gateway(at_razorpay: RazorpayGateway) -> RazorpayGateway:
    return at_razorpay


def call(kind: CallKind = CallKind.CHARGE, **fields: Any) -> GatewayCall:
    values: dict[str, Any] = {
        "kind": kind,
        "key": KEY,
        "merchant_id": SINGLE_SHOP,
        "transaction_id": TransactionId("TXN1"),
        "amount_minor": 14950,
        "currency": "INR",
        "method": PaymentMethod.UPI,
    }
    if kind is CallKind.CHARGE:
        values |= {"reference": "order_1", "instrument": Upi("success@razorpay")}
    else:
        values |= {"parent_reference": "pay_1", "parent_key": GatewayKey("PARENT")}
    return GatewayCall(**(values | fields))


def bad_request(**fields: Any) -> dict[str, Any]:
    return {"error": {"code": "BAD_REQUEST_ERROR", "description": "", "metadata": []} | fields}


ELSEWHERE = {"id": "pay_2", "razorpay_payment_id": 3, "receipt": "another", "status": "captured"}


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (500, {"error": {"code": "SERVER_ERROR"}}, Unknown),
        (502, {"error": {"code": "GATEWAY_ERROR"}}, Unknown),
        (504, {"message": "Gateway Time-out"}, Unknown),
        (400, {"error": {"code": "GATEWAY_ERROR", "reason": "payment_timed_out"}}, Unknown),
        (409, bad_request(description="The request is being processed"), Unknown),
        (400, bad_request(description="This payment has already been captured"), Unknown),
        (400, bad_request(description="Request failed because another payment operation is in progress"), Unknown),
        (403, {"message": "blocked"}, Unknown),
        (400, {"error": "not an object"}, Unknown),
        (200, {}, Unknown),
        (200, ELSEWHERE, Unknown),
        (302, {"id": "pay_1", "razorpay_payment_id": "pay_1", "status": "captured"}, Unknown),
        (429, bad_request(description="Too many requests"), NotSent),
        (401, bad_request(description="Authentication failed"), "gateway_misconfigured"),
        (400, bad_request(reason="insufficient_funds"), "insufficient_funds"),
        (400, bad_request(reason="payment_failed"), "do_not_honor"),
    ],
)  # fmt: skip
async def test_what_an_answer_to_a_call_means(
    kind: CallKind, status: int, answer: Any, expected: Any, recorder: Recorder, gateway: RazorpayGateway
) -> None:
    recorder.answers["POST", PATHS[kind]] = (status, answer)
    outcome = await gateway.perform(call(kind))
    if isinstance(expected, str):
        assert isinstance(outcome, Declined)
        assert outcome.code == expected
    else:
        assert isinstance(outcome, expected)


PAYMENT = {"id": "pay_1", "order_id": "order_1", "amount": 14950, "currency": "INR"}
OURS = {"id": "rfnd_1", "receipt": KEY, "amount": 14950, "status": "processed"}


@pytest.mark.parametrize(
    ("asked", "path", "answer", "expected"),
    [
        (call(), "/v1/orders/order_1/payments", {"items": []}, NeverSeen()),
        (call(), "/v1/orders/order_1/payments", {}, Unknown),
        (call(), "/v1/orders/order_1/payments", {"items": {}}, Unknown),
        (call(), "/v1/orders/order_1/payments", {"items": [PAYMENT | {"order_id": "order_2"}]}, Unknown),
        (call(CAPTURE), "/v1/payments/pay_1", PAYMENT | {"status": "authorized"}, NeverSeen()),
        (call(CAPTURE), "/v1/payments/pay_1", PAYMENT | {"status": "captured"}, Approved("pay_1", 14950)),
        (call(CAPTURE), "/v1/payments/pay_1", PAYMENT | {"status": "refunded", "captured": False}, Declined),
        (call(CAPTURE), "/v1/payments/pay_1", PAYMENT | {"id": "pay_2", "status": "captured"}, Unknown),
        (call(REFUND), "/v1/payments/pay_1/refunds", {"items": [OURS]}, Approved("rfnd_1", 14950)),
        (call(REFUND), "/v1/payments/pay_1/refunds", {"items": [OURS | {"receipt": None}]}, NeverSeen()),
        (call(REFUND), "/v1/payments/pay_1/refunds", {"items": [{}] * PAGE}, Unknown),
        (call(REFUND), "/v1/payments/pay_1/refunds", {}, Unknown),
    ],
)
async def test_what_an_inquiry_says(
    asked: GatewayCall, path: str, answer: Any, expected: Any, recorder: Recorder, gateway: RazorpayGateway
) -> None:
    recorder.answers["GET", path] = (200, answer)
    learned = await gateway.inquire(asked)
    assert isinstance(learned, expected) if isinstance(expected, type) else learned == expected
    for status in (404, 401, 400, 500):
        recorder.answers["GET", path] = (status, bad_request())
        assert isinstance(await gateway.inquire(asked), Unknown)


@pytest.mark.parametrize("kind", [CAPTURE, REFUND])
async def test_a_part_that_razorpay_cannot_count_is_refused_and_not_asked_for(
    kind: CallKind, recorder: Recorder, gateway: RazorpayGateway
) -> None:
    outcome = await gateway.perform(call(kind, currency="KWD", amount_minor=1234))
    assert isinstance(outcome, Declined)
    assert (outcome.code, recorder.requests) == ("amount_not_supported", [])


async def test_one_refund_has_one_key_and_another_one_another(
    recorder: Recorder, gateway: RazorpayGateway
) -> None:
    for key in (KEY, KEY, GatewayKey("ANOTHERANOTHERANOTHERANOTH")):
        await gateway.perform(call(REFUND, key=key))
    first, again, other = recorder.requests
    assert first.headers["x-refund-idempotency"] == again.headers["x-refund-idempotency"] == KEY
    assert first.body == again.body
    assert other.headers["x-refund-idempotency"] != KEY
    assert other.body["receipt"] != KEY
