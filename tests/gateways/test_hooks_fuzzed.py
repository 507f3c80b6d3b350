"""Webhooks as an attacker or a broken gateway would send them: refused, and nothing but refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eci_payments.gateways.adapters.razorpay import events as of_razorpay
from eci_payments.gateways.adapters.sandbox import events as of_sandbox
from eci_payments.gateways.adapters.stripe import events as of_stripe
from eci_payments.gateways.hooks import BadWebhook, GatewayEvent
from eci_payments.sandbox.webhooks import signature

NOW = 1_764_043_200
SECRET = "whsec_" + base64.b64encode(b"a secret of the test, 32 bytes..").decode()


def digest(signed: bytes) -> str:
    return hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


def stripe(body: bytes) -> dict[str, str]:
    return {"stripe-signature": f"t={NOW},v1={digest(b'%d.' % NOW + body)}"}


def razorpay(body: bytes) -> dict[str, str]:
    return {"x-razorpay-signature": digest(body)}


def sandbox(body: bytes) -> dict[str, str]:
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(NOW),
        "webhook-signature": signature(SECRET, "evt_1", NOW, body),
    }


READERS = {
    "stripe": (stripe, lambda headers, body: of_stripe.read_webhook(headers, body, (SECRET,), NOW)),
    "razorpay": (razorpay, lambda headers, body: of_razorpay.read_webhook(headers, body, (SECRET,))),
    "sandbox": (sandbox, lambda headers, body: of_sandbox.read_webhook(headers, body, (SECRET,), NOW)),
}
EVENTS = {
    "stripe": {
        "id": "evt_1",
        "type": "payment_intent.succeeded",
        "created": NOW,
        "data": {
            "object": {
                "id": "pi_1",
                "amount": 14950,
                "amount_received": 14950,
                "currency": "inr",
                "capture_method": "automatic",
                "latest_charge": "ch_1",
                "metadata": {"eci_key": "our-key"},
                "status": "succeeded",
            }
        },
    },
    "razorpay": {
        "event": "payment.captured",
        "created_at": NOW,
        "payload": {
            "payment": {
                "entity": {
                    "id": "pay_1",
                    "order_id": "order_1",
                    "amount": 14950,
                    "currency": "INR",
                    "status": "captured",
                    "captured": True,
                    "acquirer_data": {"auth_code": "A1"},
                }
            }
        },
    },
    "sandbox": {
        "id": "evt_1",
        "type": "charge.approved",
        "created_at": "2025-11-25T04:00:00+00:00",
        "data": {
            "key": "k1",
            "kind": "charge",
            "parent_key": None,
            "merchant_id": 1,
            "transaction_id": "T1",
            "currency": "INR",
            "amount_minor": 14950,
            "state": "approved",
            "reference": "ch_1",
        },
    },
}
BODIES = {name: json.dumps(event).encode() for name, event in EVENTS.items()}
gateways = pytest.mark.parametrize("gateway", sorted(READERS))


@gateways
def test_what_is_changed_below_is_taken_unchanged(gateway):
    sign, read = READERS[gateway]
    assert isinstance(read(sign(BODIES[gateway]), BODIES[gateway]), GatewayEvent)


@gateways
@given(data=st.data())
def test_one_flipped_bit_of_the_body_is_refused(gateway, data):
    sign, read = READERS[gateway]
    body = bytearray(BODIES[gateway])
    headers = sign(bytes(body))
    bit = data.draw(st.integers(0, 8 * len(body) - 1))
    body[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadWebhook):
        read(headers, bytes(body))


@gateways
def test_every_flipped_bit_of_what_is_signed_in_the_headers_is_refused(gateway):
    """Any bit of any header, one after the other. Header values reach us as Latin-1."""
    sign, read = READERS[gateway]
    body = BODIES[gateway]
    headers = sign(body)
    for name, value in headers.items():
        for bit in range(8 * len(value)):
            raw = bytearray(value.encode())
            raw[bit // 8] ^= 1 << bit % 8
            with pytest.raises(BadWebhook):
                read(headers | {name: raw.decode("latin-1")}, body)


@gateways
@given(
    body=st.binary(max_size=300),
    text=st.text(st.characters(max_codepoint=255), max_size=200),
    at=st.sampled_from([str(NOW), "", "9" * 12, "9" * 400, "-1", "١٢٣"]),
)
def test_whatever_comes_unsigned_is_refused(gateway, body, text, at):
    read = READERS[gateway][1]
    names = READERS[gateway][0](b"")
    spelt = dict.fromkeys(names, text) | {
        "stripe-signature": f"t={at},v1={text}",
        "webhook-timestamp": at,
    }
    with pytest.raises(BadWebhook):
        read(spelt, body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["INR", "inr", "JPY", "", "\x00", "refund", "dispute", "requires_action", "failed"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(document, at=()):
    """The path to every value in a document."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield (*at, name)
            yield from places(value, (*at, name))


def put(document, path, value):
    """The document with another value there; ``...`` leaves it out."""
    name, *rest = path
    changed = dict(document)
    if rest:
        changed[name] = put(document[name], rest, value)
    elif value is ...:
        del changed[name]
    else:
        changed[name] = value
    return changed


@gateways
@given(data=st.data())
def test_an_event_with_anything_in_any_place_is_read_or_refused(gateway, data):
    sign, read = READERS[gateway]
    event = EVENTS[gateway]
    for path in data.draw(st.lists(st.sampled_from(sorted(places(event))), min_size=1, max_size=2)):
        try:
            event = put(event, path, data.draw(JSON | st.just(...)))
        except (KeyError, TypeError, ValueError):
            continue  # the first change took away the place of the second
    body = json.dumps(event).encode()
    try:
        found = read(sign(body), body)
    except BadWebhook:
        return
    assert isinstance(found, GatewayEvent)


@gateways
@given(st.binary(max_size=60))
@example(b'{"id":' + b"[" * 100_000)
@example(b'{"id":"evt_1","id":"evt_2"}')
@example(b'{"id":1e400}')
@example(b'{"id":NaN}')
@example(b'{"id":"\\ud800"}')
def test_signed_nonsense_is_read_or_refused(gateway, body):
    sign, read = READERS[gateway]
    with pytest.raises(BadWebhook):
        read(sign(body), body)
