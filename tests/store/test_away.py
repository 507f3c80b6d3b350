"""PostgreSQL goes away in the middle, and comes back: what was done at the gateway is never lost."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from eci_payments.operations import engine
from eci_payments.store.embedded import EmbeddedPostgres
from eci_payments.store.embedded.cluster import ADMIN_ROLE, DATABASE, OWNER_ROLE, SERVICE_ROLE
from eci_payments.store.lane import DatabaseAway
from support.engine import caller, charging, open_house, told
from support.gateway import ScriptedGateway
from support.postgres import Database, migrate


@pytest.fixture
def server():
    """A PostgreSQL of this test's own."""
    with tempfile.TemporaryDirectory(prefix="eci-away-") as folder:
        Path(folder).chmod(0o711)
        running = EmbeddedPostgres(folder, durable=False)
        running.start()
        admin, owner, service = (running.url(role) for role in (ADMIN_ROLE, OWNER_ROLE, SERVICE_ROLE))
        migrate(Database(DATABASE, admin, owner, service, SERVICE_ROLE))
        yield running
        running.stop()


@pytest.fixture
async def house(server):
    opened = open_house(server.url(SERVICE_ROLE), ScriptedGateway())
    yield opened
    await opened.close()


async def at_the_gateway(house, order):
    """A charge that waits at the gateway."""
    house.gateway.arrived.clear()
    house.gateway.released.clear()
    house.gateway.plan(order, "charge", "slow")
    asking = asyncio.create_task(house.payments.charge(caller(key=order), charging(order)))
    await house.gateway.arrived.wait()
    return asking


async def test_it_goes_away_and_comes_back(server, house, monkeypatch):
    """One server for the three stories, since each start takes a second."""
    await told(house.payments.charge(caller(key="before"), charging("before")))

    # a short absence: the outcome waits, and is written
    asking = await at_the_gateway(house, "short")
    await asyncio.to_thread(server.stop)
    house.gateway.released.set()
    await asyncio.sleep(0.2)
    await asyncio.to_thread(server.start)
    assert (await asking).status == 201

    # a long one: the caller is told to come back, and finds the truth that recovery has learned
    monkeypatch.setattr(engine, "CONCLUSION_TRIES_S", (0.05, 0.05))
    asking = await at_the_gateway(house, "long")
    await asyncio.to_thread(server.stop)
    house.gateway.released.set()
    with pytest.raises(DatabaseAway):
        await asking
    with pytest.raises(DatabaseAway):
        await house.payments.charge(caller(key="new"), charging("new"))
    await asyncio.to_thread(server.start)
    await house.later(31)
    await house.recover()
    again = await told(house.payments.charge(caller(key="long"), charging("long")))
    assert (again.status, again.replayed, again.document["status"]) == (201, True, "COMPLETED")

    # and the key of what was refused is free
    assert (await told(house.payments.charge(caller(key="new"), charging("new")))).status == 201
    assert await house.broken() == []
