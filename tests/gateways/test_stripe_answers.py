"""What Stripe's answers mean: each that Stripe documents, and what only looks like one."""

from __future__ import annotations

from typing import Any

import pytest

from eci_payments.domain.ids import SINGLE_SHOP, GatewayKey, TransactionId
from eci_payments.domain.methods import Card, PaymentMethod
from eci_payments.gateways.adapters.stripe.account import StripeGateway
from eci_payments.gateways.contract import (
    Approved,
    CallKind,
    Cancelled,
    Declined,
    GatewayCall,
    NeverSeen,
    NotSent,
    Pending,
    Prepared,
    Unknown,
)
from support.recorder import Recorded, Recorder

KEY = GatewayKey("KEYKEYKEYKEYKEYKEYKEYKEYKE")
INTENT = {"id": "pi_1", "amount": 14950, "currency": "inr", "metadata": {"eci_key": KEY}}
INTENTS, METHODS, REFUNDS = "/v1/payment_intents", "/v1/payment_methods", "/v1/refunds"
REFUND = {"id": "re_1", "amount": 14950, "status": "succeeded", "metadata": {"eci_key": KEY}}
MISPLACED = {"code": "payment_intent_unexpected_state", "type": "invalid_request_error"}
CAPTURE, VOID, REFUNDING = CallKind.CAPTURE, CallKind.VOID, CallKind.REFUND


@pytest.fixture
def gateway(at_stripe: StripeGateway) -> StripeGateway:
    return at_stripe


def call(kind: CallKind = CallKind.CHARGE, **fields: Any) -> GatewayCall:
    values: dict[str, Any] = {
        "kind": kind,
        "key": KEY,
        "merchant_id": SINGLE_SHOP,
        "transaction_id": TransactionId("TXN1"),
        "amount_minor": 14950,
        "currency": "INR",
        "method": PaymentMethod.CREDIT_CARD,
        "order_id": "order-7",
    }
    if kind in {CallKind.CHARGE, CallKind.AUTHORIZE}:
        values["reference"] = "pi_1"
    else:
        values |= {"parent_reference": "pi_1", "parent_key": GatewayKey("PARENT")}
    return GatewayCall(**(values | fields))


PATHS = {
    CallKind.CHARGE: f"{INTENTS}/pi_1/confirm",
    CAPTURE: f"{INTENTS}/pi_1/capture",
    VOID: f"{INTENTS}/pi_1/cancel",
    CallKind.CANCEL_ACTION: f"{INTENTS}/pi_1/cancel",
    REFUNDING: REFUNDS,
}


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (409, {"error": {"type": "invalid_request_error", "code": "idempotency_key_in_use"}}, Unknown),
        (409, {"error": {"type": "idempotency_error"}}, Unknown),
        (400, {"error": {"type": "idempotency_error", "message": "Keys for idempotent requests …"}}, Unknown),
        (424, {"error": {"type": "api_error"}}, Unknown),
        (500, {"error": {"type": "api_error"}}, Unknown),
        (504, {"message": "Endpoint request timed out"}, Unknown),
        (429, {"error": {"type": "invalid_request_error", "code": "lock_timeout"}}, NotSent),
        (429, {"error": {"type": "rate_limit_error"}}, NotSent),
        (403, {"message": "Forbidden"}, Unknown),
        (400, {"error": "not an object"}, Unknown),
        (200, {}, Unknown),
        (200, {"error": "odd"}, Unknown),
        (307, INTENT | {"status": "succeeded"}, Unknown),
        (200, INTENT | {"id": "pi_2", "status": "succeeded", "metadata": {"eci_key": "another"}}, Unknown),
        (401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key"}}, "gateway_misconfigured"),
        (404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}, "gateway_misconfigured"),
        (400, {"error": {"type": "invalid_request_error", "code": "parameter_invalid"}}, "gateway_refused"),
        (402, {"error": {"type": "card_error", "decline_code": "lost_card"}}, "lost_or_stolen"),
        (402, {"error": {"code": "expired_card"}}, "expired_card"),
        (402, {"error": {"type": "card_error", "code": "card_declined", "decline_code": "new_one"}}, "do_not_honor"),
    ],
)  # fmt: skip
async def test_what_an_answer_to_a_call_means(
    kind: CallKind, status: int, answer: Any, expected: Any, recorder: Recorder, gateway: StripeGateway
) -> None:
    recorder.answers["POST", PATHS[kind]] = (status, answer)
    outcome = await gateway.perform(call(kind))
    if isinstance(expected, str):
        assert isinstance(outcome, Declined)
        assert outcome.code == expected
    else:
        assert isinstance(outcome, expected)


@pytest.mark.parametrize("kind", [CAPTURE, REFUNDING])
async def test_a_part_that_stripe_cannot_count_is_refused_and_not_asked_for(
    kind: CallKind, recorder: Recorder, gateway: StripeGateway
) -> None:
    outcome = await gateway.perform(call(kind, currency="KWD", amount_minor=1234))
    assert isinstance(outcome, Declined)
    assert (outcome.code, recorder.requests) == ("amount_not_supported", [])


@pytest.mark.parametrize(
    ("kind", "stands", "expected"),
    [
        (CAPTURE, {"status": "succeeded", "amount_received": 14950}, Approved("pi_1", 14950)),
        (CAPTURE, {"status": "canceled"}, "already_voided"),
        (CAPTURE, {"status": "requires_capture"}, None),
        (VOID, {"status": "canceled"}, Approved("pi_1", 14950)),
        (VOID, {"status": "succeeded"}, "already_captured"),
        (VOID, {"status": "requires_capture"}, None),
        (CallKind.CANCEL_ACTION, {"status": "canceled"}, Cancelled("pi_1")),
        (CallKind.CANCEL_ACTION, {"status": "succeeded"}, "already_captured"),
        (CallKind.CANCEL_ACTION, {"status": "processing"}, None),
        (CallKind.CANCEL_ACTION, {"status": "requires_action"}, None),
    ],
)
async def test_what_is_refused_for_how_it_stands_is_told_by_how_it_stands(
    kind: CallKind, stands: dict[str, Any], expected: Any, recorder: Recorder, gateway: StripeGateway
) -> None:
    """Capture after the authorization's end, void after a capture, cancelling against a customer who was quicker."""
    recorder.answers["POST", PATHS[kind]] = (400, {"error": MISPLACED | {"payment_intent": INTENT | stands}})
    recorder.answers["GET", f"{INTENTS}/pi_1"] = (200, INTENT | stands)
    told, asked = await gateway.perform(call(kind)), await gateway.inquire(call(kind))
    if expected is None:
        assert (type(told), asked) == (Unknown, NeverSeen())
    elif isinstance(expected, str):
        assert isinstance(told, Declined)
        assert (told.code, asked) == (expected, told)
    else:
        assert told == asked == expected


async def test_refused_for_a_state_that_is_not_told_is_asked_about(
    recorder: Recorder, gateway: StripeGateway
) -> None:
    for error in (MISPLACED, MISPLACED | {"payment_intent": {"id": "pi_2", "status": "canceled"}}):
        recorder.answers["POST", PATHS[VOID]] = (400, {"error": error})
        assert isinstance(await gateway.perform(call(VOID)), Unknown)


@pytest.mark.parametrize("kind", [CallKind.CHARGE, CAPTURE, VOID, CallKind.CANCEL_ACTION])
@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (404, {"error": {"code": "resource_missing"}}),
        (401, {"error": {"type": "invalid_request_error"}}),
        (500, {}),
        (200, {}),
        (200, INTENT | {"id": "pi_2", "status": "canceled"}),
    ],
)
async def test_an_inquiry_is_never_answered_by_what_is_not_about_the_payment(
    kind: CallKind, status: int, answer: Any, recorder: Recorder, gateway: StripeGateway
) -> None:
    """Keys of another account know nothing of it: that is not "never seen"."""
    recorder.answers["GET", f"{INTENTS}/pi_1"] = (status, answer)
    assert isinstance(await gateway.inquire(call(kind)), Unknown)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"data": [{"metadata": None}, REFUND], "has_more": False}, Approved("re_1", 14950)),
        ({"data": [REFUND | {"status": "pending"}]}, Pending("re_1")),
        ({"data": [REFUND | {"metadata": {"eci_key": "another"}}], "has_more": False}, NeverSeen()),
        ({"data": [], "has_more": True}, Unknown("more refunds than one page")),
        ({}, Unknown("an answer that is no list of refunds")),
        ({"data": ["re_1"]}, Unknown("an answer that is no list of refunds")),
    ],
)
async def test_our_refund_among_those_of_the_payment(
    answer: Any, expected: Any, recorder: Recorder, gateway: StripeGateway
) -> None:
    recorder.answers["GET", REFUNDS] = (200, answer)
    assert await gateway.inquire(call(REFUNDING)) == expected


def _intent(request: Recorded) -> dict[str, Any]:
    return {"id": "pi_1", "metadata": {"eci_key": request.body["metadata[eci_key]"]}}


async def test_one_operation_has_one_key_and_another_one_another(
    recorder: Recorder, gateway: StripeGateway
) -> None:
    recorder.answers["POST", METHODS] = (200, {"id": "pm_1"})
    recorder.answers["POST", INTENTS] = (200, _intent)
    keys: list[list[str]] = []
    for key in (KEY, KEY, GatewayKey("ANOTHERANOTHERANOTHERANOTH")):
        recorder.requests.clear()
        charge = call(key=key, instrument=Card("4242424242424242", 12, 2040, "123"))
        assert await gateway.prepare(charge) == Prepared("pi_1")
        for kind in PATHS:
            await gateway.perform(call(kind, key=key))
        keys.append([request.headers["idempotency-key"] for request in recorder.requests])
    assert keys[0] == keys[1]
    assert not set(keys[0]) & set(keys[2])


@pytest.mark.parametrize(
    ("method", "intent"),
    [
        ({}, _intent),
        ({"id": "pm/../1"}, _intent),
        ({"id": "pm_1"}, {}),
        ({"id": "pm_1"}, {"id": "pi_1", "metadata": {"eci_key": "another"}}),
        ({"id": "pm_1"}, {"id": "../refunds", "metadata": {"eci_key": KEY}}),
    ],
)
async def test_what_is_prepared_must_be_ours_and_have_a_name(
    method: Any, intent: Any, recorder: Recorder, gateway: StripeGateway
) -> None:
    recorder.answers["POST", METHODS], recorder.answers["POST", INTENTS] = (200, method), (200, intent)
    prepared = await gateway.prepare(call(instrument=Card("4242424242424242", 12, 2040, "123")))
    assert isinstance(prepared, Unknown)
