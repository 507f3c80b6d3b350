"""kill -9 at random moments under load: nothing is lost, nothing is taken twice, everybody hears of it."""

from __future__ import annotations

import asyncio
import os
from random import Random
from typing import TYPE_CHECKING

import httpx
import pytest

from support.auditor import auditor
from support.customers import ENDINGS, QUICK_ENDINGS, Asked, Customers
from support.processes import Running, free_port, run_command
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.installation import Installation

KILLS = int(os.environ.get("CHAOS_KILLS", "4"))
"""How often something is killed; `make chaos-kill` takes 50."""
THOROUGH = "CHAOS_KILLS" in os.environ or os.environ.get("CHAOS") == "all"
"""Whether there are orders whose outcome is known late, which takes as long."""
SEED = int(os.environ.get("CHAOS_SEED", "0")) or Random().randrange(1, 2**31)
CUSTOMERS = 8
DRAIN_S = 180.0


@pytest.mark.timeout(300 + KILLS * 8)
async def test_kills_under_load_lose_nothing_and_take_nothing_twice(
    installation: Installation, record_property: Callable[[str, object], None]
):
    print(f"CHAOS_SEED={SEED}")
    random = Random(SEED)
    victims = {port: installation.processes.serve(port)[0] for port in (free_port(), free_port())}
    victims[0] = installation.processes.work()
    addresses = [f"http://127.0.0.1:{port}" for port in victims if port]
    async with httpx.AsyncClient(timeout=8, limits=httpx.Limits(max_connections=100)) as client:
        customers = Customers(addresses, random, client, ENDINGS if THOROUGH else QUICK_ENDINGS)
        stop = asyncio.Event()
        visits = [asyncio.create_task(customers.visit_until(stop)) for _ in range(CUSTOMERS)]
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0.05, 1.0))
            await asyncio.to_thread(kill_one, installation, victims, random)
        stop.set()
        await asyncio.gather(*visits)
        books = await auditor(
            installation.database.owner_url, installation.simulator_record, installation.journal
        )
        try:
            await until(books.drained, within_s=DRAIN_S, every_s=0.2)
            assert await books.wrong_money() == []
            assert await books.wrong_deliveries() == []
            assert await books.stock_of_paid() == []
        finally:
            await books.connection.close()
        await everybody_got_the_truth(customers)
    verified = run_command("verify", environment=installation.processes.environment)
    assert verified.returncode == 0, verified.stderr
    answered = customers.answered_with(201)
    record_property("times", KILLS)
    record_property("under", f"{len(customers.history)} requests, {answered} answered with 201")
    print(f"{KILLS} kills; {len(customers.history)} requests, {answered} answered with 201")
    assert answered > KILLS


def kill_one(installation: Installation, victims: dict[int, Running], random: Random) -> None:
    """Kill one process without warning, and start another in its place."""
    place = random.choice(list(victims))
    victims[place].kill()
    started = installation.processes
    victims[place] = started.serve(place)[0] if place else started.work()


async def everybody_got_the_truth(customers: Customers) -> None:
    """Whoever asks again with the same key gets what they were told, byte by byte; nobody was left without."""
    unanswered = [asked for asked in customers.history if asked.status is None]
    assert unanswered == []
    for asked in customers.history:
        if asked.status in {200, 201}:
            again = Asked(asked.method, asked.path, asked.key, asked.body)
            await customers.pursue(again)
            assert (again.status, again.text) == (asked.status, asked.text)
