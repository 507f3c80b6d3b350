"""Gateways that repeat the card they were sent in everything they say: nothing of it stays or goes on.

Each adapter against a stand-in over HTTP; then every file of the database, the logs at DEBUG, the metrics, the answers
and their replays are looked through, and what the peers were told.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from security.test_card_data import CARD, CVC, PAN, traces
from support.echoing import MARK, MOODS, Echo, echoing
from support.processes import plain_environment, processes, run_command

if TYPE_CHECKING:
    from pathlib import Path

CREDENTIALS = {
    "sandbox": {"SANDBOX_API_KEY": "key-of-the-tests"},
    "stripe": {"STRIPE_SECRET_KEY": "sk_test_of_the_tests"},
    "razorpay": {
        "RAZORPAY_KEY_ID": "rzp_test",
        "RAZORPAY_KEY_SECRET": "secret-of-the-tests",
        "RAZORPAY_EMAIL": "a@b.example",
        "RAZORPAY_CONTACT": "+910000000000",
    },
}
LOOKED_FOR = [*traces(), *(f"{MARK}{gap}{CVC}".encode() for gap in (" ", "-")), f"cvv={CVC}".encode()]


@pytest.mark.parametrize("gateway", CREDENTIALS)
@pytest.mark.timeout(240)
def test_what_a_gateway_repeats_of_a_card_stays_nowhere(tmp_path: Path, gateway):
    with echoing(gateway) as echo:
        settings = {
            "DATA_DIR": tmp_path / "data",
            "GATEWAYS": gateway,
            "LOG_LEVEL": "DEBUG",
            f"{gateway.upper()}{'_URL' if gateway == 'sandbox' else '_API_URL'}": echo.url,
            "OPERATION_LEASE_S": 6,
            "GATEWAY_TIMEOUT_S": 4,
            **CREDENTIALS[gateway],
        }
        migrated = run_command("migrate", environment=plain_environment(**settings))
        assert migrated.returncode == 0, migrated.stderr
        said: list[bytes] = []
        with processes(tmp_path / "logs", **settings) as made:
            peers = made.standins()
            made.environment |= {
                f"{name}_SERVICE_URL": peers for name in ("ORDER", "INVENTORY", "NOTIFICATION")
            }
            made.work()
            _, address = made.serve()
            with httpx.Client(base_url=address, timeout=60) as client:
                for mood in MOODS:
                    echo.mood = mood
                    said += charged_and_looked_at(client, mood)
                    if mood == "pending":
                        wait_for_an_inquiry(echo)
                said.append(client.get("/metrics").content)
            assert echo.number == PAN
            assert echo.code == CVC
            for each in made.running:
                each.stop()
            said += [each.said.encode() for each in made.running]
    for text in said:
        assert not [each for each in LOOKED_FOR if each in text], text[:3000]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    found = {
        (str(path), each)
        for path in files
        for content in [path.read_bytes()]
        for each in LOOKED_FOR
        if each in content
    }
    assert not found
    assert any(b"order-approve" in path.read_bytes() for path in files if "pg_wal" in str(path))


def wait_for_an_inquiry(echo: Echo, within_s: float = 60.0) -> None:
    """Until the worker has asked about an operation, and so has heard the rest."""
    deadline = time.monotonic() + within_s
    while not any(each.startswith("GET ") for each in echo.asked):
        assert time.monotonic() < deadline, echo.asked
        time.sleep(0.05)


def charged_and_looked_at(client: httpx.Client, mood: str) -> list[bytes]:
    """A charge, its replay, and what can be read of it."""
    body = {"order_id": f"order-{mood}", "user_id": 7, "amount": 5, "payment_method": "CREDIT_CARD"}
    body |= {"payment_details": {"card": CARD}}
    said = []
    for _ in range(2):
        sent = {"json": body, "headers": {"Idempotency-Key": f"key-{mood}"}}
        answer = client.post("/v1/payments/charge", **sent)  # type: ignore[arg-type] # parts of a request
        assert answer.status_code in {201, 202, 502}, answer.text
        said.append(answer.content + json.dumps(dict(answer.headers)).encode())
    said.append(client.get(f"/v1/payments/order/order-{mood}").content)
    return said
