"""The charge: what goes in and what comes out, for every method and every outcome."""

from __future__ import annotations

import pytest

from support.api import CHARGE, charge_body


async def test_a_charge_is_201_with_the_payment_and_where_it_is(api):
    response = await api.charge(order_id=42, amount=149.5)
    payment = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/payments/{payment['payment_id']}"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"
    assert (payment["status"], payment["order_id"], payment["amount_minor"]) == ("COMPLETED", 42, 14950)
    assert b'"amount":149.50,' in response.content


CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}


@pytest.mark.parametrize(
    ("method", "details"),
    [
        ("CREDIT_CARD", {"card": CARD}),
        ("CREDIT_CARD", {"card": CARD | {"number": "4242 4242-4242 4242", "holder": "A. Customer"}}),
        ("DEBIT_CARD", {"card": CARD}),
        ("UPI", {"upi": {"vpa": "success@razorpay"}}),
        ("WALLET", {"wallet": {"code": "paytm"}}),
        ("NET_BANKING", {"bank": {"code": "HDFC"}}),
        ("UPI", None),
        ("CREDIT_CARD", {}),
    ],
)
async def test_every_method_charges(api, method, details):
    response = await api.charge(payment_method=method, payment_details=details)
    assert response.status_code == 201
    assert response.json()["status"] in {"COMPLETED", "REQUIRES_ACTION"}
    assert "4242" not in response.text


async def test_cash_on_delivery_waits_to_be_collected(api):
    payment = await api.paid(payment_method="COD")
    assert (payment["status"], payment["amount_captured_minor"]) == ("PENDING", 0)
    collected = await api.request(
        "PATCH", f"/v1/payments/{payment['payment_id']}/status", json={"status": "COMPLETED"}
    )
    assert collected.json()["status"] == "COMPLETED"


async def test_a_declined_charge_is_an_answer(api):
    response = await api.charge(amount="100.51")
    assert response.status_code == 201
    assert response.json()["status"] == "FAILED"
    assert response.json()["failure"]["code"] == "insufficient_funds"


async def test_a_charge_that_was_not_sent_is_502_and_its_key_is_free(api):
    body = charge_body(amount="100.28")
    first = await api.post(CHARGE, body, key="unsent")
    assert (first.status_code, first.json()["code"]) == (502, "gateway_unreachable")
    again = await api.post(CHARGE, body | {"amount": 100}, key="unsent")
    assert (again.status_code, again.json()["status"]) == (201, "COMPLETED")


async def test_an_unknown_outcome_is_202_until_the_gateway_has_said(api):
    body = charge_body(order_id="o-1", amount="100.22")
    first = await api.post(CHARGE, body, key="k")
    assert first.status_code == 202
    assert int(first.headers["retry-after"]) > 0
    assert (first.json()["status"], first.json()["processing_reason"]) == ("PROCESSING", "outcome_unknown")
    again = await api.post(CHARGE, body, key="k")
    assert (again.status_code, again.json()["payment_id"]) == (202, first.json()["payment_id"])
    other = await api.charge(order_id="o-1")
    assert (other.status_code, other.json()["code"]) == (409, "order_outcome_unknown")


async def test_authorize_capture_and_release(api):
    payment = await api.paid(capture=False)
    path = f"/v1/payments/{payment['payment_id']}"
    assert (payment["status"], payment["amount_authorized_minor"]) == ("AUTHORIZED", 14950)
    part = await api.post(f"{path}/capture", {"amount": "100", "final": False})
    assert (part.json()["status"], part.json()["amount_captured"]) == ("AUTHORIZED", 100)
    released = await api.request("DELETE", path)
    assert (released.status_code, released.json()["status"]) == (200, "COMPLETED")


async def test_capture_of_all_needs_no_body(api):
    payment = await api.paid(capture=False)
    response = await api.post(f"/v1/payments/{payment['payment_id']}/capture")
    assert (response.status_code, response.json()["status"]) == (200, "COMPLETED")


async def test_two_steps(api):
    created = await api.post("/v1/payments", charge_body(payment_method="CREDIT_CARD"), key=None)
    assert (created.status_code, created.json()["status"]) == (201, "PENDING")
    assert created.headers["location"] == f"/v1/payments/{created.json()['payment_id']}"
    confirmed = await api.post(f"{created.headers['location']}/confirm", {"payment_details": {"card": CARD}})
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "COMPLETED")


async def test_create_takes_no_details(api):
    response = await api.post("/v1/payments", charge_body(payment_details={"upi": {}}))
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "payment_details")


async def test_cancel_a_pending_payment(api):
    created = (await api.post("/v1/payments", charge_body())).json()
    path = f"/v1/payments/{created['payment_id']}"
    cancelled = await api.request("DELETE", path, headers={"Idempotency-Key": "c"})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "CANCELLED")
    replayed = await api.request("DELETE", path, headers={"Idempotency-Key": "c"})
    assert (replayed.content, replayed.headers["idempotent-replayed"]) == (cancelled.content, "true")
    again = await api.request("DELETE", path, headers={"Idempotency-Key": "d"})
    assert (again.status_code, again.json()["code"]) == (409, "illegal_state")


async def test_an_order_is_paid_once(api):
    first = await api.paid(order_id=99)
    second = await api.charge(order_id="99")
    assert (second.status_code, second.json()["code"]) == (409, "order_already_paid")
    assert second.json()["payment_id"] == first["payment_id"]


async def test_a_failed_order_is_charged_again_on_the_same_payment(api):
    failed = (await api.charge(order_id="o", amount="100.51")).json()
    again = await api.charge(order_id="o", amount=80, payment_method="WALLET")
    assert (again.status_code, again.json()["payment_id"]) == (201, failed["payment_id"])
    other = await api.charge(order_id="p", amount="100.51")
    stolen = await api.charge(order_id="p", user_id=8)
    assert other.status_code == 201
    assert (stolen.status_code, stolen.json()["code"]) == (409, "user_mismatch")


async def test_more_than_one_charge_may_take_is_refused(api):
    response = await api.charge(amount=100001)
    assert (response.status_code, response.json()["code"]) == (422, "amount_above_limit")
    assert response.json()["errors"] == [{"field": "amount", "message": "is above the limit of one charge"}]
    assert (await api.charge(amount=100000)).status_code == 201


async def test_amounts_keep_their_currencys_digits(api):
    kuwait = await api.charge(amount="1.234", currency="KWD")
    japan = await api.charge(amount=500, currency="JPY")
    assert b'"amount":1.234,' in kuwait.content
    assert b'"amount":500,' in japan.content
    assert (kuwait.json()["amount_minor"], japan.json()["amount_minor"]) == (1234, 500)


async def test_a_listed_return_url_is_taken(api):
    response = await api.charge(return_url="https://shop.example/thanks?order=1")
    assert response.status_code == 201
