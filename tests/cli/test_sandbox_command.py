"""``eci-payments sandbox``: pages always, the gateway's API with a key, webhooks with secrets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from eci_payments.cli.sandbox import webhook_secrets
from eci_payments.settings import SettingsError, load
from support.sandbox import await_health

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@contextmanager
def sandbox(folder: Path, **settings: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "eci_payments", "sandbox"],
        cwd=folder,
        env=os.environ | {"DATA_DIR": str(folder)} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    try:
        await_health(url)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=10)
    assert "Traceback" not in complaints


def test_pages_only(tmp_path: Path):
    with sandbox(tmp_path) as url:
        assert httpx.get(url).status_code == 200
        assert httpx.get(f"{url}/v1/operations/k").status_code == 404


def test_a_gateway_with_a_file_of_its_own(tmp_path: Path):
    own = tmp_path / "own.sqlite3"
    with sandbox(tmp_path, SANDBOX_API_KEY="a key of the test", SANDBOX_DB=str(own)) as url:
        headers = {"Authorization": "Bearer a key of the test"}
        assert httpx.get(f"{url}/v1/operations/k", headers=headers).json()["state"] == "never_seen"
    assert own.exists()
    assert not (tmp_path / "simulator.sqlite3").exists()


def test_who_hangs_up_within_a_body_is_no_failure(tmp_path: Path):
    key = "a key of the test"
    with sandbox(tmp_path, SANDBOX_API_KEY=key) as url:  # whose log has no traceback at the end
        there = httpx.URL(url)
        with socket.create_connection((there.host, there.port or 80)) as line:
            head = f"Host: sandbox\r\nAuthorization: Bearer {key}\r\nContent-Length: 100\r\n\r\n"
            line.sendall(f"POST /v1/operations/charge HTTP/1.1\r\n{head}{{".encode())
            line.settimeout(0.3)
            with pytest.raises(TimeoutError):  # it waits for the rest
                line.recv(1)
        answer = httpx.get(f"{url}/v1/movements", headers={"Authorization": f"Bearer {key}"})
        assert answer.json()["movements"] == []


@pytest.mark.parametrize("given", [SECRET, f"{SECRET}, {SECRET}"])
def test_webhook_secrets(given: str):
    settings = load({"SANDBOX_WEBHOOK_URL": "http://shop.example", "SANDBOX_WEBHOOK_SECRETS": given})
    assert set(webhook_secrets(settings)) == {SECRET}


@pytest.mark.parametrize(
    "given", ["", "whsec_short", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%%%%%%", f"{SECRET},x"]
)
def test_webhook_secrets_that_are_none(given: str):
    settings = load({"SANDBOX_WEBHOOK_URL": "http://shop.example", "SANDBOX_WEBHOOK_SECRETS": given})
    with pytest.raises(SettingsError, match=r"^SANDBOX_WEBHOOK_SECRETS: "):
        webhook_secrets(settings)
