"""The door to a transaction: what it commits, what it undoes, and connections that the server has closed."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from eci_payments.store.session import Database, run

NOTE = "INSERT INTO installation (merchant_id, name, value) VALUES (1, $1, 'x')"
NOTES = "SELECT name FROM installation WHERE name LIKE 'noted%' ORDER BY name"


@pytest.fixture(params=[True, False], ids=["prepared", "behind a pooler"])
async def mine(request, service_url):
    opened = Database(service_url, pool_size=1, prepared_statements=request.param)
    yield opened
    await opened.close()


async def notes(mine):
    async with mine.read() as session:
        return [row.name for row in await run(session, NOTES)]


async def test_a_block_commits_or_leaves_nothing(mine):
    async with mine.write() as session:
        await run(session, NOTE, "noted")

    async def note(name, then):
        async with mine.write() as session:
            await run(session, NOTE, name)
            await then(session)

    async def regret(_session):
        raise LookupError

    with pytest.raises(asyncpg.UniqueViolationError):
        await note("noted twice", lambda session: run(session, NOTE, "noted"))
    with pytest.raises(LookupError):
        await note("noted and regretted", regret)
    assert await notes(mine) == ["noted"]


async def test_a_reader_sees_one_moment_and_writes_nothing(mine, owner):
    async with mine.read() as session:
        assert await run(session, NOTES) == []
        async with owner.write() as other:
            await run(other, NOTE, "noted meanwhile")
        assert await run(session, NOTES) == []
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await run(session, NOTE, "noted by a reader")
    assert await notes(mine) == ["noted meanwhile"]


async def test_a_connection_that_the_server_closed_is_not_handed_out_again(mine, service):
    async with mine.read() as session:
        ((pid,),) = await run(session, "SELECT pg_backend_pid()")
    async with service.write() as session:
        await run(session, "SELECT pg_terminate_backend($1, 5000)", pid)
    await asyncio.sleep(0)
    assert await notes(mine) == []


async def test_who_is_broken_off_leaves_a_connection_that_works(mine):
    async def slow():
        async with mine.write() as session:
            await run(session, NOTE, "noted and broken off")
            await run(session, "SELECT pg_sleep(60)")

    task = asyncio.create_task(slow())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await notes(mine) == []


async def test_who_is_broken_off_while_beginning_leaves_no_transaction_to_the_next(mine):
    """Wherever on the way of its BEGIN: a reader's would keep the next one from writing."""

    async def look():
        async with mine.read() as session:
            await run(session, NOTES)

    for turns in range(8):
        reader = asyncio.create_task(look())
        for _ in range(turns):
            await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait({reader})
        async with mine.write() as session:
            await run(session, NOTE, f"noted {turns}")
    assert len(await notes(mine)) == 8


async def test_columns_are_attributes_and_others_are_not(mine):
    async with mine.read() as session:
        (row,) = await run(session, "SELECT 1 AS count, '{\"a\": [1]}'::jsonb AS key")
    assert (row.count, row.key, tuple(row)) == (1, {"a": [1]}, (1, {"a": [1]}))
    with pytest.raises(AttributeError):
        _ = row.other
