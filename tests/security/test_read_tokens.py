"""Read tokens: one payment, to look at, until they end; and no trace of them anywhere."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.api.read_tokens import PREFIX, ReadTokens
from eci_payments.api.scopes import BY_TOKEN, is_public
from eci_payments.domain.api_keys import Scope, presented
from eci_payments.domain.ids import MerchantId, PaymentId
from eci_payments.observability.logs import configure_logging
from eci_payments.observability.masking import mask
from eci_payments.settings import SettingsError, load
from eci_payments.store.session import run
from support.access import bearer, guarded_api
from support.api import charge_body
from support.waiting import until

NEW, OLD = b"n" * 32, b"o" * 32
MERCHANT, PAYMENT = MerchantId(1), PaymentId(4711)


def made(*keys: bytes, at: float = 1_700_000_000.0, life_s: int = 60) -> ReadTokens:
    return ReadTokens(keys or (NEW,), life_s, lambda: at)


def text_of(tokens: ReadTokens) -> str:
    return tokens.issue(MERCHANT, PAYMENT)[0]


def test_what_it_opens_and_when_it_ends():
    text = text_of(made())
    token = made().read(text)
    assert token is not None
    assert (token.merchant_id, token.payment_id, token.ends_at_s) == (1, 4711, 1_700_000_060)
    assert made(at=1_700_000_059.9).read(text) == token
    assert made(at=1_700_000_060).read(text) is None


def test_a_new_key_takes_over_while_the_old_one_is_still_believed():
    by_old = text_of(made(OLD))
    assert made(NEW, OLD).read(by_old)
    assert made(OLD).read(text_of(made(NEW, OLD))) is None
    assert made(NEW).read(by_old) is None


@given(st.data())
def test_nothing_can_be_changed_in_it(data):
    text = text_of(made())
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0123456789abcXYZ_-.=é").filter(lambda c: c != text[place]))
    changed = text[:place] + other + text[place + 1 :]
    found = made().read(changed)
    assert found is None or found == made().read(text)  # the last character holds two bits that say nothing


@given(st.text(max_size=200))
def test_anything_else_is_none(text):
    assert made().read(text) is None
    assert made().read(PREFIX + text) is None


def test_it_is_no_api_key_and_no_api_key_is_one():
    assert presented(text_of(made())) is None


def test_it_is_masked_wherever_it_stands():
    text = text_of(made())
    for frame in ("GET /v1/payments/1/stream?token={}", "Bearer {}", '{{"token": "{}"}}', "took {} for it"):
        assert text[-43:] not in mask(frame.format(text))
        assert text[-20:] not in mask(frame.format(text))


@pytest.mark.parametrize("given_keys", ["short", "a" * 32 + ",short", ",".join(["k" * 32] * 5)])
def test_keys_that_are_too_weak_or_too_many_are_refused_without_showing_them(given_keys):
    with pytest.raises(SettingsError) as refused:
        load({"READ_TOKEN_KEY": given_keys})
    assert "READ_TOKEN_KEY" in str(refused.value)
    assert given_keys not in str(refused.value)
    key = load({"READ_TOKEN_KEY": f"{'a' * 32}, {'b' * 32}"}).read_token_key
    assert key is not None
    assert key.get_secret_value() == f"{'a' * 32},{'b' * 32}"


async def charged(api, key):
    response = await api.post("/v1/payments/charge", charge_body(metadata={"basket": "b-1"}), headers=key)
    assert response.status_code == 201
    return response.json()


async def token_for(api, payment, key):
    response = await api.get(f"/v1/payments/{payment['payment_id']}/read-token", headers=key)
    assert response.status_code == 200, response.text
    return response.json()["token"]


def at(payment, rest=""):
    return f"/v1/payments/{payment['payment_id']}{rest}"


async def test_it_shows_its_payment_without_what_is_the_shops_own(closed, keys):
    key = bearer(await keys.make())
    payment = await charged(closed, key)
    token = await token_for(closed, payment, key)
    by_header = await closed.get(at(payment), headers=bearer(token))
    by_query = await closed.get(at(payment), params={"token": token})
    assert by_header.status_code == by_query.status_code == 200
    assert by_header.json() == by_query.json()
    hidden: dict[str, object] = {"metadata": {}, "transactions": [], "refunds": []}
    assert by_header.json() == payment | hidden


async def test_it_opens_nothing_else(closed, keys):
    key = bearer(await keys.make())
    payment, another = await charged(closed, key), await charged(closed, key)
    token = bearer(await token_for(closed, payment, key))
    for path, methods in closed.app.openapi()["paths"].items():
        for method in methods:
            operation = f"{method.upper()} {path}"
            if is_public(path):
                continue
            own, others = (path.format_map(defaultdict(lambda: 1, each)) for each in (payment, another))
            if operation in BY_TOKEN:
                refused = await closed.request(method.upper(), others, headers=token)
                assert (refused.status_code, refused.json()["code"]) == (404, "not_found"), operation
                continue
            sent: dict[str, object] = {"json": {}} if method in {"post", "patch"} else {}
            refused = await closed.request(method.upper(), own, headers=token, **sent)
            assert refused.status_code == 403, operation


async def test_a_page_gets_no_token_for_what_is_not_the_merchants(closed, keys):
    payment = await charged(closed, bearer(await keys.make()))
    other = bearer(await keys.make(merchant=await keys.make_merchant()))
    assert (await closed.get(at(payment, "/read-token"), headers=other)).status_code == 404
    charging_only = bearer(await keys.make({Scope.CHARGE}))
    assert (await closed.get(at(payment, "/read-token"), headers=charging_only)).status_code == 403


async def test_in_an_address_only_a_read_token_and_only_where_one_is_taken(closed, keys):
    text = await keys.make()
    payment = await charged(closed, bearer(text))
    token = await token_for(closed, payment, bearer(text))
    wrong = [
        (at(payment), {"token": text}, {}),
        (at(payment), {"token": token[:-5] + "xxxxx"}, {}),
        (at(payment), {"token": ""}, {}),
        (at(payment), {"token": [token, token[:-1]]}, {}),
        (at(payment), {"token": token}, bearer(text)),
        ("/v1/payments", {"token": token}, {}),
        (at(payment, "/refunds"), {"token": token}, {}),
    ]
    for path, query, headers in wrong:
        refused = await closed.get(path, params=query, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized"), (path, query)
    assert (
        await closed.get("/v1/payments", params={"token": token}, headers=bearer(text))
    ).status_code == 422


async def test_an_expired_one_is_refused_and_told_in_the_trail(service_url, keys):
    key = bearer(await keys.make())
    async with guarded_api(service_url) as (api, access):
        payment = await charged(api, key)
        access.tokens = replaced = ReadTokens([NEW], 1, lambda: 1000.0)
        text, _ = replaced.issue(MERCHANT, payment["payment_id"])
        assert (await api.get(at(payment), params={"token": text})).status_code == 200
        access.tokens = ReadTokens([NEW], 1, lambda: 1001.0)
        assert (await api.get(at(payment), params={"token": text})).status_code == 401

        async def trailed() -> bool:
            async with keys.owner.read() as session:
                rows = await run(session, "SELECT actor, subject FROM admin_events WHERE result = '401'")
            assert text[-43:] not in str(rows)
            return [row.actor for row in rows] == ["a read token that is none or has ended"]

        await until(trailed)


@pytest.mark.usefixtures("logging_as_before")
async def test_it_stands_in_no_log(service_url, keys, capsys):
    configure_logging("test", "DEBUG")
    key = bearer(await keys.make())
    async with guarded_api(service_url) as (api, _):
        payment = await charged(api, key)
        token = await token_for(api, payment, key)
        await api.get(at(payment), params={"token": token})
        await api.get(at(payment), headers=bearer(token))
        await api.get("/v1/payments", headers=bearer(token))
        await api.get(at(payment), params={"token": token[:-1]})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line.get("route") == "/v1/payments/{payment_id}" for line in lines) >= 2
    assert token[-43:-5] not in json.dumps(lines)


async def test_no_other_origin_reads_anything_unless_it_is_named(service_url, keys):
    key = bearer(await keys.make())
    origin = {"Origin": "https://shop.example"}
    async with guarded_api(service_url) as (api, _):
        payment = await charged(api, key)
        answer = await api.get(at(payment), headers=key | origin)
        assert not {name for name in answer.headers if name.startswith("access-control")}
    settings = replace(load({}), page_origins=("https://shop.example",))
    async with guarded_api(service_url, services={"settings": settings}) as (api, _):
        token = await token_for(api, payment, key)
        for query, status in ((token, 200), (token[:-1], 401)):
            answer = await api.get(at(payment), params={"token": query}, headers=origin)
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"
            assert answer.headers["vary"] == "Origin"
            assert "access-control-allow-credentials" not in answer.headers
        stranger = await api.get(
            at(payment), params={"token": token}, headers={"Origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in stranger.headers
        for path in ("/v1/payments", at(payment, "/refunds"), at(payment, "/read-token")):
            elsewhere = await api.get(path, headers=key | origin)
            assert "access-control-allow-origin" not in elsewhere.headers
