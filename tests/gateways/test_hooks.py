"""Webhooks of Stripe and Razorpay: verified as their own SDKs verify, and read into what can be told."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
import razorpay
import stripe

from eci_payments.domain.dispute import DisputeState
from eci_payments.gateways.adapters.razorpay import events as of_razorpay
from eci_payments.gateways.adapters.stripe import events as of_stripe
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    Cancelled,
    Declined,
    NotSent,
    Pending,
    Unknown,
)
from eci_payments.gateways.hooks import (
    BadWebhook,
    DisputeTold,
    OperationTold,
    RefundTold,
    Subject,
    Unread,
    told_of,
    told_record,
)

NOW = 1_764_043_200
SECRET, NEXT = "whsec_of_the_test", "whsec_that_comes_after_it"


def stripe_body(kind: str, thing: dict[str, Any], **fields: Any) -> bytes:
    event = {"id": "evt_1", "object": "event", "type": kind, "created": NOW - 5, "data": {"object": thing}}
    return json.dumps(event | fields).encode()


def stripe_header(body: bytes, secret: str = SECRET, at: int = NOW) -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={at},v1={digest},v0=ignored"}


def stripe_told(kind: str, thing: dict[str, Any]) -> Any:
    body = stripe_body(kind, thing)
    return of_stripe.read_webhook(stripe_header(body), body, (SECRET,), NOW).told


INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 14950,
    "amount_received": 14950,
    "currency": "inr",
    "capture_method": "automatic",
    "latest_charge": "ch_1",
    "metadata": {"eci_key": "our-key", "transaction_id": "T"},
    "status": "succeeded",
}
OURS = Subject(key="our-key", charges=("pi_1",))
REFUND = {
    "id": "re_1",
    "object": "refund",
    "amount": 5000,
    "currency": "inr",
    "payment_intent": "pi_1",
    "status": "succeeded",
    "metadata": {},
    "reason": None,
}
DISPUTE = {
    "id": "dp_1",
    "object": "dispute",
    "amount": 14950,
    "currency": "inr",
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "reason": "fraudulent",
    "status": "needs_response",
}


def test_stripes_own_sdk_signs_what_we_take_and_takes_what_we_take():
    body = stripe_body("payment_intent.succeeded", INTENT)
    header = stripe_header(body)["stripe-signature"]
    stripe.WebhookSignature.verify_header(body.decode(), header, SECRET, None)
    event = of_stripe.read_webhook({"stripe-signature": header}, body, (NEXT, SECRET), NOW)
    assert (event.event_id, event.type) == ("evt_1", "payment_intent.succeeded")
    assert event.occurred_at.timestamp() == NOW - 5


def test_several_signatures_stand_side_by_side_while_a_secret_rotates():
    body = stripe_body("payment_intent.succeeded", INTENT)
    both = (
        stripe_header(body, NEXT)["stripe-signature"]
        + ","
        + stripe_header(body)["stripe-signature"].split(",")[1]
    )
    for secret in (SECRET, NEXT):
        assert of_stripe.read_webhook({"stripe-signature": both}, body, (secret,), NOW).event_id == "evt_1"


BODY = stripe_body("payment_intent.succeeded", INTENT)
GOOD = stripe_header(BODY)["stripe-signature"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        GOOD.replace("v1=", "v0="),
        GOOD.replace(f"t={NOW}", f"t={NOW + 1}"),
        stripe_header(BODY, NEXT)["stripe-signature"],
        stripe_header(BODY + b" ")["stripe-signature"],
        stripe_header(BODY, at=NOW - 301)["stripe-signature"],
        stripe_header(BODY, at=NOW + 301)["stripe-signature"],
        f"t={NOW},v1=é",
    ],
)
def test_what_stripe_did_not_sign_is_refused(header):
    with pytest.raises(BadWebhook):
        of_stripe.read_webhook({"stripe-signature": header}, BODY, (SECRET,), NOW)
    with pytest.raises(BadWebhook):
        of_stripe.read_webhook({"stripe-signature": GOOD}, BODY, (), NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        pytest.param(b'{"a":' * 100_000, id="deep"),
        b'{"type": "payment_intent.succeeded", "data": 3}',
        b'{"type": "refund.created"}',
    ],
)
def test_signed_nonsense_is_no_event(body):
    with pytest.raises(BadWebhook):
        of_stripe.read_webhook(stripe_header(body), body, (SECRET,), NOW)
    with pytest.raises(BadWebhook):
        of_razorpay.read_webhook(razorpay_header(body), body, (SECRET,))


def operation(outcome: Any, amount: int | None = 14950, **fields: Any) -> OperationTold:
    return OperationTold(about=OURS, currency="INR", outcome=outcome, amount_minor=amount, **fields)


STRIPE = [
    (
        "payment_intent.succeeded",
        INTENT,
        operation(Approved("pi_1", 14950, "ch_1")),
    ),
    (
        "payment_intent.succeeded",
        INTENT | {"capture_method": "manual", "amount_received": 6000},
        operation(Approved("pi_1", 6000), None, captures=True),
    ),
    (
        "payment_intent.amount_capturable_updated",
        INTENT | {"capture_method": "manual", "status": "requires_capture"},
        operation(Approved("pi_1", 14950, "ch_1")),
    ),
    (
        "payment_intent.payment_failed",
        INTENT | {"status": "requires_payment_method", "last_payment_error": {"decline_code": "insufficient_funds"}},
        operation(Declined("insufficient_funds", "The payment was declined.", reference="pi_1")),
    ),
    ("payment_intent.processing", INTENT | {"status": "processing"}, operation(Pending("pi_1"))),
    ("payment_intent.canceled", INTENT | {"status": "canceled"}, operation(Cancelled("pi_1"))),
    (
        "payment_intent.requires_action",
        INTENT | {"status": "requires_action", "next_action": {"redirect_to_url": {"url": "https://b.example"}}},
        operation(ActionRequired("pi_1", ActionType.REDIRECT, url="https://b.example")),
    ),
    (
        "payment_intent.created",
        INTENT | {"status": "requires_confirmation"},
        Unread(why="a PaymentIntent in state 'requires_confirmation' is not decided"),
    ),
    (
        "refund.created",
        REFUND | {"metadata": {"eci_key": "our-key"}},
        RefundTold(about=OURS, reference="re_1", amount_minor=5000, currency="INR",
                   outcome=Approved("re_1", 5000), may_be_release=True),
    ),
    (
        "charge.refund.updated",
        REFUND | {"status": "failed"},
        RefundTold(about=Subject(charges=("pi_1",)), reference="re_1", amount_minor=5000, currency="INR",
                   outcome=Declined("refund_failed", "The gateway could not refund.", retryable=True, reference="re_1"),
                   may_be_release=True),
    ),
    (
        "charge.refunded",
        {"id": "ch_1", "captured": True, "payment_intent": "pi_1", "refunds": {"data": [REFUND]}},
        RefundTold(about=Subject(charges=("pi_1",)), reference="re_1", amount_minor=5000, currency="INR",
                   outcome=Approved("re_1", 5000), may_be_release=True),
    ),
    ("charge.refunded", {"id": "ch_1", "captured": True}, Unread(why="the refund is told by an event of its own")),
    (
        "charge.refunded",
        {"id": "ch_1", "captured": False},
        Unread(why="the release of an authorization, which Stripe calls a refund"),
    ),
    (
        "refund.created",
        REFUND | {"reason": "expired_uncaptured_charge"},
        Unread(why="the release of an authorization that ran out, which Stripe calls a refund"),
    ),
    (
        "charge.dispute.created",
        DISPUTE,
        DisputeTold(about=Subject(charges=("pi_1",)), reference="dp_1", state=DisputeState.OPEN, amount_minor=14950,
                    currency="INR", reason="fraudulent"),
    ),
    (
        "charge.dispute.closed",
        DISPUTE | {"status": "lost", "currency": "jpy", "amount": 700},
        DisputeTold(about=Subject(charges=("pi_1",)), reference="dp_1", state=DisputeState.LOST, amount_minor=700,
                    currency="JPY", reason="fraudulent"),
    ),
    (
        "charge.dispute.created",
        DISPUTE | {"status": "warning_needs_response"},
        Unread(why="a dispute in state 'warning_needs_response', for which nothing is withheld"),
    ),
    ("customer.created", {"id": "cus_1"}, Unread(why="customer.created changes no payment")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "thing", "told"), STRIPE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_stripes_events_in_our_words(kind, thing, told):
    assert stripe_told(kind, thing) == told


def razorpay_body(kind: str, **entities: dict[str, Any]) -> bytes:
    payload = {name: {"entity": entity} for name, entity in entities.items()}
    return json.dumps({"event": kind, "payload": payload, "created_at": NOW}).encode()


def razorpay_header(body: bytes, secret: str = SECRET, event_id: str = "ev_1") -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-razorpay-signature": digest, "x-razorpay-event-id": event_id}


def test_razorpays_own_sdk_takes_what_we_take():
    body = razorpay_body("payment.captured", payment=PAYMENT)
    headers = razorpay_header(body)
    utility = razorpay.Client(auth=("key", "secret")).utility
    assert utility.verify_webhook_signature(body.decode(), headers["x-razorpay-signature"], SECRET)
    event = of_razorpay.read_webhook(headers, body, (NEXT, SECRET))
    assert (event.event_id, event.type, event.occurred_at.timestamp()) == ("ev_1", "payment.captured", NOW)


OF_THE_SDK = b"""{
  "event": "payment.authorized",
  "entity": "event",
  "contains": [
    "payment"
  ],
  "payload": {
    "payment": {
      "entity": {
        "id": "pay_6koWN7bvxujzxM",
        "entity": "payment",
        "amount": 1000000,
        "currency": "INR",
        "status": "captured",
        "order_id": "order_100000000order",
        "international": false,
        "method": "card",
        "amount_refunded": 0,
        "refund_status": null,
        "captured": true,
        "description": "random description",
        "card_id": "card_6koWNAT6LASUqy",
        "bank": null,
        "wallet": null,
        "vpa": null,
        "email": "a@b.com",
        "contact": "+919999999999",
        "notes": {
          "merchant_order_id": "random order id"
        },
        "fee": 23000,
        "service_tax": 3000,
        "error_code": null,
        "error_description": null,
        "created_at": 1479978483
      }
    }
  },
  "created_at": 1400826760
}
"""
"""The event, the secret and the signature that the tests of Razorpay's Python SDK carry."""
SDK_SECRET, SDK_SIGNATURE = (
    "key_secret",
    "d60e67fd884556c045e9be7dad57903e33efc7172c17c6e3ef77db42d2b366e9",
)


def test_the_signature_that_razorpays_sdk_is_tested_with():
    headers = {"x-razorpay-signature": SDK_SIGNATURE}
    event = of_razorpay.read_webhook(headers, OF_THE_SDK, (SDK_SECRET,))
    assert event.event_id == hashlib.sha256(OF_THE_SDK).hexdigest()
    assert isinstance(event.told, OperationTold)
    assert event.told.about.charges == ("pay_6koWN7bvxujzxM", "order_100000000order")
    for secret in ("key_secre", "", SECRET):
        with pytest.raises(BadWebhook):
            of_razorpay.read_webhook(headers, OF_THE_SDK, (secret,))
    with pytest.raises(BadWebhook):
        of_razorpay.read_webhook(headers, OF_THE_SDK.strip(), (SDK_SECRET,))


PAYMENT = {
    "id": "pay_1",
    "order_id": "order_1",
    "amount": 14950,
    "currency": "INR",
    "status": "captured",
    "acquirer_data": {"auth_code": "A1"},
}
RZP_REFUND = {
    "id": "rfnd_1",
    "payment_id": "pay_1",
    "amount": 5000,
    "currency": "INR",
    "status": "processed",
    "receipt": "our-key",
}
RZP_DISPUTE = {
    "id": "disp_1",
    "payment_id": "pay_1",
    "amount": 5000,
    "currency": "INR",
    "amount_deducted": 0,
    "reason_code": "goods_not_received",
    "status": "open",
}
CHARGE = Subject(charges=("pay_1", "order_1"))


def charge_told(outcome: Any, **fields: Any) -> OperationTold:
    return OperationTold(about=CHARGE, currency="INR", outcome=outcome, **fields)


def dispute_told(state: DisputeState) -> DisputeTold:
    return DisputeTold(about=Subject(charges=("pay_1",)), reference="disp_1", state=state, amount_minor=5000,
                       currency="INR", reason="goods_not_received")  # fmt: skip


RAZORPAY = [
    ("payment.captured", {"payment": PAYMENT}, charge_told(Approved("pay_1", 14950, "A1"), captures=True)),
    ("order.paid", {"payment": PAYMENT}, charge_told(Approved("pay_1", 14950, "A1"), captures=True)),
    (
        "payment.authorized",
        {"payment": PAYMENT | {"status": "authorized"}},
        charge_told(Approved("pay_1", 14950, "A1"), reserves=True),
    ),
    (
        "payment.pending",
        {"payment": PAYMENT | {"status": "created"}},
        charge_told(Pending("pay_1"), amount_minor=14950),
    ),
    (
        "payment.failed",
        {"payment": PAYMENT | {"status": "failed"}},
        charge_told(Unknown("a payment of the order is in a state that is not known")),
    ),
    (
        "refund.processed",
        {"payment": PAYMENT, "refund": RZP_REFUND},
        RefundTold(about=Subject(key="our-key", charges=("pay_1",)), reference="rfnd_1", amount_minor=5000,
                   currency="INR", outcome=Approved("rfnd_1", 5000)),
    ),
    (
        "refund.created",
        {"refund": RZP_REFUND | {"receipt": None, "status": "pending"}},
        RefundTold(about=Subject(charges=("pay_1",)), reference="rfnd_1", amount_minor=5000, currency="INR",
                   outcome=Pending("rfnd_1")),
    ),
    ("payment.dispute.created", {"payment": PAYMENT, "dispute": RZP_DISPUTE}, dispute_told(DisputeState.OPEN)),
    ("payment.dispute.won", {"dispute": RZP_DISPUTE | {"status": "won"}}, dispute_told(DisputeState.WON)),
    ("payment.dispute.lost", {"dispute": RZP_DISPUTE | {"status": "lost"}}, dispute_told(DisputeState.LOST)),
    ("payment.dispute.closed", {"dispute": RZP_DISPUTE | {"status": "closed"}}, dispute_told(DisputeState.WON)),
    (
        "payment.dispute.closed",
        {"dispute": RZP_DISPUTE | {"status": "closed", "amount_deducted": 5000}},
        dispute_told(DisputeState.LOST),
    ),
    ("settlement.processed", {"settlement": {}}, Unread(why="settlement.processed changes no payment")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "entities", "told"), RAZORPAY, ids=lambda value: value if isinstance(value, str) else ""
)
def test_razorpays_events_in_our_words(kind, entities, told):
    body = razorpay_body(kind, **entities)
    assert of_razorpay.read_webhook(razorpay_header(body), body, (SECRET,)).told == told


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", SDK_SIGNATURE])
def test_what_razorpay_did_not_sign_is_refused(signature):
    body = razorpay_body("payment.captured", payment=PAYMENT)
    with pytest.raises(BadWebhook):
        of_razorpay.read_webhook({"x-razorpay-signature": signature}, body, (SECRET,))


@pytest.mark.parametrize("told", [row[2] for row in [*STRIPE, *RAZORPAY]] + [operation(NotSent("refused"))])
def test_what_is_told_comes_back_from_the_inbox_as_it_was(told):
    assert told_of(json.loads(json.dumps(told_record(told)))) == told
