"""What a claim costs must not grow with what waits, whether or not the planner has seen the tables yet."""

from __future__ import annotations

import json

import pytest

from eci_payments.delivery.peers import WANTED
from eci_payments.domain.payment import PaymentStatus
from eci_payments.store import delivery_claims, fan_out
from eci_payments.store.session import Database, run
from support.deliveries import delivered, fan_out_all, nothing_runs_before_the_events, take
from support.shop import Shop

S = PaymentStatus
CLAIMED = 20
BLOCKS_PER_ROW = 60
"""Read or written for one row claimed or walked: look-ups in a handful of indexes, three or four blocks each."""


async def analyze(owner_url: str) -> None:
    owner = Database(owner_url)
    async with owner.write() as session:
        await run(session, "ANALYZE")
    await owner.close()


async def blocks(db: Database, sql: str, *values: object) -> int:
    """How many blocks the statement touches; what it does is undone."""
    async with db.write() as session:
        rows = await run(session, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *values)
        await run(session, "ROLLBACK")
    (plan,) = rows[0][0] if not isinstance(rows[0][0], str) else json.loads(rows[0][0])
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


@pytest.fixture(params=["never seen", "seen empty", "seen full"])
async def crowd(request: pytest.FixtureRequest, db: Database, shop: Shop, owner_url: str) -> None:
    """1500 payments of which two in three have told everything, and what their planner knows of them."""
    if request.param == "seen empty":
        await analyze(owner_url)
    for _ in range(2):
        await shop.told(S.PROCESSING, S.FAILED, payments=500)
        await fan_out_all(db)
        for destination in ("order", "order", "inventory"):
            for _ in range(2):
                await delivered(db, *(await take(db, destination, 250)).deliveries)
    await shop.told(S.PROCESSING, S.FAILED, payments=500)
    await fan_out_all(db)
    if request.param == "seen full":
        await analyze(owner_url)


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize(("destination", "guarded"), [("order", False), ("inventory", True)])
async def test_a_claim_touches_what_it_claims(db: Database, destination: str, guarded: bool):  # noqa: FBT001 - a parameter of pytest
    sql = delivery_claims._claim_sql(CLAIMED, guarded=guarded)
    assert await blocks(db, sql, destination, 30.0) < CLAIMED * BLOCKS_PER_ROW


@pytest.mark.usefixtures("crowd")
async def test_a_walk_touches_what_it_walks(db: Database, shop: Shop):
    await shop.told(S.COMPLETED, payments=CLAIMED)
    wants = [(name, kind, status) for name, each in WANTED.items() for kind, status in each]
    await nothing_runs_before_the_events(db)
    columns = [list(column) for column in zip(*wants, strict=True)]
    touched = await blocks(db, fan_out._fan_out_sql(CLAIMED), fan_out.READER, *columns)
    assert touched < CLAIMED * BLOCKS_PER_ROW
