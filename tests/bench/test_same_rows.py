"""What pgbench writes for one charge is what the service writes for one, column by column."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import asyncpg
import pytest

from bench import rows
from bench.__main__ import charged
from bench.pgbench import IDS, RANDOM, PgBench, script
from bench.report import Measured, Report
from bench.stack import stack

if TYPE_CHECKING:
    from pathlib import Path

NEW_EACH_TIME = {"order_id", "key", "transaction_log_id", *IDS, *RANDOM}


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="the bench has a server of its own")
def test_pgbench_writes_the_rows_of_a_charge(tmp_path: Path):
    tmp_path.chmod(0o755)
    with stack(tmp_path, serves=1) as running:
        PgBench(running.server, script(charged(running, "sample"))).run(clients=1, seconds=1)
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


async def both(owner_url: str) -> tuple[list[rows.Row], list[rows.Row]]:
    """The rows of the charge over HTTP, and of one of pgbench's."""
    owner = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        order = await owner.fetchval("SELECT max(order_id) FROM payments WHERE order_id LIKE 'pgbench-%'")
        return await rows.written(owner, "sample"), await rows.written(owner, order)
    finally:
        await owner.close()


def test_the_ratio_is_taken_round_by_round_against_the_best_client_count():
    def runs(*rates: float) -> list[Measured]:
        return [Measured(rate, 1.0, 2.0) for rate in rates]

    report = Report(
        "HTTP",
        ["8", "16"],
        {"HTTP": runs(50, 100, 60), "8": runs(300, 90, 90), "16": runs(100, 100, 120)},
        1000.0,
        {},
    )
    assert report.baseline == "16"
    assert report.ratios == [0.5, 1.0, 0.5]
    assert report.json()["ratio"] == {"min": 0.5, "median": 0.5, "max": 1.0}
