"""Every operation of the document, asked for by everybody who may not: 401, 403 or 404, and nothing has happened."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event

from eci_payments.api.scopes import NEEDED, is_public, page_scope
from eci_payments.domain.api_keys import EVERY_SCOPE
from eci_payments.domain.limits import LimitKind
from eci_payments.store.session import run
from support.access import bearer
from support.api import charge_body
from support.limits import limited
from support.reports import leave_table

TABLES = (
    "payments",
    "operations",
    "refunds",
    "transactions",
    "ledger_entries",
    "events",
    "idempotency_keys",
    "merchants",
)
GARBAGE = {"Authorization": "Bearer eci_1_" + "x" * 64}


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def example(operation):
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return next((each["value"] for each in content.get("examples", {}).values()), None)


@pytest.fixture
async def contents(keys):
    async def read():
        found = {}
        async with keys.owner.read() as session:
            for table in TABLES:
                sql = f"SELECT count(*) AS n, md5(string_agg(t::text, '|' ORDER BY t::text)) AS sum FROM {table} t"
                found[table] = tuple((await run(session, sql))[0])
        return found

    return read


@pytest.fixture
async def payment(closed, keys, owner_url):
    """A payment of merchant 1 that was charged, and refunded in part; another refund of it awaits approval."""
    await limited(owner_url, LimitKind.REFUND_APPROVAL, 500)
    key = bearer(await keys.make())
    charged = await closed.post("/v1/payments/charge", charge_body(), headers=key)
    assert charged.status_code == 201, charged.text
    refund = f"/v1/payments/{charged.json()['payment_id']}/refund"
    refunded = await closed.post(refund, {"amount": 1, "reason": "one came back"}, headers=key)
    assert refunded.status_code == 200, refunded.text
    answer = refunded.json()
    waits = await closed.post(refund, {"amount": 10, "reason": "ten came back"}, headers=key)
    assert waits.status_code == 202, waits.text
    waiting = waits.json()["refunds"][1]["refund_id"]
    return answer | {"refund_id": answer["refunds"][0]["refund_id"], "approval_id": waiting}


@pytest.fixture
async def statements(closed):
    """Every statement that the service sends."""
    seen = []
    engine = closed.services.database.engine.sync_engine

    def watch(connection, _record):
        connection.driver_connection.add_query_logger(note)

    def note(sent):
        seen.append(sent.query)

    event.listen(engine, "connect", watch)
    await closed.services.database.close()  # so that it connects anew
    yield seen
    event.remove(engine, "connect", watch)


def filled(path, payment):
    return re.sub(r"\{(\w+)\}", lambda found: str(payment[found[1]]), path)


async def ask(api, method, path, operation, headers):
    body = example(operation)
    sent = {"headers": {"Idempotency-Key": "matrix", **headers}}
    if body is not None:
        sent["json"] = body
    return await api.request(method, path, **sent)


def test_every_operation_has_its_scope_and_the_list_names_no_other(closed):
    document = closed.app.openapi()
    found = {f"{method} {path}" for method, path, _ in operations(document)}
    guarded = {each for each in found if not is_public(each.split()[1])}
    assert {each for each in guarded if page_scope(each.split()[1]) is None} == set(NEEDED)
    signed = {"POST /v1/gateways/{account}/webhooks"}
    assert found - guarded == {"GET /health", "GET /livez", "GET /readyz"} | signed


async def test_whoever_may_not_is_refused_and_nothing_happens(
    closed, keys, payment, contents, record_property
):
    document = closed.app.openapi()
    other = bearer(await keys.make(merchant=await keys.make_merchant()))
    nobody = {
        "no key": {},
        "garbage": GARBAGE,
        "not a key": {"X-Api-Key": "hunter2"},
        "expired": bearer(await keys.make_expired()),
        "revoked": bearer(await keys.make_revoked()),
    }
    before = await contents()
    rows = []
    for method, path, operation in operations(document):
        if is_public(path):
            continue
        asked = filled(path, payment)
        answers = {
            who: (await ask(closed, method, asked, operation, h)).status_code for who, h in nobody.items()
        }
        assert set(answers.values()) == {401}, (method, path, answers)
        needed = NEEDED.get(f"{method} {path}") or page_scope(path)
        lacking = bearer(await keys.make(EVERY_SCOPE - {needed}))
        answers["missing scope"] = (await ask(closed, method, asked, operation, lacking)).status_code
        assert answers["missing scope"] == 403, (method, path)
        if "{" in path or path == "/metrics":
            answers["other merchant's"] = (await ask(closed, method, asked, operation, other)).status_code
            assert answers["other merchant's"] == (403 if path == "/metrics" else 404), (method, path)
        rows.append((f"{method} {path}", answers))
        record_property(f"{method} {path}", str(answers))
    assert await contents() == before
    assert len(rows) >= 15
    asking = [*nobody, "missing scope", "other merchant's"]
    table = [[name, *(answers.get(who, "no object") for who in asking)] for name, answers in rows]
    left = leave_table(
        "access-matrix", "Who asks, and the status of the answer", ["operation", *asking], table
    )
    assert (
        left.read_text().count(
            "\n| GET /v1/payments/{payment_id} | 401 | 401 | 401 | 401 | 401 | 403 | 404 |"
        )
        == 1
    )


async def test_anothers_payment_is_refused_in_the_words_and_by_the_way_of_one_that_is_not_there(
    closed, keys, payment, statements
):
    """The same words, after the same statements: so also in the same time, without a clock that tells it apart."""
    other = bearer(await keys.make(merchant=await keys.make_merchant()))
    absent = {
        "payment_id": 4711,
        "order_id": "nowhere",
        "transaction_id": "TXN" + "A" * 26,
        "refund_id": 4712,
        "approval_id": 4713,
    }
    for method, path, operation in operations(closed.app.openapi()):
        if "{" not in path or is_public(path):
            continue
        answers, asked = [], []
        for each in (payment, absent, payment):
            statements.clear()
            answer = (await ask(closed, method, filled(path, each), operation, other)).json()
            asked.append(list(statements))
            del answer["instance"], answer["correlation_id"]
            answers.append(answer)
        assert answers[0] == answers[1] == answers[2], (method, path)
        assert asked[1] == asked[2] != [], (method, path)  # the first may have made a connection


@pytest.mark.usefixtures("payment")
async def test_lists_hold_what_is_ones_own(closed, keys):
    other = bearer(await keys.make(merchant=await keys.make_merchant()))
    assert (await closed.get("/v1/payments", headers=other)).json()["total"] == 0
    own = bearer(await keys.make())
    assert (await closed.get("/v1/payments", headers=own)).json()["total"] == 1


async def test_two_merchants_may_use_one_order_number_and_one_idempotency_key(closed, keys, payment):
    other = bearer(await keys.make(merchant=await keys.make_merchant()))
    body = charge_body(order_id=payment["order_id"])
    theirs = await closed.post("/v1/payments/charge", body, key="same", headers=other)
    assert theirs.status_code == 201
    own = bearer(await keys.make())
    ours = await closed.post("/v1/payments/charge", charge_body(), key="same", headers=own)
    assert ours.status_code == 201
    assert ours.json()["payment_id"] != theirs.json()["payment_id"]
    again = await closed.post("/v1/payments/charge", body, key="same", headers=other)
    assert again.content == theirs.content
    assert (await closed.get(f"/v1/payments/{theirs.json()['payment_id']}", headers=own)).status_code == 404


@pytest.mark.usefixtures("payment")
async def test_a_cursor_of_another_merchant_is_none(closed, keys):
    own = bearer(await keys.make())
    await closed.post("/v1/payments/charge", charge_body(), headers=own)
    page = (await closed.get("/v1/payments?page_size=1", headers=own)).json()
    other = bearer(await keys.make(merchant=await keys.make_merchant()))
    taken = await closed.get(f"/v1/payments?page_size=1&cursor={page['next_cursor']}", headers=other)
    assert (taken.status_code, taken.json()["code"]) == (400, "invalid_cursor")
