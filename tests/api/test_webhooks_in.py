"""The endpoint that gateways knock at: raw bytes verified, stored once, answered, and nothing of a stranger's kept."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace

import pytest

from eci_payments.api.access import Access, AccessRules
from eci_payments.api.routes.hooks import MAX_BODY_BYTES
from eci_payments.gateways.accounts import Account
from eci_payments.gateways.adapters.sandbox.account import SandboxGateway
from eci_payments.gateways.routing import Gateways
from eci_payments.sandbox.webhooks import signature
from eci_payments.store.session import Database, run
from support.api import running_api

SECRET = "whsec_" + base64.b64encode(b"a secret of the test, 32 bytes..").decode()
NEXT = "whsec_" + base64.b64encode(b"the one that will come after it.").decode()
URL = "/v1/gateways/sandbox/webhooks"


@pytest.fixture
async def hooked(fresh_api):
    """The api with a sandbox account that knows two secrets, and one that knows none."""
    sandbox = SandboxGateway(base_url="http://127.0.0.1:9", api_key="k")
    silent = SandboxGateway(base_url="http://127.0.0.1:9", api_key="k", name="silent")
    engine = fresh_api.payments.engine
    known = [*engine.gateways.all(), Account(sandbox, webhook_secrets=(SECRET, NEXT)), silent]
    fresh_api.payments.engine = replace(engine, gateways=Gateways(known))
    yield fresh_api
    for each in (sandbox, silent):
        await each.close()


def body_of(event_id="evt_1", **data):
    values = {
        "key": "k1",
        "kind": "charge",
        "parent_key": None,
        "merchant_id": 1,
        "transaction_id": "T1",
        "order_id": "7",
        "currency": "INR",
        "amount_minor": 14950,
        "state": "approved",
        "reference": "ch_1",
    }
    event = {"id": event_id, "type": "charge.approved", "created_at": "2026-11-25T04:00:00+00:00"}
    return json.dumps(event | {"data": values | data}).encode()


def signed(body, event_id="evt_1", *, secret=SECRET, at=None):
    timestamp = int(at or time.time())
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, event_id, timestamp, body),
    }


async def stored(api):
    async with api.services.database.read() as session:
        return await run(session, "SELECT * FROM gateway_inbox ORDER BY inbox_id")


async def send(api, body, headers, url=URL):
    return await api.request("POST", url, content=body, headers=headers)


def counted(api, result, gateway="sandbox"):
    text = api.services.metrics.exposition(None, "")[0].decode()
    wanted = f'gateway_webhooks_total{{gateway="{gateway}",result="{result}"}}'
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(wanted)), 0)


@pytest.mark.parametrize("secret", [SECRET, NEXT])
async def test_a_signed_event_is_stored_once_and_answered(hooked, secret):
    body = body_of()
    for _ in range(2):
        answer = await send(hooked, body, signed(body, secret=secret))
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    (row,) = await stored(hooked)
    assert (row.merchant_id, row.account, row.event_id, row.state) == (1, "sandbox", "evt_1", "PENDING")
    assert row.told["about"]["key"] == "k1"
    assert (counted(hooked, "stored"), counted(hooked, "repeated")) == (1, 1)


def altered(headers, **changed):
    return headers | {name.replace("_", "-"): value for name, value in changed.items()}


BODY = body_of()
FORGED = {
    "no headers": lambda: {"content-type": "application/json"},
    "by a stranger": lambda: signed(BODY, secret="whsec_" + base64.b64encode(b"x" * 32).decode()),
    "another body": lambda: signed(BODY + b" "),
    "another id": lambda: altered(signed(BODY), webhook_id="evt_2"),
    "too old": lambda: signed(BODY, at=time.time() - 301),
    "from the future": lambda: signed(BODY, at=time.time() + 330),
    "another time": lambda: altered(signed(BODY), webhook_timestamp=str(int(time.time()) - 5)),
    "no time": lambda: altered(signed(BODY), webhook_timestamp="now"),
    "empty signature": lambda: altered(signed(BODY), webhook_signature=""),
    "unsigned version": lambda: altered(signed(BODY), webhook_signature="v1a,AAAA"),
}


@pytest.mark.parametrize("how", FORGED)
async def test_what_the_gateway_did_not_sign_is_refused_and_not_stored(hooked, how):
    answer = await send(hooked, BODY, FORGED[how]())
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert "www-authenticate" in answer.headers
    assert await stored(hooked) == []
    assert counted(hooked, "refused") == 1


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[1]", b"{}", b'{"id": "evt_1"}', b"\xff\xfe", b'{"id": "evt_1", "data": 3}']
)
async def test_signed_nonsense_is_refused_too(hooked, body):
    answer = await send(hooked, body, signed(body))
    assert answer.status_code == 401
    assert await stored(hooked) == []


@pytest.mark.parametrize("account", ["nobody", "silent", "simulator", "%2e%2e"])
async def test_an_account_without_a_secret_is_not_there(hooked, account):
    body = body_of()
    answer = await send(hooked, body, signed(body), f"/v1/gateways/{account}/webhooks")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert await stored(hooked) == []


async def test_a_body_beyond_the_limit_is_not_read(hooked):
    body = b" " * (MAX_BODY_BYTES + 1)
    assert (await send(hooked, body, signed(body))).status_code == 413


async def test_an_event_of_a_merchant_that_is_none_is_kept_for_people(hooked):
    body = body_of(merchant_id=999)
    assert (await send(hooked, body, signed(body))).status_code == 200
    assert [row.merchant_id for row in await stored(hooked)] == [1]


async def test_only_post_is_taken(hooked):
    answer = await hooked.get(URL)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_no_key_is_needed_and_there_is_a_limit(service_url):
    database = Database(service_url, pool_size=2)
    access = Access(database, AccessRules(rate_of_webhooks=1))
    async with running_api(service_url, access=access, identify=access.identify) as api:
        codes = [(await send(api, b"{}", {}, URL)).status_code for _ in range(12)]
        assert codes == [404] * 10 + [429] * 2
        assert (await api.get("/v1/payments")).status_code == 401
    await access.close()
    await database.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": "ch\x00_1"},
        {"order_id": "\x00"},
        {"amount_minor": 10**30},
        {"merchant_id": 2**63},
        {"merchant_id": 10**30},
        {"key": "k\x00"},
    ],
)
async def test_what_a_database_cannot_hold_is_no_server_error(hooked, changes):
    body = body_of(**changes)
    answer = await send(hooked, body, signed(body))
    assert answer.status_code < 500, answer.text
