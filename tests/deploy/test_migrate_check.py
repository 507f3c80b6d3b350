"""``migrate --check``: what a rollout waits for."""

from __future__ import annotations

from support.processes import plain_environment, run_command


def test_a_migrated_database_is_ready(tmp_path, database):
    environment = plain_environment(DATA_DIR=tmp_path, DATABASE_URL=database.service_url)
    assert run_command("migrate", "--check", environment=environment).returncode == 0


def test_an_empty_one_is_not_and_stays_empty(tmp_path, empty_database):
    environment = plain_environment(DATA_DIR=tmp_path, DATABASE_URL=empty_database.owner_url)
    for _ in range(2):
        done = run_command("migrate", "--check", environment=environment)
        assert done.returncode == 1
        assert "eci-payments migrate" in done.stderr
