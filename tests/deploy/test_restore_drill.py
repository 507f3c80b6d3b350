"""The drill of docs/backup-and-restore.md: dump, lose, restore, migrate, let the worker ask, verify, serve."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import httpx

from support.postgres import postgres_program
from support.processes import processes

RECOVERED_WITHIN_S = 60


def charge(base: str, order: str, amount: str) -> httpx.Response:
    body = {"order_id": order, "user_id": 1, "amount": amount, "payment_method": "UPI"}
    return httpx.post(f"{base}/v1/payments/charge", json=body, headers={"Idempotency-Key": order}, timeout=30)


async def states(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        return {row["order_id"]: row["status"] for row in await connection.fetch("SELECT * FROM payments")}
    finally:
        await connection.close()


def until_settled(url: str) -> dict[str, str]:
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    while "PROCESSING" in (found := asyncio.run(states(url))).values() and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def test_the_drill(tmp_path, database, new_database):
    dump, data = tmp_path / "payments.dump", tmp_path / "data"
    kept = {"DATA_DIR": data, "GATEWAYS": "simulator", "FINGERPRINT_KEY": "k" * 40}
    with processes(tmp_path / "before", DATABASE_URL=database.service_url, **kept) as before:
        server, base = before.serve()
        assert charge(base, "paid", "100").json()["status"] == "COMPLETED"
        assert charge(base, "unknown", "100.23").status_code == 202  # the gateway took it; nobody knows yet
        postgres_program("pg_dump", database.admin_url, "--format=custom", f"--file={dump}")
        server.kill()

    restored = new_database(empty=True)
    postgres_program(
        "pg_restore", restored.admin_url, f"--dbname={restored.name}", "--exit-on-error", str(dump)
    )
    settings = {"DATABASE_URL": restored.service_url, "MIGRATION_DATABASE_URL": restored.owner_url, **kept}
    with processes(tmp_path / "after", **settings) as after:
        assert after.start("migrate").process.wait(60) == 0
        after.work()
        assert until_settled(restored.owner_url) == {"paid": "COMPLETED", "unknown": "COMPLETED"}
        assert after.start("verify").process.wait(60) == 0
        _, base = after.serve()
        replayed = charge(base, "paid", "100")
        assert (replayed.status_code, replayed.headers["idempotent-replayed"]) == (201, "true")
        assert charge(base, "unknown", "100.23").json()["status"] == "COMPLETED"
