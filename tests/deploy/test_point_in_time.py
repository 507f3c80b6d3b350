"""The drill of docs/backup-and-restore.md with a base backup and an archive: restored to a moment."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from eci_payments.store.embedded import EmbeddedError
from eci_payments.store.embedded.programs import programs_folder
from support.archived_server import DATABASE, OWNER, SERVICE, ArchivedServer
from support.processes import processes
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

try:
    programs_folder()
    MISSING = "" if "RESTORE_DRILL" in os.environ else "`make restore-drill` does it"
except EmbeddedError as error:
    MISSING = str(error)
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

SETTLED_WITHIN_S = 60.0
STATES = "SELECT json_object_agg(order_id, status)::text FROM payments"
OPEN = "SELECT count(*) FROM payments WHERE status = 'PROCESSING'"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, so that a socket's path fits, and open to the user that PostgreSQL runs as."""
    made = Path(tempfile.mkdtemp(prefix="eci-drill-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def server(folder) -> AsyncIterator[ArchivedServer]:
    made = ArchivedServer.made(folder)
    try:
        await made.start()
        await made.execute(f"CREATE ROLE {OWNER} LOGIN", f"CREATE ROLE {SERVICE} LOGIN", database="postgres")
        await made.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}", database="postgres")
        yield made
    finally:
        made.kill()


async def charge(base: str, order: str, amount: str = "100") -> httpx.Response:
    body = {"order_id": order, "user_id": 1, "amount": amount, "payment_method": "UPI"}
    async with httpx.AsyncClient(base_url=base, timeout=30) as client:
        return await client.post("/v1/payments/charge", json=body, headers={"Idempotency-Key": order})


@pytest.mark.timeout(240)
async def test_a_restore_to_a_moment_keeps_what_was_before_it_and_learns_what_was_unknown(tmp_path, server):
    settings = {
        "DATA_DIR": tmp_path,
        "DATABASE_URL": server.url(SERVICE),
        "MIGRATION_DATABASE_URL": server.url(OWNER),
        "GATEWAYS": "simulator",
        "REQUIRE_RESTRICTED_ROLE": "on",
    }
    with processes(tmp_path / "before", **settings) as before:
        assert await asyncio.to_thread(before.start("migrate").process.wait, 60) == 0
        _, base = await asyncio.to_thread(before.serve)
        assert (await charge(base, "in-the-backup")).status_code == 201
        await asyncio.to_thread(server.back_up, server.folder / "backups" / "base")
        assert (await charge(base, "in-the-archive")).status_code == 201
        assert (await charge(base, "unknown", "100.23")).status_code == 202
        moment = await server.execute("SELECT clock_timestamp()")
        assert (await charge(base, "after-the-moment")).status_code == 201
        await server.everything_is_archived()
    await server.lose()

    await asyncio.to_thread(server.restore, server.folder / "backups" / "base", moment)
    await server.start()
    with processes(tmp_path / "after", **settings) as after:
        assert await asyncio.to_thread(after.start("migrate").process.wait, 60) == 0
        await asyncio.to_thread(after.work)
        await until(lambda: _none(server, OPEN), within_s=SETTLED_WITHIN_S, every_s=0.3)
        kept = await server.execute(STATES)
        assert "after-the-moment" not in kept
        assert kept.count("COMPLETED") == 3
        assert await asyncio.to_thread(after.start("verify").process.wait, 60) == 0
        _, base = await asyncio.to_thread(after.serve)
        for order in ("in-the-backup", "in-the-archive"):
            again = await charge(base, order)
            assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
        assert (await charge(base, "unknown", "100.23")).json()["status"] == "COMPLETED"


async def _none(server: ArchivedServer, count: str) -> bool:
    return not await server.execute(count)
