"""A dump restored into a younger cluster: readers go on, nothing is told, sealed or counted twice."""

from __future__ import annotations

import pytest

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.events import EventType
from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.store import restore_gate, seals, sums
from eci_payments.store.admin_events import AdminEvent, record_one
from eci_payments.store.fan_out import READER as RELAY
from eci_payments.store.fan_out import Subscription, add_cursors, events_behind, fan_out
from eci_payments.store.migrate import check, upgrade
from eci_payments.store.seal_chain import ACTS, PAYMENTS
from eci_payments.store.session import run
from eci_payments.store.trail import rows_behind
from support.settled import walk_to_end
from support.world import APPROVED

PEERS = [Subscription("order", frozenset({(EventType.COMPLETED, None), (EventType.PROCESSING, None)}))]
FAR = 10**12
"""What the old cluster had counted to."""


async def told(session):
    await add_cursors(session)
    return (await fan_out(session, PEERS)).events


async def walk_all(database):
    async with database.write() as session:
        await add_cursors(session)
    await walk_to_end(database, told, events_behind)
    await walk_to_end(database, seals.seal, lambda s: rows_behind(s, PAYMENTS.reader))
    await walk_to_end(database, seals.seal, lambda s: rows_behind(s, ACTS.reader, ACTS.rows))
    await walk_to_end(database, sums.fold, lambda s: rows_behind(s, sums.READER))


async def as_if_restored(owner):
    """What a dump of an old cluster leaves in a young one: the numbers of the old."""
    async with owner.write() as session:
        for table in ("transactions", "events", "admin_events", "cursors"):
            await run(
                session,
                f"UPDATE {table} SET committed_in = (committed_in::text::bigint + $1)::text::xid8"
                " WHERE committed_in > '0'",
                FAR,
            )


async def note_act(database):
    async with database.write() as session:
        await record_one(session, AdminEvent(SINGLE_SHOP, "somebody", "something", "a thing", "done"))


async def all_of(database, table, columns):
    async with database.read() as session:
        return [tuple(row) for row in await run(session, f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3")]


SEALED = ("audit_seals", "merchant_id, position, transaction_log_id, hash")
ACTS_SEALED = ("admin_seals", "merchant_id, position, event_id, hash")
SUMS = ("business_sums", "merchant_id, name, label, value")
TOLD = ("deliveries", "merchant_id, event_id, destination, delivery_id")


async def test_what_was_walked_before_the_dump_is_not_walked_into_anything_new(
    shop, service, owner, database
):
    for _ in range(3):
        await shop.refund(await shop.charge(APPROVED), "10", APPROVED)
        await note_act(service)
    await walk_all(service)
    before = [await all_of(service, *what) for what in (SEALED, ACTS_SEALED, SUMS, TOLD)]

    await as_if_restored(owner)
    async with service.read() as session:
        assert "restored from another cluster" in (await check(session))[0]
    await upgrade(database.owner_url, database.service_role)
    async with service.read() as session:
        assert await check(session) == []
    await walk_all(service)

    assert [await all_of(service, *what) for what in (SEALED, ACTS_SEALED, SUMS, TOLD)] == before


async def test_what_was_not_walked_before_the_dump_is_walked_after_it(shop, service, owner, database):
    await shop.charge(APPROVED)
    await walk_all(service)
    behind = await shop.charge(APPROVED)
    await note_act(service)
    await as_if_restored(owner)
    await upgrade(database.owner_url, database.service_role)
    with pytest.raises(Refusal) as refused:
        await shop.refund(behind, "10", APPROVED)
    assert refused.value.code is RefusalCode.RESTORE_IN_PROGRESS  # until the gateways were asked
    async with service.write() as session:
        await restore_gate.reopen(session)
    await shop.refund(behind, "10", APPROVED)
    await walk_all(service)

    assert len(await all_of(service, *SEALED)) == 6
    assert len(await all_of(service, *ACTS_SEALED)) == 1
    assert len(await all_of(service, *TOLD)) == 2
    async with service.read() as session:
        counted = await sums.read(session)
        stamps = await run(session, "SELECT committed_in::text::bigint AS number FROM transactions")
        order = await run(
            session, "SELECT version FROM transactions WHERE payment_id = $1 ORDER BY committed_in", behind
        )
    assert counted.payments_created == 2
    assert counted.refunds_processed == 1
    assert all(row.number < FAR for row in stamps)
    assert [row.version for row in order[2:]] == [
        3,
        4,
    ]  # what came after the restore stands after what it restored


async def test_an_ordinary_migration_touches_no_stamp(shop, service, database):
    await shop.charge(APPROVED)
    await walk_all(service)
    before = await all_of(service, "transactions", "merchant_id, transaction_log_id, committed_in::text")
    cursors = await all_of(service, "cursors", "merchant_id, reader, committed_in::text, position")
    await upgrade(database.owner_url, database.service_role)
    assert (
        await all_of(service, "transactions", "merchant_id, transaction_log_id, committed_in::text") == before
    )
    assert await all_of(service, "cursors", "merchant_id, reader, committed_in::text, position") == cursors
    assert RELAY in {reader for _, reader, _, _ in cursors}
