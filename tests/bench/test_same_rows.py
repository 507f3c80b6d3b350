"""What pgbench writes for one charge is what the service writes for one, column by column."""

from __future__ import annotations

import asyncio
import os

import asyncpg
import pytest

from bench import copying, rows
from bench.large_books import WHOLE, wrong_in
from bench.pgbench import IDS, RANDOM, PgBench, script
from bench.stack import stack

NEW_EACH_TIME = {"order_id", "key", "transaction_log_id", *IDS, *RANDOM}


pytestmark = pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="the bench has a server of its own")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    folder.chmod(0o755)
    with stack(folder, serves=1) as made:
        yield made


@pytest.fixture(scope="module")
def sample(running):
    return rows.charged(running, "sample")


def test_pgbench_writes_the_rows_of_a_charge(running, sample):
    PgBench(running.server, script(sample)).run(clients=1, seconds=1)
    PgBench(running.server, script(sample, commits=1), runs_from=1000).run(clients=1, seconds=1)
    assert asyncio.run(commits_per_charge(running.admin_url)) == {
        "two commits": 2,
        "one commit": 1,
        "over HTTP": 2,
    }
    ours, theirs = asyncio.run(both(running.server.urls.owner))
    code, said = running.verify()
    assert (code, said.startswith("The books are right")) == (0, True), said
    assert [row.table for row in ours] == [row.table for row in theirs]
    for mine, its in zip(ours, theirs, strict=True):
        for name, value in mine.values.items():
            other = its.values[name]
            if name in RANDOM and value is not None:
                assert len(other or "") == len(value), name
            elif name in NEW_EACH_TIME or mine.types[name].startswith("timestamp"):
                assert (other is None) == (value is None), name
            else:
                assert other == value, f"{mine.table}.{name}"


@pytest.mark.usefixtures("sample")
def test_what_is_copied_is_right_and_the_schema_is_as_it_was(running):
    before = asyncio.run(schema(running.admin_url))
    asyncio.run(copied(running.server.urls.owner, 300))
    assert asyncio.run(schema(running.admin_url)) == before
    code, said = running.verify()
    assert (code, said.startswith("The books are right")) == (0, True), said
    payments = running.ask(
        "SELECT count(*) AS n, count(DISTINCT transaction_id) AS names FROM payments"
        " WHERE order_id LIKE 'large-%'"
    )[0]
    assert (payments["n"], payments["names"]) == (300, 300)
    assert running.charge("after")["status"] == "COMPLETED"
    assert wrong_in(running.server.urls.owner, copying.FIRST_ID, 300) == []


def test_what_was_broken_since_it_was_loaded_is_found(running):
    order = running.charge("broken")["order_id"]
    running.ask("UPDATE payments SET amount_captured_minor = 1 WHERE order_id = $1", order)
    found = wrong_in(running.server.urls.owner, copying.FIRST_ID, WHOLE + 1)
    running.ask("UPDATE payments SET amount_captured_minor = amount_minor WHERE order_id = $1", order)
    assert {line.partition(":")[0] for line in found} >= {"ledger_amount", "audit_last"}


async def copied(owner_url: str, payments: int) -> None:
    """Copy so many, as the large database is made."""
    owner = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        written = await rows.written(owner, "sample")
        again = await copying.set_aside(owner, sorted({row.table for row in written}))
        await copying.copy(owner, written, range(payments))
        await copying.put_back(owner, again)
        await copying.go_on_above(owner, payments)
    finally:
        await owner.close()


async def schema(url: str) -> list[str]:
    """Every index and constraint, as the database itself says it."""
    admin = await asyncpg.connect(url)
    try:
        found = await admin.fetch(
            "SELECT indexdef AS said FROM pg_indexes WHERE schemaname = 'public'"
            " UNION ALL SELECT format('%s %s %s %s', conrelid::regclass, conname, convalidated,"
            " pg_get_constraintdef(oid)) FROM pg_constraint ORDER BY 1"
        )
        return [row["said"] for row in found]
    finally:
        await admin.close()


async def commits_per_charge(url: str) -> dict[str, int]:
    """How many transactions wrote the audit entries of one charge of each kind."""
    of = {
        "two commits": "order_id LIKE 'pgbench-%' AND payment_id < 1001 * 10^12",
        "one commit": "order_id LIKE 'pgbench-%' AND payment_id > 1001 * 10^12",
        "over HTTP": "order_id = 'sample'",
    }
    admin = await asyncpg.connect(url)
    try:
        return {
            name: await admin.fetchval(
                "SELECT count(DISTINCT committed_in) FROM transactions"
                f" WHERE payment_id = (SELECT max(payment_id) FROM payments WHERE {condition})"
            )
            for name, condition in of.items()
        }
    finally:
        await admin.close()


async def both(owner_url: str) -> tuple[list[rows.Row], list[rows.Row]]:
    """The rows of the charge over HTTP, and of one of pgbench's."""
    owner = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        order = await owner.fetchval(
            "SELECT max(order_id) FROM payments WHERE order_id LIKE 'pgbench-%' AND payment_id < 1001 * 10^12"
        )
        return await rows.written(owner, "sample"), await rows.written(owner, order)
    finally:
        await owner.close()
