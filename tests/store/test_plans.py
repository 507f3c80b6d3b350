"""What a read, a claim or an expiry costs must not grow with the tables, whatever the planner knows of them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eci_payments.domain.ids import SINGLE_SHOP, OperationId
from eci_payments.domain.keys import KeyName
from eci_payments.store.expiry import expire_keys
from eci_payments.store.ids import Ids
from eci_payments.store.leases import claim_due
from eci_payments.store.reads import (
    Filter,
    expired_payments,
    find_operation,
    find_payment,
    find_payments,
    list_payments,
)
from eci_payments.store.session import Database, run
from eci_payments.store.units import load_keys, lock_payments

CROWD = 6000
"""Payments: a scan of their table touches ten times more blocks than any of these may."""
WANTED = 10
BLOCKS_PER_ROW = 12
"""One look-up in an index of three levels and its table, and the same again for what is found by it."""
BLOCKS_PER_CHANGE = 30
"""The same, and an entry in each index of a row that is claimed."""
NOBODYS = Ids(Database("postgresql+asyncpg://nobody@localhost/nothing"))
"""Ids that are never taken."""
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = [(SINGLE_SHOP, number) for number in range(1000, 1000 + WANTED)]
NAMES = [(SINGLE_SHOP, KeyName("POST /v1/payments/charge", f"key-{number}")) for _, number in PLACES]

FILL = (
    (
        "INSERT INTO payments (merchant_id, payment_id, order_id, user_id, transaction_id, status, payment_method,"
        " currency, amount_minor, amount_authorized_minor, amount_captured_minor, amount_refunded_minor,"
        " amount_refund_pending_minor, amount_unapplied_minor, reference, capture, version, attempt, event_sequence,"
        " metadata, created_at, updated_at, expires_at, processing_reason)"
        " SELECT 1, n, 'order-' || n, 'user-' || n % 500, 'TXN' || n,"
        " (ARRAY['COMPLETED', 'FAILED', 'COMPLETED', 'PENDING'])[1 + n % 4], 'UPI', 'INR', 100, 100, 100, 0, 0, 0,"
        " 'REF' || n, true, 2, 1, 1, '{}', at, at,"
        " CASE WHEN n % 600 = 3 THEN at WHEN n % 4 = 3 THEN now() + interval '1 day' END, NULL"
        " FROM generate_series(1, $1::bigint) AS n, LATERAL (SELECT $2::timestamptz + n * interval '1 s' AS at) AS t"
    ),
    (
        "INSERT INTO operations (merchant_id, operation_id, payment_id, kind, state, attempt, amount_minor, currency,"
        " payment_method, gateway, gateway_key, gateway_reference, lease_epoch, due_at, final, inquiries,"
        " late_amount_minor, actor, created_at)"
        " SELECT 1, n, n, 'CHARGE', CASE WHEN n % 20 = 0 THEN 'UNKNOWN' ELSE 'APPROVED' END, 1, 100, 'INR', 'UPI',"
        " 'simulator', 'key-' || n, 'ref-' || n, 1, CASE WHEN n % 600 = 0 THEN $2::timestamptz"
        " WHEN n % 20 = 0 THEN now() + interval '1 hour' END, true, 0, 0, 'test', $2"
        " FROM generate_series(1, $1::bigint) AS n"
    ),
    (
        "INSERT INTO transactions (merchant_id, transaction_log_id, payment_id, operation_id, version,"
        " transaction_type, amount_minor, currency, status, description, after, actor, created_at)"
        " SELECT 1, n, 1 + n / 2, NULL, 1 + n % 2, 'PAYMENT', 100, 'INR', 'COMPLETED', 'x', '{}', 'test', $2"
        " FROM generate_series(1, 2 * $1::bigint - 1) AS n"
    ),
    (
        "INSERT INTO refunds (merchant_id, refund_id, payment_id, amount_minor, currency, status, reason, created_at)"
        " SELECT 1, n, n, 100, 'INR', 'SUCCEEDED', 'it came back', $2 FROM generate_series(1, $1::bigint) AS n"
    ),
    (
        "INSERT INTO idempotency_keys (merchant_id, scope, key, fingerprint, operation_id, payment_id, response_status,"
        " response_body, completed_at)"
        " SELECT 1, 'POST /v1/payments/charge', 'key-' || n, '\\x00', n, n, 201, convert_to(repeat('x', 900), 'UTF8'),"
        " CASE WHEN n % 600 = 1 THEN $2::timestamptz ELSE now() END FROM generate_series(1, $1::bigint) AS n"
    ),
)
WORK = {
    "by id": lambda s: find_payment(s, SINGLE_SHOP, "payment_id", 1000),
    "by order": lambda s: find_payment(s, SINGLE_SHOP, "order_id", "order-1000"),
    "by transaction": lambda s: find_payment(s, SINGLE_SHOP, "transaction_id", "TXN1000"),
    "many at once": lambda s: find_payments(
        s,
        [(SINGLE_SHOP, "payment_id", number) for _, number in PLACES[:4]]
        + [(SINGLE_SHOP, "order_id", f"order-{number}") for _, number in PLACES[:4]]
        + [(SINGLE_SHOP, "transaction_id", f"TXN{number}") for _, number in PLACES[:4]],
    ),
    "an operation": lambda s: find_operation(s, SINGLE_SHOP, OperationId(1000)),
    "the first page": lambda s: page(s, Filter()),
    "a deep page": lambda s: page(s, Filter(), before=(BEGUN + timedelta(seconds=900), 900)),
    "a page of a user": lambda s: page(s, Filter(user_id="user-7")),
    "a page of a status": lambda s: page(s, Filter(status="FAILED")),
    "a page of a method": lambda s: page(s, Filter(payment_method="COD")),
    "a page of an order": lambda s: page(s, Filter(order_id="order-1000")),
    "keys": lambda s: load_keys(s, NAMES),
    "locks": lambda s: lock_payments(s, NOBODYS, PLACES, BEGUN),
    "what is due": lambda s: claim_due(s, limit=WANTED, lease_s=30.0),
    "what expires": lambda s: expired_payments(s, limit=WANTED),
    "keys that end": lambda s: expire_keys(s, timedelta(hours=24), WANTED),
}
LOST = {
    "payments_newest_idx": "the first page",
    "payments_user_idx": "a page of a user",
    "payments_method_idx": "a page of a method",
    "payments_expiry_idx": "what expires",
    "operations_due_idx": "what is due",
    "operations_payment_idx": "locks",
    "refunds_payment_idx": "many at once",
    "transactions_payment_idx": "by id",
    "idempotency_keys_completed_idx": "keys that end",
}
"""Indexes, and what would touch too much without them."""


NOT_MEANT = ("typeinfo_tree", "count(*) FROM (SELECT FROM")
"""What the driver asks once about a type; and the count of matches, which has a bound of its own."""


def bound(name):
    """The blocks that one statement of this work may touch."""
    return WANTED * (BLOCKS_PER_CHANGE if name in {"what is due", "keys that end"} else BLOCKS_PER_ROW)


def page(session, wanted, before=None):
    return list_payments(session, SINGLE_SHOP, wanted, limit=WANTED, offset=0, before=before)


async def statements(database, work):
    """What the work sends, with its values; what it does is undone."""
    seen: list[Any] = []
    async with database.write() as session:
        session.connection.add_query_logger(seen.append)
        await work(session)
        session.connection.remove_query_logger(seen.append)
        await asyncio.sleep(0)  # the driver tells of a statement in the next turn of the loop
        await run(session, "ROLLBACK")
    return [(sent.query, sent.args) for sent in seen if not any(each in sent.query for each in NOT_MEANT)]


async def cost(session, sql, values):
    """The blocks that it touches; so many that no bound holds where it reads a whole table."""
    ((said,),) = await run(session, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *values)
    (plan,) = json.loads(said) if isinstance(said, str) else said
    if "'Seq Scan'" in str(plan):
        return CROWD
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


async def most_blocks(database, work, without=None):
    """The most that one of its statements touches."""
    touched = []
    for sql, values in await statements(database, work):
        async with database.write() as session:
            if without is not None:
                await run(session, f"DROP INDEX {without}")
            touched.append(await cost(session, sql, values))
            await run(session, "ROLLBACK")
    return max(touched)


@pytest.fixture(params=["never seen", "seen empty", "seen full"])
async def crowd(request, owner):
    async def analyze():
        async with owner.write() as session:
            await run(session, "ANALYZE")

    if request.param == "seen empty":
        await analyze()
    async with owner.write() as session:
        for sql in FILL:
            await run(session, sql, CROWD, BEGUN) if "$2" in sql else await run(session, sql, CROWD)
    if request.param == "seen full":
        await analyze()
    return request.param


async def test_hot_statements_touch_what_they_are_about(crowd, owner):
    found = {name: await most_blocks(owner, work) for name, work in WORK.items()}
    assert {name: n for name, n in found.items() if n > bound(name)} == {}
    if crowd == "seen full":
        lost = {index: await most_blocks(owner, WORK[name], without=index) for index, name in LOST.items()}
        assert {index: n for index, n in lost.items() if n <= bound(LOST[index])} == {}


async def test_matches_are_counted_up_to_a_bound(owner, monkeypatch):
    async with owner.write() as session:
        await run(session, FILL[0], 30, BEGUN)
    for bound, counted, is_exact in ((29, 29, False), (30, 30, True), (31, 30, True)):
        monkeypatch.setattr("eci_payments.store.reads.TOTAL_MAX", bound)
        async with owner.read() as session:
            found = await page(session, Filter())
        assert (found.total, found.total_is_exact, len(found.views)) == (counted, is_exact, WANTED)
