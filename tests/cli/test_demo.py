"""The demo as a person meets it: it starts, is killed here and there, stops, and starts again with its data."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from support.demo import demo
from support.processes import free_port, run_command

if TYPE_CHECKING:
    from pathlib import Path


def paste(command: str) -> dict[str, Any]:
    """Run one printed command in a shell, and read what came."""
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path / "data"


def test_the_printed_commands_work_and_it_stops_in_order(folder):
    with demo(folder) as running:
        charge, look, refund = running.curls()
        assert paste(charge)["status"] == "COMPLETED"
        assert paste(look)["status"] == "COMPLETED"
        assert paste(refund)["amount_refunded_minor"] == 74950
        assert "without API keys" in running.page
        assert "\x1b" not in running.page  # no colours in a file

        assert running.running.stop() == 0
        assert "Stopped." in running.running.said
    verified = run_command("verify", environment=running.made.environment)
    assert verified.returncode == 0, verified.stderr


def test_a_second_demo_on_the_same_data_ends_with_one_line_and_a_third_finds_the_data(folder, monkeypatch):
    with demo(folder) as first:
        paste(first.curls()[0])
        second = run_command("demo", environment=first.made.environment | {"SERVICE_PORT": str(free_port())})
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr.startswith("eci-payments: the data folder ")
        assert second.stderr.count("\n") == 1
        look = first.curls()[1]
        port = int(first.made.environment["SERVICE_PORT"])
        first.running.kill()  # its processes end by themselves
    key = "eci_1_" + "k7w2m9xq4h3b" * 6
    with demo(folder, port, BOOTSTRAP_API_KEY=key) as third:
        assert paste(look)["code"] == "unauthorized"
        monkeypatch.setenv("ECI_API_KEY", key)
        assert paste(third.curls()[0])["status"] == "COMPLETED"
        assert "without API keys" not in third.page
        assert "asks for an API key" in third.page
        assert key not in third.page
