"""After a restore: nothing begins until the gateways were asked about everything since, and what they know is here."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest

from eci_payments.store import restore_gate
from eci_payments.store.session import Database as Books
from support.postgres import postgres_program
from support.processes import processes
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import Database
    from support.processes import Processes

CHARGE = "/v1/payments/charge"
LONG_AGO = "2020-01-01T00:00:00Z"


def post(base: str, path: str, body: dict[str, object], key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return httpx.post(base + path, json=body, headers=headers, timeout=30)


def get(base: str, path: str) -> httpx.Response:
    return httpx.get(base + path, timeout=30)


def charge(base: str, order: str, **fields: object) -> httpx.Response:
    body = {"order_id": order, "user_id": 1, "amount": "100", "payment_method": "UPI"} | fields
    return post(base, CHARGE, body, f"key-{order}-{fields}"[:200])


async def said(release: Processes, *arguments: str) -> tuple[int, str]:
    running = release.start(*arguments)
    return await asyncio.to_thread(running.process.wait, 60), running.said


async def payments(url: str) -> dict[str, tuple[str, int, int]]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        rows = await connection.fetch("SELECT * FROM payments")
        return {
            row["order_id"]: (row["status"], row["amount_captured_minor"], row["amount_refunded_minor"])
            for row in rows
        }
    finally:
        await connection.close()


def pay_some(base: str) -> None:
    """What happens after the backup, and is lost with the database."""
    assert charge(base, "new").json()["status"] == "COMPLETED"
    assert charge(base, "declined", amount="100.51").json()["status"] == "FAILED"
    refunded = charge(base, "refunded").json()["payment_id"]
    refund = post(base, f"/v1/payments/{refunded}/refund", {"amount": "30", "reason": "Returned"})
    assert refund.status_code == 200
    held = charge(base, "captured", capture=False).json()["payment_id"]
    assert post(base, f"/v1/payments/{held}/capture", {"amount": "70"}).status_code == 200
    voided = charge(base, "again", capture=False).json()["payment_id"]
    assert httpx.delete(f"{base}/v1/payments/{voided}", timeout=30).status_code == 200
    assert charge(base, "again").json()["status"] == "COMPLETED"
    assert charge(base, "failed-before").json()["status"] == "COMPLETED"
    assert charge(base, "unknown", amount="100.23").status_code == 202


def copy(dump: Path, source: Database, target: Database) -> None:
    postgres_program("pg_dump", source.admin_url, "--format=custom", f"--file={dump}")
    postgres_program("pg_restore", target.admin_url, f"--dbname={target.name}", "--exit-on-error", str(dump))


async def close_gate(database: Database) -> None:
    books = Books(database.owner_url)
    try:
        async with books.write() as session:
            await restore_gate.close(session, datetime(2026, 1, 1, tzinfo=UTC))
    finally:
        await books.close()


@pytest.mark.timeout(240)
async def test_what_happened_after_the_backup_is_learned_before_anything_begins(
    tmp_path, database, new_database
):
    settings = {"DATA_DIR": tmp_path, "GATEWAYS": "simulator", "RATE_LIMIT_PER_ADDRESS": 0}
    first = {"DATABASE_URL": database.service_url, "MIGRATION_DATABASE_URL": database.owner_url}
    with processes(tmp_path / "before", **settings, **first) as before:
        _, base = await asyncio.to_thread(before.serve)
        assert charge(base, "kept").json()["status"] == "COMPLETED"
        assert charge(base, "failed-before", amount="100.51").json()["status"] == "FAILED"
        backup = new_database(empty=True)
        await asyncio.to_thread(copy, tmp_path / "backup.dump", database, backup)
        await asyncio.to_thread(pay_some, base)
        lost = await payments(database.owner_url)
    second = {"DATABASE_URL": backup.service_url, "MIGRATION_DATABASE_URL": backup.owner_url}
    with processes(tmp_path / "after", **settings, **second) as after:
        assert (await said(after, "migrate"))[0] == 0
        assert "Nothing is being recovered" in (await said(after, "recover"))[1]
        await close_gate(backup)
        _, base = await asyncio.to_thread(after.serve)
        refused = charge(base, "other")
        assert (refused.status_code, refused.json()["code"]) == (503, "restore_in_progress")
        assert int(refused.headers["Retry-After"]) > 0
        assert get(base, "/readyz").json()["code"] == "restore_in_progress"
        assert charge(base, "kept").headers["Idempotent-Replayed"] == "true"
        assert (await said(after, "recover"))[0] == 0
        del lost["unknown"]
        await until_same(backup.owner_url, lost)
        assert (await said(after, "verify"))[0] == 0
        assert (await said(after, "recover", "--since", LONG_AGO))[0] == 0
        assert charge(base, "new", user_id=2).status_code == 409
        assert charge(base, "other").json()["status"] == "COMPLETED"
        assert get(base, "/readyz").status_code == 200


async def until_same(url: str, lost: dict[str, tuple[str, int, int]]) -> None:
    async def same() -> bool:
        found = await payments(url)
        return {order: found.get(order) for order in lost} == lost

    try:
        await until(same, within_s=30, every_s=0.3)
    except TimeoutError:
        assert await payments(url) == lost
