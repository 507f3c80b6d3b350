"""Refunds, payouts by hand, and what an operator may say of a payment."""

from __future__ import annotations

import pytest

from support.api import charge_body


async def refund(api, payment, amount=None, **sent):
    body = {"reason": "Customer sent it back"} | ({} if amount is None else {"amount": amount})
    return await api.post(f"/v1/payments/{payment['payment_id']}/refund", body, **sent)


async def say(api, payment, **body):
    return await api.request("PATCH", f"/v1/payments/{payment['payment_id']}/status", json=body)


async def test_parts_until_nothing_is_left(api):
    payment = await api.paid(amount=100)
    half = await refund(api, payment, "60")
    assert (half.status_code, half.json()["status"]) == (200, "PARTIALLY_REFUNDED")
    more = await refund(api, payment, 60)
    assert (more.status_code, more.json()["code"]) == (422, "amount_exceeds_refundable")
    assert more.json()["detail"].startswith("Left to refund: 40.00 INR (being refunded: 0.00 INR; ")
    rest = await refund(api, payment)
    assert (rest.json()["status"], rest.json()["amount_refunded"]) == ("REFUNDED", 100)
    listed = (await api.get(f"/v1/payments/{payment['payment_id']}/refunds")).json()["refunds"]
    assert [each["amount_minor"] for each in listed] == [6000, 4000]
    assert listed == rest.json()["refunds"]
    over = await refund(api, payment)
    assert (over.status_code, over.json()["code"]) == (409, "illegal_state")


async def test_a_declined_refund_moves_nothing(api):
    payment = await api.paid(amount=200)
    response = await refund(api, payment, "100.51", key="d")
    assert (response.status_code, response.json()["code"]) == (409, "gateway_declined")
    assert response.json()["failure"]["code"] == "insufficient_funds"
    again = await refund(api, payment, "100.51", key="d")
    assert (again.content, again.headers["idempotent-replayed"]) == (response.content, "true")
    after = (await api.get(f"/v1/payments/{payment['payment_id']}")).json()
    assert after["status"] == "COMPLETED"
    assert (after["amount_refunded_minor"], after["amount_refund_pending_minor"]) == (0, 0)


async def test_an_unknown_refund_is_202_and_keeps_its_amount(api):
    payment = await api.paid(amount=200)
    response = await refund(api, payment, "100.22", key="u")
    assert response.status_code == 202
    assert int(response.headers["retry-after"]) > 0
    assert response.json()["amount_refund_pending_minor"] == 10022
    too_much = await refund(api, payment, "100")
    assert too_much.json()["code"] == "amount_exceeds_refundable"


async def test_a_refund_that_is_not_sent_is_502(api):
    payment = await api.paid(amount=200)
    response = await refund(api, payment, "100.28", key="n")
    assert (response.status_code, response.json()["code"]) == (502, "gateway_unreachable")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": "four"}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "with\u0000nul"}, "reason"),
        ({"reason": "long enough", "amount": 0}, "amount"),
        ({"reason": "long enough", "amount": "1.001"}, "amount"),
        ({"reason": "long enough", "amount": "1.00001"}, "amount"),
        ({"reason": "long enough", "currency": "INR"}, "currency"),
    ],
)
async def test_a_wrong_refund_is_422(api, body, field):
    payment = await api.paid()
    response = await api.post(f"/v1/payments/{payment['payment_id']}/refund", body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


async def test_a_card_number_as_a_reason_is_refused(api):
    payment = await api.paid()
    body = {"reason": "to 4242 4242 4242 4242"}
    response = await api.post(f"/v1/payments/{payment['payment_id']}/refund", body)
    assert (response.status_code, response.json()["code"]) == (422, "card_data_not_allowed")


async def test_cash_goes_back_by_hand(api):
    payment = await api.paid(payment_method="COD")
    await say(api, payment, status="COMPLETED", reason="Collected by the courier")
    pending = (await refund(api, payment)).json()
    (waiting,) = pending["refunds"]
    assert (waiting["status"], pending["amount_refund_pending_minor"]) == ("PENDING", 14950)
    path = f"/v1/payments/{payment['payment_id']}/refunds/{waiting['refund_id']}/paid"
    paid = await api.post(path, key="paid")
    assert (paid.status_code, paid.json()["status"]) == (200, "REFUNDED")
    assert (await api.post(path, key="paid")).content == paid.content
    again = await api.post(path)
    assert (again.status_code, again.json()["code"]) == (409, "illegal_state")
    missing = await api.post(f"/v1/payments/{payment['payment_id']}/refunds/999999/paid")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_money_taken_outside_is_booked(api):
    created = (await api.post("/v1/payments", charge_body())).json()
    booked = await say(api, created, status="COMPLETED", gateway_response="Paid by bank transfer")
    assert (booked.json()["status"], booked.json()["gateway_response"]) == (
        "COMPLETED",
        "Paid by bank transfer",
    )
    refunded = await say(api, created, status="REFUNDED")
    assert (refunded.status_code, refunded.json()["code"]) == (409, "use_refund_endpoint")
    failed = await say(api, created, status="FAILED")
    assert (failed.status_code, failed.json()["code"]) == (409, "illegal_state")


async def test_a_pending_payment_is_failed_by_hand(api):
    created = (await api.post("/v1/payments", charge_body())).json()
    failed = await say(api, created, status="FAILED", reason="Customer phoned")
    assert (failed.status_code, failed.json()["failure"]["code"]) == (200, "failed_by_operator")


async def test_an_unknown_outcome_needs_a_reason_and_the_gateway_goes_first(api):
    unknown = (await api.charge(amount="100.22")).json()
    bare = await say(api, unknown, status="FAILED")
    assert (bare.status_code, bare.json()["code"]) == (422, "reason_required")
    told = await say(api, unknown, status="COMPLETED", reason="Gateway's support says so")
    assert (told.status_code, told.json()["status"]) == (200, "COMPLETED")


@pytest.mark.parametrize(
    "body", [{}, {"status": "PAID"}, {"status": 1}, {"status": "FAILED", "reason": "no"}]
)
async def test_a_wrong_status_is_422(api, body):
    payment = await api.paid()
    assert (await say(api, payment, **body)).status_code == 422


async def test_capture_more_than_authorized(api):
    payment = await api.paid(capture=False, amount=100)
    path = f"/v1/payments/{payment['payment_id']}/capture"
    response = await api.post(path, {"amount": 101})
    assert (response.status_code, response.json()["code"]) == (422, "amount_exceeds_authorized")
    assert (await api.post(path, {"amount": 50, "final": "yes"})).json()["errors"][0]["field"] == "final"


async def test_confirm_cash_needs_another_method(api):
    created = (await api.post("/v1/payments", charge_body(payment_method="COD"))).json()
    path = f"/v1/payments/{created['payment_id']}/confirm"
    assert (await api.post(path)).json()["code"] == "illegal_state"
    misfit = await api.post(path, {"payment_details": {"upi": {}}})
    assert (misfit.status_code, misfit.json()["errors"][0]["field"]) == (422, "payment_details")
    assert (await api.post(path, {"payment_method": "WALLET"})).json()["status"] == "COMPLETED"
