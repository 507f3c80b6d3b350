"""Probes while the database is away: refused, stopped, or taking connections and never answering."""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from eci_payments.api.pulse import PULSE_TIMEOUT_S, Pulse
from eci_payments.store.embedded import EmbeddedPostgres
from eci_payments.store.embedded.cluster import ADMIN_ROLE, DATABASE, OWNER_ROLE, SERVICE_ROLE
from eci_payments.store.embedded.postmaster import running_postmaster
from support.api import running_api
from support.postgres import Database, migrate
from support.processes import processes
from support.waiting import until

TO_BE_MET_S = 2.0
"""What is promised to those who probe."""
PATIENCE = httpx.Timeout(60.0)


def test_the_bound_of_our_own_is_within_the_promised_one():
    assert PULSE_TIMEOUT_S < TO_BE_MET_S


@pytest.fixture
def server():
    """A PostgreSQL of this test's own, to be stopped."""
    with tempfile.TemporaryDirectory(prefix="eci-pulse-") as folder:
        Path(folder).chmod(0o711)
        running = EmbeddedPostgres(folder, durable=False)
        running.start()
        admin, owner, service = (running.url(role) for role in (ADMIN_ROLE, OWNER_ROLE, SERVICE_ROLE))
        migrate(Database(DATABASE, admin, owner, service, SERVICE_ROLE))
        yield running
        running.stop()


@contextmanager
def frozen(server):
    """All of its processes stand still: connections are there, and made, and nothing answers."""
    found = running_postmaster(server.layout.cluster)
    assert found is not None
    everyone = [found.process, *found.process.children(recursive=True)]
    for each in everyone:
        each.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for each in everyone:
            if each.is_running():
                each.send_signal(signal.SIGCONT)


async def is_ready(client):
    return (await client.get("/readyz")).status_code == 200


async def test_a_process_whose_postgresql_is_stopped_or_hangs(server, tmp_path):
    with processes(
        tmp_path, DATA_DIR=tmp_path, DATABASE_URL=server.url(SERVICE_ROLE), GATEWAYS="simulator"
    ) as made:
        started, address = await asyncio.to_thread(made.serve)
        async with httpx.AsyncClient(base_url=address, timeout=PATIENCE) as client:
            await until(lambda: is_ready(client))

            await asyncio.to_thread(server.stop)
            await says(client, livez=200, readyz=503)
            await asyncio.to_thread(server.start)
            await until(lambda: is_ready(client))

            with frozen(server):
                # a read waits for as long as a statement may; the probes are back before it
                reading = asyncio.create_task(client.get("/v1/payments/1"))
                await says(client, livez=200, readyz=503)
                assert not reading.done()
                await says(client, livez=200, readyz=503)
            await until(lambda: is_ready(client))
            assert (await reading).status_code in {404, 503}
        assert started.stop() == 0


async def says(client, *, livez, readyz):
    alive, ready = await asyncio.gather(client.get("/livez"), client.get("/readyz"))
    assert (alive.status_code, ready.status_code) == (livez, readyz)
    if readyz != 200:
        assert ready.json()["code"] == "database_unavailable"


async def test_a_database_that_takes_connections_and_never_answers():
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        url = f"postgresql+asyncpg://nobody@127.0.0.1:{listening.getsockname()[1]}/nothing"
        async with running_api(url) as api:
            connecting = asyncio.create_task(api.payments.engine.database.ping())
            answers = await asyncio.gather(*(api.get("/readyz") for _ in range(20)), api.get("/livez"))
            assert not connecting.done()  # it has CONNECT_TIMEOUT_S, and the probes did not wait for that
            assert [answer.status_code for answer in answers] == [503] * 20 + [200]
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)


async def test_all_who_ask_at_once_share_one_ping():
    pings = 0
    answered = asyncio.Event()

    async def ping() -> None:
        nonlocal pings
        pings += 1
        await answered.wait()

    pulse = Pulse(ping)
    asking = [asyncio.create_task(pulse.beats()) for _ in range(10)]
    await asyncio.sleep(0)
    answered.set()
    assert await asyncio.gather(*asking) == [True] * 10
    assert pings == 1
    assert await pulse.beats()
    assert pings == 2


async def test_the_answer_does_not_wait_for_a_ping_that_cannot_be_stopped(monkeypatch):
    monkeypatch.setattr("eci_payments.api.pulse.PULSE_TIMEOUT_S", 0.01)
    ended = asyncio.Event()

    async def ping() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await ended.wait()  # as the driver, which closes its connection
            raise

    pulse = Pulse(ping)
    assert not await pulse.beats()
    assert not await pulse.beats()
    ended.set()


async def test_whatever_the_ping_raises_is_an_absence():
    async def ping() -> None:
        raise RuntimeError("the driver is broken")

    assert not await Pulse(ping).beats()
