"""The hash chain: every row once, in the order of the commits, whoever seals and however late a writer commits."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.store.admin_events import AdminEvent, record_one
from eci_payments.store.seal_chain import ACTS, CHAINS, PAYMENTS, row_hash
from eci_payments.store.seals import batch_sql, oldest_unsealed_s, seal
from eci_payments.store.session import run
from eci_payments.store.tables import metadata
from eci_payments.store.trail import claim_place, rows_behind
from support.settled import walk_to_end
from support.waiting import until
from support.world import APPROVED

SEALS = "SELECT position, transaction_log_id, hash FROM audit_seals WHERE merchant_id = $1 ORDER BY position"
WRITE = """
INSERT INTO transactions (merchant_id, transaction_log_id, payment_id, version, transaction_type, amount_minor,
                          currency, status, description, after, actor, created_at)
VALUES (1, $1, $2, 9, 'PAYMENT', 1, 'INR', 'x', 'x', '{}', 'test', now())
"""


async def sealed(database, merchant=1):
    async with database.read() as session:
        return await run(session, SEALS, merchant)


async def seal_all(database, limit=1000):
    return await walk_to_end(database, lambda s: seal(s, limit), lambda s: rows_behind(s, READER))


COLUMNS, GENESIS, READER = PAYMENTS.columns, PAYMENTS.genesis, PAYMENTS.reader


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.seals)
def test_every_column_is_sealed_but_the_one_that_a_restore_changes(chain):
    assert {*chain.columns, "committed_in"} == set(metadata.tables[chain.rows.table].columns.keys())


texts = st.none() | st.text(max_size=5) | st.integers()


@given(st.lists(texts, min_size=17, max_size=17), st.lists(texts, min_size=17, max_size=17))
def test_two_rows_have_one_hash_only_when_they_are_written_the_same(one, other):
    rows = [SimpleNamespace(**dict(zip(COLUMNS, values, strict=True))) for values in (one, other)]
    same = [v if v is None else str(v) for v in one] == [v if v is None else str(v) for v in other]
    assert (row_hash(PAYMENTS, GENESIS, rows[0]) == row_hash(PAYMENTS, GENESIS, rows[1])) == same


def test_text_cannot_wander_from_one_column_to_the_next():
    empty = dict.fromkeys(COLUMNS)
    one = SimpleNamespace(**empty | {"status": "ab", "description": "c"})
    other = SimpleNamespace(**empty | {"status": "a", "description": "bc"})
    assert row_hash(PAYMENTS, GENESIS, one) != row_hash(PAYMENTS, GENESIS, other)


async def test_sealing_in_small_batches_gives_one_chain(shop, service):
    for _ in range(4):
        await shop.refund(await shop.charge(APPROVED), "10", APPROVED)
    assert await seal_all(service, limit=3) == 16
    chain = await sealed(service)
    assert [row.position for row in chain] == list(range(1, 17))
    assert len({row.transaction_log_id for row in chain}) == 16
    async with service.read() as session:
        assert await oldest_unsealed_s(session) == 0


async def test_acts_and_refusals_are_sealed_also_while_payments_have_more_than_a_batch(shop, service):
    for number in range(3):
        await shop.charge(APPROVED)
        async with service.write() as session:
            await record_one(
                session, AdminEvent(SINGLE_SHOP, "somebody", "key created", f"k{number}", "done")
            )

    async def one_of_each():
        async with service.write() as session:
            return await seal(session, 1) == len(CHAINS)

    await until(one_of_each)
    async with service.read() as session:
        assert await rows_behind(session, READER) > 0
        assert await rows_behind(session, ACTS.reader, ACTS.rows) < 3


async def test_nothing_to_seal_is_zero(service):
    async with service.write() as session:
        assert await seal(session) == 0
        assert await oldest_unsealed_s(session) == 0


async def test_a_row_that_commits_late_with_a_lower_number_is_not_skipped(shop, service):
    payment = await shop.charge(APPROVED)
    await seal_all(service)
    before = len(await sealed(service))
    async with service.write() as late:
        await run(late, WRITE, 100_001, payment)
        async with service.write() as quick:
            await run(quick, WRITE, 100_002, payment)
        async with (
            service.write() as session
        ):  # the later one is committed and has to wait for the earlier one
            assert await seal(session) == 0
            assert await rows_behind(session, READER) == 1
            assert await oldest_unsealed_s(session) >= 0
    await seal_all(service)
    assert [row.transaction_log_id for row in (await sealed(service))[before:]] == [100_001, 100_002]


async def test_workers_side_by_side_seal_every_row_once(shop, service):
    payment = await shop.charge(APPROVED)

    async def write(first):
        for number in range(40):
            async with service.write() as session:
                await run(session, WRITE, first + number, payment)

    async def work():
        for _ in range(40):
            async with service.write() as session:
                await seal(session, 7)

    await asyncio.gather(write(10_000), write(20_000), work(), work(), work())
    await seal_all(service)
    chain = await sealed(service)
    assert [row.position for row in chain] == list(range(1, 83))
    async with service.read() as session:
        order = await run(
            session, "SELECT transaction_log_id FROM transactions ORDER BY committed_in, transaction_log_id"
        )
    assert [row.transaction_log_id for row in chain] == [row.transaction_log_id for row in order]


async def test_each_merchant_has_a_chain_of_its_own(shop, service, owner):
    await shop.charge(APPROVED)
    async with owner.write() as session:
        await run(session, "INSERT INTO merchants (merchant_id, name) VALUES (2, 'second')")
        for table in ("payments", "transactions"):
            columns = [c.name for c in metadata.tables[table].columns if c.name != "merchant_id"]
            listed = ", ".join(columns)
            await run(session, f"INSERT INTO {table} (merchant_id, {listed}) SELECT 2, {listed} FROM {table}")
    assert await seal_all(service) == 4
    chains = [await sealed(service, merchant) for merchant in (1, 2)]
    assert [len(chain) for chain in chains] == [2, 2]
    assert chains[0][0].hash != chains[1][0].hash


async def test_a_batch_is_read_in_the_order_of_its_index_even_without_statistics(shop, service):
    await shop.charge(APPROVED)
    async with service.write() as session:
        place = await claim_place(session, READER)
        while place is None:  # another test's transaction is still running on this server
            await asyncio.sleep(0.01)
            place = await claim_place(session, READER)
        rows = await run(
            session,
            f"EXPLAIN {batch_sql(PAYMENTS)}",
            place.merchant_id,
            place.committed_in,
            place.position,
            1000,
        )
    plan = "\n".join(row[0] for row in rows)
    assert "transactions_committed_idx" in plan
    assert "audit_seals_merchant_id_transaction_log_id_key" in plan
    assert "Sort" not in plan
