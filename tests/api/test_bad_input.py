"""Bad input gets the contract's error and changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eci_payments.settings import load
from support.api import CHARGE, charge_body, running_api

PAN = "4242424242424242"
CARD = {"number": PAN, "exp_month": 12, "exp_year": 2030, "cvc": "123"}


async def refused(api, content: bytes | str, *, media: str | None = "application/json", **headers: str):
    """The answer to a body, byte for byte as given, and that it left nothing behind."""
    before = (await api.get("/v1/payments")).json()["total"]
    types = {"Content-Type": media} if media is not None else {}
    sent = {"Idempotency-Key": "bad"} | types | headers
    response = await api.request("POST", CHARGE, content=content, headers=sent)
    assert (await api.get("/v1/payments")).json()["total"] == before
    assert "set-cookie" not in response.headers
    return response


def raw(**literal: str) -> str:
    """A charge's body in which these fields stand as the JSON that is given."""
    body = charge_body()
    for name in literal:
        body[name] = f"@{name}@"
    text = json.dumps(body)
    for name, value in literal.items():
        text = text.replace(f'"@{name}@"', value)
    return text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (raw(amount="NaN"), "NaN is not JSON"),
        (raw(amount="Infinity"), "Infinity is not JSON"),
        (raw(amount="-Infinity"), "-Infinity is not JSON"),
        (raw(amount="01"), "Expecting ','"),
        (raw(amount="1.") + " ", "Expecting ','"),
        ('{"amount": 1, "amount": 2}', "same name twice"),
        (raw(metadata='{"a": "1", "a": "2"}'), "same name twice"),
        (b'{"reference": "\xff"}', "not UTF-8"),
        (raw(reference=r'"\ud800"'), "half of a character"),
        (raw(metadata=r'{"\udfff": "x"}'), "half of a character"),
        (b'{"reference": "\x00"}', "Invalid control character"),
        ("[" * 30000 + "]" * 30000, "levels deep"),
        ('{"a":' * 9000 + "1" + "}" * 9000, "levels deep"),
        (raw() + "x", "Extra data"),
        ("\ufeff" + raw(), "Expecting value"),
        (raw().encode("utf-16"), "not UTF-8"),
    ],
)
async def test_what_is_not_json_is_400(api, content, says):
    response = await refused(api, content)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")
    assert says in response.json()["detail"]


@pytest.mark.parametrize(
    ("literal", "field"),
    [
        ({"amount": "1e400"}, "amount"),
        ({"amount": "1e999999999"}, "amount"),
        ({"amount": "1e99999999999999999999"}, "amount"),
        ({"amount": "1e-99999999999999999999"}, "amount"),
        ({"amount": "9" * 5000}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "-0.0"}, "amount"),
        ({"amount": "1.555"}, "amount"),
        ({"amount": "true"}, "amount"),
        ({"amount": "null"}, "amount"),
        ({"amount": "[1]"}, "amount"),
        ({"amount": '"1e3"'}, "amount"),
        ({"amount": '"NaN"'}, "amount"),
        ({"amount": '"1,5"'}, "amount"),
        ({"amount": '" 1"'}, "amount"),
        ({"amount": '"\u0661"'}, "amount"),
        ({"order_id": "9007199254740993"}, "order_id"),
        ({"order_id": '"9007199254740993"'}, "order_id"),
        ({"order_id": "1.5"}, "order_id"),
        ({"order_id": "0"}, "order_id"),
        ({"order_id": "true"}, "order_id"),
        ({"order_id": '"a/b"'}, "order_id"),
        ({"order_id": '"-a"'}, "order_id"),
        ({"order_id": '""'}, "order_id"),
        ({"order_id": f'"{"a" * 65}"'}, "order_id"),
        ({"order_id": r'"a\u0000"'}, "order_id"),
        ({"user_id": "{}"}, "user_id"),
        ({"currency": '"inr"'}, "currency"),
        ({"currency": '"XAU"'}, "currency"),
        ({"currency": '"XXX"'}, "currency"),
        ({"currency": '"DEM"'}, "currency"),
        ({"currency": "356"}, "currency"),
        ({"payment_method": '"CASH"'}, "payment_method"),
        ({"payment_method": "1"}, "payment_method"),
        ({"capture": '"true"'}, "capture"),
        ({"capture": "1"}, "capture"),
        ({"reference": '""'}, "reference"),
        ({"reference": f'"{"a" * 101}"'}, "reference"),
        ({"reference": r'"a\u0000b"'}, "reference"),
        ({"reference": r'"a\nb"'}, "reference"),
        ({"reference": "7"}, "reference"),
        ({"metadata": "[]"}, "metadata"),
        ({"metadata": '{"a": 1}'}, "metadata.a"),
        ({"metadata": '{"a": "\\u001b[31m"}'}, "metadata.a"),
        ({"metadata": json.dumps({f"k{i}": "" for i in range(21)})}, "metadata"),
        ({"metadata": json.dumps({"k": "x" * 501})}, "metadata.k"),
        ({"metadata": json.dumps({"k" * 65: "x"})}, "metadata.(a name that is not shown)"),
        ({"payment_details": '"card"'}, "payment_details"),
        ({"payment_details": '{"upi": {"vpa": "nobody"}}'}, "payment_details.upi.vpa"),
        ({"payment_details": '{"upi": {}, "bank": {"code": "HDFC"}}'}, "payment_details"),
        ({"payment_details": '{"bank": {"code": "HDFC"}}'}, "payment_details"),
        ({"payment_details": '{"upi": {"pin": "1"}}'}, "payment_details.upi.pin"),
        ({"return_url": '"https://evil.example/"'}, "return_url"),
        ({"return_url": '"http://shop.example/"'}, "return_url"),
        ({"return_url": '"https://shop.example:8443/"'}, "return_url"),
        ({"return_url": '"https://shop.example@evil.example/"'}, "return_url"),
        ({"return_url": '"https://shop.example.evil.example/"'}, "return_url"),
        ({"return_url": r'"https://evil.example\\@shop.example/"'}, "return_url"),
        ({"return_url": '"javascript:alert(1)"'}, "return_url"),
        ({"return_url": '"//shop.example/"'}, "return_url"),
        ({"return_url": '"https://[::1"'}, "return_url"),
        ({"surprise": "1"}, "surprise"),
        ({"payment_id": "1"}, "payment_id"),
        ({"status": '"COMPLETED"'}, "status"),
    ],
)
async def test_a_wrong_field_is_422_by_name(api, literal, field):
    response = await refused(api, raw(**literal))
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "validation_failed")
    assert field in [error["field"] for error in problem["errors"]]


@pytest.mark.parametrize("body", ["[]", '"charge"', "7", "null", "true", "[[[[[[[[1]]]]]]]]"])
async def test_json_that_is_no_object_is_422(api, body):
    response = await refused(api, body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "body")


async def test_all_wrong_fields_are_named_at_once(api):
    response = await refused(
        api, raw(order_id="0", amount='"x"', payment_method='"x"', capture="null", extra="1", reference="1")
    )
    fields = {error["field"] for error in response.json()["errors"]}
    assert fields == {"order_id", "amount", "payment_method", "capture", "extra", "reference"}


async def test_what_is_missing_is_named(api):
    response = await refused(api, "{}")
    fields = {error["field"] for error in response.json()["errors"]}
    assert fields == {"order_id", "user_id", "amount", "payment_method"}


async def test_a_thousand_unknown_fields_are_not_answered_with_as_many(api):
    response = await refused(api, json.dumps({f"field{i}": i for i in range(2000)}))
    assert response.status_code == 422
    assert len(response.json()["errors"]) == 50


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"number": "4242424242424241"}, "number"),
        ({"number": "4242"}, "number"),
        ({"number": 4242424242424242}, "number"),
        ({"number": "x"}, "number"),
        ({"exp_month": 0}, "exp_month"),
        ({"exp_month": 13}, "exp_month"),
        ({"exp_month": "12"}, "exp_month"),
        ({"exp_year": 30}, "exp_year"),
        ({"exp_year": 3000}, "exp_year"),
        ({"cvc": "12"}, "cvc"),
        ({"cvc": "12345"}, "cvc"),
        ({"cvc": 123}, "cvc"),
        ({"cvc": "\u0967\u0968\u0969"}, "cvc"),
        ({"holder": ""}, "holder"),
        ({"pin": "1234"}, "pin"),
    ],
)
async def test_a_wrong_card_is_422_and_never_repeated(api, changes, field):
    card = CARD | changes
    response = await refused(
        api, json.dumps(charge_body(payment_method="CREDIT_CARD", payment_details={"card": card}))
    )
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "validation_failed")
    assert [error["field"] for error in problem["errors"]] == [f"payment_details.card.{field}"]
    assert PAN not in response.text
    assert "4242424242424241" not in response.text


async def test_a_luhn_failure_is_422(api):
    details = {"card": CARD | {"number": "4242 4242 4242 4241"}}
    response = await refused(
        api, json.dumps(charge_body(payment_method="CREDIT_CARD", payment_details=details))
    )
    assert response.json()["errors"] == [
        {"field": "payment_details.card.number", "message": "is not a valid card number"}
    ]


@pytest.mark.parametrize(
    ("method", "details"),
    [
        ("COD", {"card": CARD}),
        ("COD", {"upi": {}}),
        ("UPI", {"card": CARD}),
        ("CREDIT_CARD", {"wallet": {"code": "paytm"}}),
    ],
)
async def test_details_must_fit_the_method(api, method, details):
    response = await refused(api, json.dumps(charge_body(payment_method=method, payment_details=details)))
    assert response.json()["errors"] == [{"field": "payment_details", "message": f"does not fit {method}"}]


@pytest.mark.parametrize(
    "fields",
    [
        {"reference": PAN},
        {"reference": "card 4242-4242 4242-4242 thanks"},
        {"metadata": {"note": PAN}},
        {"metadata": {PAN: "note"}},
        {"payment_method": "WALLET", "payment_details": {"wallet": {"code": PAN}}},
        {"payment_details": {"upi": {"vpa": f"{PAN}@upi"}}},
        {"payment_method": "CREDIT_CARD", "payment_details": {"card": CARD | {"holder": PAN}}},
    ],
)
async def test_card_numbers_in_text_are_refused_and_not_repeated(api, fields: dict[str, Any]):
    response = await refused(api, json.dumps(charge_body(**fields)))
    assert (response.status_code, response.json()["code"]) == (422, "card_data_not_allowed")
    assert PAN not in response.text
    assert "4242-4242" not in response.text


async def test_a_card_number_as_a_fields_name_is_not_repeated(api):
    response = await refused(api, json.dumps(charge_body(**{PAN: "1"})))
    assert response.status_code == 422
    assert PAN not in response.text


async def test_a_card_number_in_the_path_is_not_repeated(api):
    response = await api.get(f"/v1/payments/order/{PAN}")
    assert response.status_code == 404
    assert PAN not in response.text


@pytest.mark.parametrize(
    "media",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "application/jsonx",
        "application/problem+json",
        "",
    ],
)
async def test_another_content_type_is_415(api, media):
    response = await refused(api, raw(), media=media)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert response.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    "media",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8",
        'application/json ; charset="utf-8"',
    ],
)
async def test_json_in_utf8_is_taken(api, media):
    headers = {"Content-Type": media, "Idempotency-Key": f"media-{media}".replace('"', "")}
    response = await api.request("POST", CHARGE, content=raw(), headers=headers)
    assert response.status_code == 201


async def test_a_compressed_body_is_415(api):
    response = await refused(api, raw(), **{"Content-Encoding": "gzip"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


async def test_a_body_of_65_kib_is_413(api):
    response = await refused(api, raw(reference='"' + "a" * 66000 + '"'))
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")


async def test_a_body_of_64_kib_is_read(api):
    body = raw()
    response = await refused(api, body + " " * (65536 - len(body)) + " ")
    assert response.status_code == 413
    short = json.dumps(charge_body() | {"reference": "a" * 200})
    assert (await refused(api, short + " " * (65536 - len(short)))).status_code == 422


async def test_a_chunked_body_is_bounded_too(api):
    async def chunks():
        for _ in range(70):
            yield b" " * 1024

    response = await api.request(
        "POST", CHARGE, content=chunks(), headers={"Content-Type": "application/json", "Idempotency-Key": "k"}
    )
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        ("", "idempotency_key_invalid"),
        ('""', "idempotency_key_invalid"),
        ('"a', "idempotency_key_invalid"),
        ('a"b', "idempotency_key_invalid"),
        ("a" * 256, "idempotency_key_invalid"),
        ("a\tb", "idempotency_key_invalid"),
        (b"\xc3\xa9", "idempotency_key_invalid"),
        ("\x7f", "idempotency_key_invalid"),
    ],
)
async def test_a_bad_or_missing_key_is_400(api, key, code):
    headers = {} if key is None else {"Idempotency-Key": key}
    response = await api.request("POST", CHARGE, json=charge_body(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, code)


async def test_a_key_that_is_sent_twice_is_400(api):
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    response = await api.request("POST", CHARGE, json=charge_body(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_invalid")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/payments/abc", "payment_id"),
        ("/v1/payments/0", "payment_id"),
        ("/v1/payments/-1", "payment_id"),
        ("/v1/payments/9007199254740992", "payment_id"),
        ("/v1/payments/1.0", "payment_id"),
        ("/v1/payments/%00", "payment_id"),
        ("/v1/payments/order/-x", "order_id"),
        ("/v1/payments/order/a%00b", "order_id"),
        ("/v1/payments/order/9007199254740993", "order_id"),
        ("/v1/payments/transaction/nothing", "transaction_id"),
        ("/v1/payments/x/refunds", "payment_id"),
    ],
)
async def test_an_id_that_is_none_is_422_by_name(api, path, field):
    response = await api.get(path)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


async def test_queries_are_refused_where_none_is_taken(api):
    for method, path in (("GET", "/v1/payments/1"), ("POST", CHARGE), ("DELETE", "/v1/payments/1")):
        response = await api.request(method, path, params={"verbose": "1"})
        assert response.status_code == 422
        assert response.json()["errors"] == [{"field": "verbose", "message": "is not a known parameter"}]


async def test_a_delete_takes_no_fields(api):
    response = await api.request("DELETE", "/v1/payments/1", json={"reason": "because"})
    assert response.json()["errors"] == [{"field": "reason", "message": "is not a known field"}]


async def test_without_an_allow_list_no_return_url_is_taken(shared_url):
    async with running_api(shared_url, settings=load({})) as closed:
        response = await closed.charge(return_url="https://shop.example/")
    assert response.status_code == 422
    assert "RETURN_URL_ALLOWLIST" in response.json()["errors"][0]["message"]
