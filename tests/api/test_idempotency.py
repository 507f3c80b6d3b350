"""The idempotency key on the wire: what counts as the same request, and what a repeat gets."""

from __future__ import annotations

import asyncio
import json

import pytest

from eci_payments.operations.problems import CATALOGUE
from support.api import CHARGE, charge_body

CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}


async def send(api, body: str, key: str, path: str = CHARGE):
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    return await api.request("POST", path, content=body, headers=headers)


async def test_a_repeat_gets_the_same_bytes(api):
    body = charge_body()
    first = await api.post(CHARGE, body, key="same")
    second = await api.post(CHARGE, body, key="same")
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["location"] == first.headers["location"]


async def test_a_repeat_gets_the_first_answer_even_when_things_have_moved_on(api):
    body = charge_body()
    first = await api.post(CHARGE, body, key="moved")
    await api.post(f"{first.headers['location']}/refund", {"reason": "Sent it back"})
    assert (await api.post(CHARGE, body, key="moved")).content == first.content


async def test_a_declined_charge_is_replayed(api):
    body = charge_body(amount="100.51")
    first = await api.post(CHARGE, body, key="declined")
    second = await api.post(CHARGE, body, key="declined")
    assert (second.content, second.headers["idempotent-replayed"]) == (first.content, "true")


async def test_a_key_bare_and_in_quotes_is_one_key(api):
    body = json.dumps(charge_body())
    first = await send(api, body, "quoted key")
    second = await send(api, body, '"quoted key"')
    assert (second.status_code, second.content) == (201, first.content)


@pytest.mark.parametrize(
    ("number", "first", "second"),
    [
        (1, '{"order_id": "e1", "user_id": 7, "amount": 1.5, "payment_method": "UPI"}',
         ' {"payment_method":"UPI","amount":"1.50",\n"user_id":"7","order_id":"e1"}'),
        (2, '{"order_id": 7002, "user_id": 7, "amount": 100, "payment_method": "UPI"}',
         '{"order_id": "7002", "user_id": 7, "amount": 1e2, "payment_method": "UPI", "currency": "INR"}'),
        (3, '{"order_id": "e3", "user_id": 7, "amount": 1, "payment_method": "UPI", "metadata": {"a": "1", "b": "2"}}',
         '{"metadata": {"b": "2", "a": "1"}, "order_id": "e3", "user_id": 7, "amount": 1.00, "payment_method": "UPI",\
           "capture": true, "reference": null, "payment_details": {}}'),
    ],
)  # fmt: skip
async def test_the_same_request_in_other_words(api, number, first, second):
    one = await send(api, first, f"words-{number}")
    two = await send(api, second, f"words-{number}")
    assert (one.status_code, two.status_code) == (201, 201)
    assert two.content == one.content


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "149.51"},
        {"user_id": 8},
        {"order_id": "another"},
        {"currency": "USD"},
        {"payment_method": "WALLET"},
        {"capture": False},
        {"reference": "mine"},
        {"metadata": {"a": "b"}},
        {"payment_details": {"upi": {}}},
    ],
)
async def test_another_request_with_the_key_is_422(api, change):
    body, key = charge_body(), f"reused-{json.dumps(change)}".replace('"', "")
    await api.post(CHARGE, body, key=key)
    other = await api.post(CHARGE, body | change, key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_another_security_code_is_the_same_request_and_another_number_is_not(api):
    body = charge_body(payment_method="CREDIT_CARD", payment_details={"card": CARD})
    first = await api.post(CHARGE, body, key="cvc")
    same = await api.post(CHARGE, body | {"payment_details": {"card": CARD | {"cvc": "999"}}}, key="cvc")
    other = {"card": CARD | {"number": "5555555555554444"}}
    different = await api.post(CHARGE, body | {"payment_details": other}, key="cvc")
    assert same.content == first.content
    assert different.json()["code"] == "idempotency_key_reused"


async def test_path_parameters_count_and_routes_do_not_share_keys(api):
    one, two = await api.paid(), await api.paid()
    reason = {"reason": "Sent it back"}
    first = await api.post(f"/v1/payments/{one['payment_id']}/refund", reason, key="shared")
    other = await api.post(f"/v1/payments/{two['payment_id']}/refund", reason, key="shared")
    charge = await api.post(CHARGE, charge_body(), key="shared")
    assert (first.status_code, other.status_code, charge.status_code) == (200, 422, 201)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_path_and_body_count_where_no_amount_is_named(api):
    key = {"Idempotency-Key": "shared"}
    one, two = [await api.paid(capture=False) for _ in range(2)]
    first = await api.request("DELETE", f"/v1/payments/{one['payment_id']}", headers=key)
    other = await api.request("DELETE", f"/v1/payments/{two['payment_id']}", headers=key)
    assert (first.status_code, other.status_code) == (200, 422)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_amounts_of_parts_are_equal_as_numbers(api):
    payment = await api.paid()
    path = f"/v1/payments/{payment['payment_id']}/refund"
    first = await api.post(path, {"amount": 1.5, "reason": "Half of it"}, key="part")
    second = await api.post(path, {"reason": "Half of it", "amount": "1.50"}, key="part")
    assert (second.status_code, second.content) == (200, first.content)


async def test_what_is_refused_leaves_its_key_free(api):
    paid = await api.paid()
    refused = await api.charge(order_id=paid["order_id"], key="free")
    assert refused.status_code == 409
    assert (await api.charge(key="free")).status_code == 201


async def test_many_at_once_are_one(api):
    body = charge_body()
    answers = await asyncio.gather(*(api.post(CHARGE, body, key="race") for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert (await api.get("/v1/payments", params={"order_id": body["order_id"]})).json()["total"] == 1


async def test_a_duplicate_of_a_running_request_is_409_with_a_time_to_come_back(api):
    body = charge_body(amount="100.31")  # approved, with a slow answer
    first = asyncio.create_task(api.post(CHARGE, body, key="slow"))
    await asyncio.sleep(0.3)
    second = await api.post(CHARGE, body, key="slow")
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_flight")
    assert int(second.headers["retry-after"]) > 0
    assert (await first).status_code == 201


async def test_keys_are_optional_where_the_contract_says_so(api):
    created = await api.post("/v1/payments", charge_body(), key=None)
    path = created.headers["location"]
    confirmed = await api.post(f"{path}/confirm", {}, key=None)
    assert (confirmed.status_code, confirmed.json()["code"]) == (400, "idempotency_key_missing")
    await api.post(f"{path}/confirm", {})
    refunded = await api.post(f"{path}/refund", {"amount": 1, "reason": "No key here"}, key=None)
    assert refunded.status_code == 200
    again = await api.post(f"{path}/refund", {"amount": 1, "reason": "No key here"}, key=None)
    assert (again.status_code, again.json()["code"]) == (409, "possible_duplicate")
    meant = await api.post(f"{path}/refund", {"amount": 1, "reason": "No key here"}, key="meant")
    assert meant.status_code == 200


def test_every_problem_has_a_status_that_the_contract_names():
    named = {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503}
    assert {problem.status for problem in CATALOGUE.values()} <= named
