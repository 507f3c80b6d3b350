"""What pgbench writes for one charge is what the service writes for one, column by column."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import asyncpg
import pytest

from bench import rows
from bench.pgbench import IDS, RANDOM, PgBench, script
from bench.stack import stack

if TYPE_CHECKING:
    from pathlib import Path

NEW_EACH_TIME = {"order_id", "key", "transaction_log_id", *IDS, *RANDOM}


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="the bench has a server of its own")
def test_pgbench_writes_the_rows_of_a_charge(tmp_path: Path):
    tmp_path.chmod(0o755)
    with stack(tmp_path, serves=1) as running:
        sample = rows.charged(running, "sample")
        PgBench(running.server, script(sample)).run(clients=1, seconds=1)
        PgBench(running.server, script(sample, commits=1), runs_from=1000).run(clients=1, seconds=1)
        per_charge = asyncio.run(commits_per_charge(running.admin_url))
        ours, theirs = asyncio.run(both(running.server.urls.owner))
        code, said = running.verify()
    assert (code, said.startswith("The books are right")) == (0, True), said
    assert per_charge == {"two commits": 2, "one commit": 1, "over HTTP": 2}
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
