"""The books of a large database: everything that was charged in this run, and samples of what was loaded before it."""

from __future__ import annotations

import asyncio
import random

from eci_payments.store.checks.findings import Report
from eci_payments.store.session import Database, run
from eci_payments.store.verify import PAYMENTS_AT_ONCE, RANGE_CHECKS, verify

WHOLE = 50_000
"""Up to so many payments everything is verified."""
SAMPLES = 40


def wrong_in(url: str, first_id: int, loaded: int) -> list[str]:
    """What is wrong, in words; empty when nothing is."""
    return asyncio.run(_wrong_in(url, first_id, loaded))


async def _wrong_in(url: str, first_id: int, loaded: int) -> list[str]:
    database = Database(url)
    try:
        if loaded <= WHOLE:
            report = await verify(database)
        else:
            report = await _samples(database, first_id, loaded)
    finally:
        await database.close()
    return [f"{finding.check}: {finding.where} {finding.what}" for finding in report.findings]


async def _samples(database: Database, first_id: int, loaded: int) -> Report:
    report = Report(100)
    chosen = random.Random(2026)
    starts = [first_id + chosen.randrange(loaded) for _ in range(SAMPLES)]
    async with database.read() as session:
        new = [row.id for row in await run(session, _NEW, first_id, first_id + loaded)]
        ranges = [(start, start + PAYMENTS_AT_ONCE) for start in starts]
        for part in ([i for i in new if i < first_id], [i for i in new if i >= first_id]):
            ranges += [
                (some[0] - 1, some[-1])
                for place in range(0, len(part), PAYMENTS_AT_ONCE)
                if (some := part[place : place + PAYMENTS_AT_ONCE])
            ]
        for low, high in ranges:
            for check in RANGE_CHECKS:
                for row in await run(session, check.sql, 1, low, high):
                    report.add(check.name, row.place, row.what)
    return report


_NEW = """
SELECT payment_id AS id FROM payments WHERE merchant_id = 1 AND (payment_id < $1 OR payment_id >= $2)
ORDER BY payment_id
"""
