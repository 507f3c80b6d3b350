"""The seed fills a demonstration through the real operations, once, and keeps away from real money."""

from __future__ import annotations

import asyncio

import asyncpg

from eci_payments.domain.payment import PaymentStatus
from support.processes import plain_environment, run_command


async def statuses(url: str) -> set[str]:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        return {row["status"] for row in await connection.fetch("SELECT DISTINCT status FROM payments")}
    finally:
        await connection.close()


def test_a_demonstration_is_filled_once_and_its_books_are_right(tmp_path, database):
    environment = plain_environment(
        DATA_DIR=tmp_path, DATABASE_URL=database.service_url, GATEWAYS="simulator"
    )
    done = run_command("seed", environment=environment)
    assert done.returncode == 0, done.stderr
    assert "Made 240 payments" in done.stdout
    assert asyncio.run(statuses(database.owner_url)) == set(PaymentStatus)
    again = run_command("seed", environment=environment)
    assert "there already" in again.stdout
    verified = run_command("verify", environment=environment)
    assert verified.returncode == 0, verified.stderr


def test_a_demonstration_may_name_its_accounts_as_it_likes(tmp_path, database):
    file = tmp_path / "gateways.toml"
    file.write_text('[[accounts]]\nname = "first"\nadapter = "simulator"\n')
    environment = plain_environment(DATA_DIR=tmp_path, DATABASE_URL=database.service_url, GATEWAYS_FILE=file)
    assert "Made 240 payments" in run_command("seed", environment=environment).stdout
    again = run_command("seed", environment=environment)
    assert (again.returncode, "there already" in again.stdout) == (0, True), again.stderr


def test_it_keeps_away_from_gateways_that_move_money(tmp_path, database):
    environment = plain_environment(
        DATA_DIR=tmp_path, DATABASE_URL=database.service_url, GATEWAYS="simulator,stripe"
    )
    done = run_command("seed", environment=environment)
    assert done.returncode == 1
    assert "GATEWAYS" in done.stderr
