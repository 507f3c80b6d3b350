from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.delivery.messages import FAILURE_WORDS
from eci_payments.delivery.peers import LATE, NAMES, SEED_STATUS, WANTED, idempotency_key, peer, request, told
from eci_payments.delivery.shapes import SHAPES, PeerName, Shape
from eci_payments.delivery.templates import InvalidTemplate
from eci_payments.domain.events import ENTERED, EventType
from eci_payments.domain.ids import OrderId, external_id
from eci_payments.domain.payment import Failure, PaymentStatus
from eci_payments.operations.conclude import ENDED_BY_OPERATOR, NOT_RECEIVED
from support.shop import event, payment

S = PaymentStatus
SIX = {"PENDING", "PROCESSING", "COMPLETED", "FAILED", "REFUNDED", "CANCELLED"}
BASE = "http://peer:8000/base/"
ORDER_IDS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", fullmatch=True).map(
    lambda text: external_id(text[:15].rstrip("-._"))
)


def sent(name: PeerName, shape: Shape, **fields):
    made = request(peer(name, BASE, shape), event(payment(42, **fields)))
    return made.verb, made.url.removeprefix("http://peer:8000/base"), json.loads(made.body)


@pytest.mark.parametrize(
    ("shape", "name", "expected"),
    [
        (
            Shape.SEED,
            PeerName.ORDER,
            (
                "PATCH",
                "/v1/orders/42/payment-status",
                {"payment_id": 42, "payment_status": "REFUNDED", "status_detail": "REFUNDED"},
            ),
        ),
        (
            Shape.SEED,
            PeerName.INVENTORY,
            ("POST", "/v1/inventory/release", {"order_id": 42, "reason": "Payment refunded"}),
        ),
        (
            Shape.SEED,
            PeerName.NOTIFICATION,
            (
                "POST",
                "/v1/notifications",
                {
                    "user_id": 7,
                    "type": "PAYMENT_REFUNDED",
                    "message": "Your payment for order 42 has been refunded in full: 149.50 INR.",
                    "channel": "EMAIL",
                },
            ),
        ),
        (
            Shape.SIBLING,
            PeerName.ORDER,
            (
                "PATCH",
                "/v1/orders/42/status",
                {"status": "REFUNDED", "payment_status": "REFUNDED", "status_detail": "REFUNDED"},
            ),
        ),
        (
            Shape.SIBLING,
            PeerName.INVENTORY,
            (
                "POST",
                "/v1/inventory/release",
                {"order_id": 42, "reason": "Payment refunded", "reservation_id": "RSV-9"},
            ),
        ),
        (
            Shape.SIBLING,
            PeerName.NOTIFICATION,
            (
                "POST",
                "/v1/notifications/events",
                {"event_type": "PAYMENT_REFUNDED", "order_id": 42, "customer_id": 7},
            ),
        ),
    ],
)
def test_each_peer_is_told_in_the_shape_of_the_contract(shape, name, expected):
    refunded = {
        "status": S.REFUNDED,
        "amount_captured_minor": 14950,
        "amount_refunded_minor": 14950,
        "metadata": {"reservation_id": "RSV-9"},
    }
    assert sent(name, shape, **refunded) == expected


def test_a_reservation_that_is_not_known_is_left_out():
    _, _, body = sent(PeerName.INVENTORY, Shape.SIBLING, status=S.FAILED)
    assert body == {"order_id": 42, "reason": "Payment failed"}


@pytest.mark.parametrize("status", PaymentStatus)
@pytest.mark.parametrize("shape", Shape)
def test_the_order_service_reads_one_of_six_and_the_exact_one_beside_it(status, shape):
    _, _, body = sent(PeerName.ORDER, shape, status=status)
    assert body["payment_status"] in SIX
    assert body["status_detail"] == status


def test_states_beyond_the_six_are_told_as_the_nearest_of_them():
    beyond = {status: told for status, told in SEED_STATUS.items() if status != told}
    assert beyond == {
        S.AUTHORIZED: S.PROCESSING,
        S.REQUIRES_ACTION: S.PROCESSING,
        S.PARTIALLY_REFUNDED: S.COMPLETED,
    }


def wanted(kind: EventType, status: PaymentStatus) -> set[PeerName]:
    return {name for name, wants in WANTED.items() if {(kind, None), (kind, status)} & wants}


@pytest.mark.parametrize("status", PaymentStatus)
def test_the_order_service_hears_of_every_state(status: PaymentStatus):
    assert PeerName.ORDER in wanted(ENTERED[status], status)


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(("kind", "detail"), sorted(LATE.items()))
def test_the_order_service_hears_of_late_money_and_nobody_else_does(
    shape: Shape, kind: EventType, detail: str
):
    for status in S:
        assert wanted(kind, status) == {PeerName.ORDER}
    came = replace(event(payment(42, status=S.CANCELLED)), type=kind)
    body = json.loads(request(peer(PeerName.ORDER, BASE, shape), came).body)
    assert (body["payment_status"], body["status_detail"]) == ("CANCELLED", detail)


@pytest.mark.parametrize("kind", sorted(set(EventType) - set(ENTERED.values()) - set(LATE)))
@pytest.mark.parametrize("status", PaymentStatus)
def test_what_is_no_change_of_state_is_told_to_nobody(kind: EventType, status: PaymentStatus):
    assert not wanted(kind, status)


def test_stock_is_released_on_failure_cancellation_and_full_refund_only():
    releasing = {s for s in S if PeerName.INVENTORY in wanted(ENTERED[s], s)}
    assert releasing == {S.FAILED, S.CANCELLED, S.REFUNDED}


def test_customers_hear_of_success_failure_and_refunds():
    heard = {s for s in S if PeerName.NOTIFICATION in wanted(ENTERED[s], s)}
    assert heard == {S.COMPLETED, S.FAILED, S.REFUNDED, S.PARTIALLY_REFUNDED}


@given(ORDER_IDS)
def test_an_order_id_is_one_segment_of_the_path_whatever_it_holds(order_id: str):
    made = request(peer(PeerName.ORDER, BASE), event(payment(order_id=OrderId(order_id))))
    segments = urlsplit(made.url).path.split("/")
    assert segments[:4] == ["", "base", "v1", "orders"]
    assert [unquote(segments[4]), *segments[5:]] == [order_id, "payment-status"]


@given(st.text(max_size=40), st.sampled_from(Shape))
def test_free_text_travels_as_it_is_and_cannot_leave_its_place(text: str, shape: Shape):
    told_otherwise = peer(
        PeerName.ORDER,
        BASE,
        shape,
        verb="post",
        path="/hook/{metadata.note}/end",
        body={"note": "{metadata.note}", "list": ["{order_id}", "for {order_id}"], "nested": {"on": True}},
    )
    made = request(told_otherwise, event(payment(metadata={"note": text})))
    assert made.url == f"http://peer:8000/base/hook/{_quoted(text)}/end"
    assert "/" not in _quoted(text)
    assert "?" not in _quoted(text)
    assert json.loads(made.body) == {"note": text, "list": [1, "for 1"], "nested": {"on": True}}
    assert made.verb == "POST"


def _quoted(text: str) -> str:
    return quote(text, safe="")


@pytest.mark.parametrize(
    ("told_otherwise", "complaint"),
    [
        ({"verb": "GET"}, "verb"),
        ({"path": "v1/orders"}, "path"),
        ({"path": "//elsewhere/x"}, "path"),
        ({"path": "/with space"}, "path"),
        ({"path": "/v1/{card}"}, "{card}"),
        ({"body": {"a": [{"b": "{pan}"}]}}, "{pan}"),
        ({"base_url": "ftp://peer"}, "http"),
        ({"base_url": "peer:8000"}, "http"),
        ({"base_url": "http://user:secret@peer"}, "password"),
        ({"base_url": "http://peer/?a=1"}, "query"),
    ],
)
def test_a_request_that_could_never_be_sent_is_refused_at_the_start(told_otherwise, complaint):
    base_url = told_otherwise.pop("base_url", BASE)
    with pytest.raises(InvalidTemplate, match=complaint) as refused:
        peer(PeerName.ORDER, base_url, **told_otherwise)
    assert "secret" not in str(refused.value)


def test_every_shape_is_a_request_that_can_be_sent():
    for shape, peers in SHAPES.items():
        assert {peer(name, BASE, shape).name for name in peers} == set(PeerName)


def test_what_a_template_may_name_is_what_an_event_tells():
    assert set(told(event(payment()))) == NAMES


def test_the_key_is_the_same_for_every_try_and_never_another_events_or_peers():
    keys = {
        idempotency_key(name, event(payment(number), sequence, event_id=5))
        for name in PeerName
        for number in (1, 2)
        for sequence in (1, 2)
    }
    assert len(keys) == 12
    same = [idempotency_key(PeerName.ORDER, event(payment(1), 2, event_id=n)) for n in (1, 2)]
    assert same[0] == same[1]


def message(**fields) -> str:
    return str(sent(PeerName.NOTIFICATION, Shape.SEED, **fields)[2]["message"])


def test_messages_name_the_amount_the_currency_and_the_order():
    assert (
        message(status=S.COMPLETED, amount_captured_minor=14950)
        == "Your payment of 149.50 INR for order 42 was successful."
    )
    assert message(status=S.PARTIALLY_REFUNDED, amount_captured_minor=14950, amount_refunded_minor=5000) == (
        "Part of your payment for order 42 has been refunded: 50.00 INR of 149.50 INR so far."
    )


def test_a_payment_that_was_captured_in_part_is_told_as_what_was_taken():
    assert "99.00 INR" in message(status=S.COMPLETED, amount_captured_minor=9900)


@pytest.mark.parametrize(
    ("currency", "amount_minor", "shown"), [("JPY", 1500, "1500 JPY"), ("KWD", 1500, "1.500 KWD")]
)
def test_amounts_have_the_digits_of_their_currency(currency: str, amount_minor: int, shown: str):
    assert shown in message(status=S.FAILED, currency=currency, amount_minor=amount_minor)


@pytest.mark.parametrize("code", ["lost_or_stolen", "suspected_fraud", "do_not_honor", "something_new"])
def test_a_suspicion_is_told_as_a_plain_decline(code: str):
    told_message = message(status=S.FAILED, failure=Failure(code, "the gateway's own words", retryable=False))
    assert told_message.endswith("failed: it was declined. You can try to pay again.")


@pytest.mark.parametrize("code", FAILURE_WORDS)
def test_a_decline_that_helps_the_payer_is_told(code: str):
    assert FAILURE_WORDS[code] in message(status=S.FAILED, failure=Failure(code, "", retryable=True))


@pytest.mark.parametrize("code", ["gateway_unreachable", NOT_RECEIVED.code, ENDED_BY_OPERATOR])
def test_what_nobody_declined_is_not_told_as_declined(code):
    assert "declined" not in message(status=S.FAILED, failure=Failure(code, "", retryable=True))
