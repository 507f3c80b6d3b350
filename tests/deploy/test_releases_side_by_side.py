"""A migration while customers pay: the release before it and the one after it run side by side, and no request fails.

The release before is this one; the one after is `support.next_release`, which has a migration more and writes what it
added. Every process is real; the requests of one payment go to both releases in turn.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest

from eci_payments.store import migrate
from eci_payments.store.migrate import MigrationRefused, check, current, pending, upgrade
from eci_payments.store.session import Database, run
from support import next_release
from support.processes import processes, run_command
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.processes import Processes

NEXT_RELEASE = (sys.executable, "-m", "support.next_release")
CUSTOMERS = 4
VISITS = 8
"""How many customers are through before the next thing happens: each of them sends eight requests."""
WITHIN_S = 60.0
FOUND_WRONG = (
    "SELECT count(*) FROM payments WHERE status NOT IN ('COMPLETED', 'PARTIALLY_REFUNDED', 'REFUNDED')"
)


@dataclass(slots=True)
class Customers:
    """Each pays an order in several steps, every step at another address than the one before."""

    addresses: list[str]
    wrong: Counter[str] = field(default_factory=Counter)
    visits: int = 0
    _turns: itertools.count[int] = field(default_factory=itertools.count)

    async def visit_until(self, stop: asyncio.Event) -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            while not stop.is_set():
                number = next(self._turns)
                try:
                    await self._visit(client, f"order-{number}")
                except httpx.HTTPError as error:
                    self.wrong[type(error).__name__] += 1
                self.visits += 1

    async def some(self) -> None:
        """Return when some more have been through."""
        before = self.visits
        await until(lambda: self.visits >= before + VISITS, within_s=WITHIN_S)

    async def _visit(self, client: httpx.AsyncClient, order: str) -> None:
        body = {"order_id": order, "user_id": 7, "amount": "30.00", "payment_method": "UPI"}
        paid = await self._ask(client, 201, "POST", "/v1/payments/charge", body, order)
        again = await self._ask(client, 201, "POST", "/v1/payments/charge", body, order)
        if paid.content != again.content:
            self.wrong["another answer to the same request"] += 1
        here = f"/v1/payments/{paid.json()['payment_id']}"
        await self._ask(client, 200, "POST", f"{here}/refund", {"amount": "10.00", "reason": "Returned"})
        await self._ask(client, 200, "GET", here)
        later = body | {"order_id": f"{order}-later", "capture": False}
        held = await self._ask(client, 201, "POST", "/v1/payments/charge", later, f"{order}-later")
        there = f"/v1/payments/{held.json()['payment_id']}"
        await self._ask(client, 200, "POST", f"{there}/capture", {"amount": "20.00"})
        await self._ask(client, 200, "GET", there)

    async def _ask(
        self,
        client: httpx.AsyncClient,
        expected: int,
        method: str,
        path: str,
        body: dict[str, object] | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        address = self.addresses[next(self._turns) % len(self.addresses)]
        headers = {"Idempotency-Key": key} if key else {}
        answer = await client.request(method, address + path, json=body, headers=headers)
        if answer.status_code != expected:
            self.wrong[f"{method} {path.rpartition('/')[2]} {answer.status_code} {answer.text[:200]}"] += 1
        answer.raise_for_status()
        return answer


@asynccontextmanager
async def paying(addresses: list[str]) -> AsyncIterator[Customers]:
    customers, stop = Customers(addresses), asyncio.Event()
    visits = [asyncio.create_task(customers.visit_until(stop)) for _ in range(CUSTOMERS)]
    try:
        yield customers
    finally:
        stop.set()
        await asyncio.gather(*visits)


@contextmanager
def two_releases(folder: Path, database) -> Iterator[tuple[Processes, Processes]]:
    settings = {
        "DATA_DIR": folder,
        "DATABASE_URL": database.service_url,
        "MIGRATION_DATABASE_URL": database.owner_url,
        "GATEWAYS": "simulator",
        "RATE_LIMIT_PER_ADDRESS": 0,
        "DB_POOL_SIZE": 4,
        "REQUIRE_RESTRICTED_ROLE": "on",
    }
    tests = Path(__file__).parents[1]
    with (
        processes(folder / "before", **settings) as before,
        processes(folder / "after", PYTHONPATH=tests, **settings) as after,
    ):
        after.command = NEXT_RELEASE
        yield before, after


async def ended(release: Processes, *arguments: str) -> tuple[int, str]:
    """Run a command of this release; its exit code, and what it said."""
    running = release.start(*arguments)
    return await asyncio.to_thread(running.process.wait, WITHIN_S), running.said


@pytest.mark.timeout(240)
async def test_no_request_fails_while_one_release_takes_over_from_another(tmp_path, database):
    with two_releases(tmp_path, database) as (before, after):
        _, old = await asyncio.to_thread(before.serve)
        await asyncio.to_thread(before.work)
        async with paying([old]) as customers:
            await customers.some()
            assert await ended(after, "migrate") == (0, "The database is migrated.\n")
            await customers.some()
            _, new = await asyncio.to_thread(after.serve)
            await asyncio.to_thread(after.work)
            customers.addresses = [old, new]
            await customers.some()
            rolled_back, old_again = await asyncio.to_thread(before.serve)
            customers.addresses = [new, old_again]
            await customers.some()
        assert customers.wrong == {}
        assert rolled_back.process.poll() is None
        assert run_command("verify", environment=before.environment).returncode == 0
        assert (await ended(after, "verify"))[0] == 0
    connection = await asyncpg.connect(database.admin_url.replace("+asyncpg", ""))
    try:
        assert await connection.fetchval(FOUND_WRONG) == 0
        for table, of_the_old in (("payments", None), ("transactions", "before")):
            written = await connection.fetch(f"SELECT DISTINCT channel FROM {table}")
            assert {row["channel"] for row in written} == {of_the_old, "web"}
    finally:
        await connection.close()


@pytest.fixture
def next_chain(template, monkeypatch):
    """The chain of the next release, with little patience; the template of other tests is made without it."""
    assert template
    monkeypatch.setattr(migrate, "VERSIONS", (*migrate.VERSIONS, next_release.VERSIONS))
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 100)
    monkeypatch.setattr(migrate, "WAIT_BESIDE_WRITERS_MS", 100)
    monkeypatch.setattr(migrate, "TRIES", 2)
    monkeypatch.setattr(migrate, "PAUSE_S", 0.01)


@asynccontextmanager
async def opened(url) -> AsyncIterator[Database]:
    database = Database(url, pool_size=3)
    try:
        yield database
    finally:
        await database.close()


@pytest.mark.usefixtures("next_chain")
async def test_a_migration_that_cannot_have_its_lock_changes_nothing_and_can_be_run_again(database):
    async with opened(database.owner_url) as own:
        async with own.read() as session:
            at, lacking = await current(session), await pending(session)
        async with own.read() as somebody:
            await run(somebody, "SELECT 1 FROM transactions")
            with pytest.raises(MigrationRefused, match="stayed locked; nothing was changed"):
                await upgrade(database.owner_url, database.service_role)
            async with own.read() as session:
                assert await current(session) == at
                assert await pending(session) == lacking
                assert not await run(session, "SELECT FROM pg_attribute WHERE attname = 'channel'")
        await upgrade(database.owner_url, database.service_role)
        async with own.read() as session:
            assert (await pending(session), await check(session)) == ([], [])


@pytest.mark.usefixtures("next_chain")
async def test_what_was_left_for_afterwards_is_done_by_the_next_migrate(database, monkeypatch):
    async with opened(database.owner_url) as own:
        async with own.read() as somebody:
            await run(somebody, "SELECT 1 FROM merchants")  # an old snapshot, which an index has to wait for
            with pytest.raises(MigrationRefused, match="the schema is migrated, but an index"):
                await upgrade(database.owner_url, database.service_role)
        async with own.read() as session:
            unfinished = ["index payments_channel_idx", "validation of payments_channel_check"]
            assert await pending(session) == unfinished
            (hindrance,) = await check(session)
            assert all(name in hindrance for name in unfinished)
        monkeypatch.setattr(migrate, "WAIT_BESIDE_WRITERS_MS", 30_000)
        await upgrade(database.owner_url, database.service_role)
        async with own.read() as session:
            assert (await pending(session), await check(session)) == ([], [])


@pytest.mark.usefixtures("next_chain")
async def test_the_release_before_starts_on_the_database_of_the_next(database, monkeypatch):
    monkeypatch.setattr(migrate, "WAIT_BESIDE_WRITERS_MS", 30_000)
    await upgrade(database.owner_url, database.service_role)
    monkeypatch.undo()
    async with opened(database.service_url) as own, own.read() as session:
        assert await check(session) == []
    with pytest.raises(MigrationRefused, match="migration 9001, which this release does not know"):
        await upgrade(database.owner_url, database.service_role)
