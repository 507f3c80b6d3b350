"""The sandbox as a process tells the service as a process what became of a payment, and people look at it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from support.processes import free_port, plain_environment, processes, run_command
from support.sandbox import API_KEY, running_sandbox
from support.waiting import until

SECRET = "whsec_" + base64.b64encode(b"a secret of the test, 32 bytes..").decode()
SAMPLE = Path(__file__).parents[2] / "sample_requests" / "curl" / "gateway_webhook.sh"


@pytest.fixture(scope="module")
def installation(tmp_path_factory, postgres, template):
    """Service, worker and sandbox; the worker asks nobody by itself in the time of a test."""
    tmp_path, database = tmp_path_factory.mktemp("webhooks"), postgres.create(template)
    port = free_port()
    hook = f"http://127.0.0.1:{port}/v1/gateways/sandbox/webhooks"
    with running_sandbox(tmp_path / "sandbox.sqlite3", webhook_url=hook, webhook_secrets=[SECRET]) as sandbox:
        settings = {
            "DATA_DIR": tmp_path / "data",
            "DATABASE_URL": database.service_url,
            "GATEWAYS": "sandbox",
            "SANDBOX_URL": sandbox.url,
            "SANDBOX_API_KEY": API_KEY,
            "SANDBOX_WEBHOOK_SECRETS": SECRET,
            "GATEWAY_TIMEOUT_S": 1,
            "OPERATION_LEASE_S": 3600,
        }
        with processes(tmp_path / "logs", **settings) as started:
            _, url = started.serve(port)
            started.work()
            yield url, sandbox, plain_environment(**settings)


def events(environment):
    listed = run_command("inbox", "list", "--json", environment=environment)
    return [json.loads(line) for line in listed.stdout.splitlines()]


async def test_what_got_lost_on_the_way_is_told_by_webhook(installation):
    """The sandbox takes the money and hangs; its webhook concludes the charge, unless an inquiry was quicker."""
    url, sandbox, environment = installation
    sandbox.ask("PUT", "/v1/faults", json={"rates": {"hang_after": 1.0}})
    body = {"order_id": "hooked", "user_id": 7, "amount": "149.50", "payment_method": "UPI"}
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        charged = await client.post(
            "/v1/payments/charge", json=body, headers={"Idempotency-Key": "hooked", "X-Correlation-Id": "c1"}
        )
        assert charged.status_code in {201, 202}, charged.text

        async def is_paid():
            return (await client.get("/v1/payments/order/hooked")).json()["status"] == "COMPLETED"

        await until(is_paid)
        payment = (await client.get("/v1/payments/order/hooked")).json()
    await until(lambda: events(environment)[-1]["state"] != "PENDING")
    event = events(environment)[-1]
    assert event["state"] in {"APPLIED", "IGNORED"}
    assert event["payment_id"] == payment["payment_id"]
    shown = run_command("inbox", "show", str(event["inbox_id"]), environment=environment)
    assert json.loads(shown.stdout)["told"]["is"] == "operation"
    again = run_command("inbox", "replay", str(event["inbox_id"]), environment=environment)
    assert "1 will be applied again" in again.stdout
    assert run_command("inbox", "replay", "4711", environment=environment).returncode != 0
    assert run_command("inbox", "dismiss", "4711", "--reason", "x", environment=environment).returncode != 0
    assert run_command("verify", environment=environment).returncode == 0


async def test_what_happens_at_the_gateway_without_us_is_recorded(installation):
    """A refund in the sandbox's dashboard, a dispute that is lost: by webhook alone, since nobody would ask."""
    url, sandbox, environment = installation
    sandbox.ask("PUT", "/v1/faults", json={"rates": {}})
    body = {"order_id": "elsewhere", "user_id": 7, "amount": "100.00", "payment_method": "UPI"}
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        charged = await client.post("/v1/payments/charge", json=body, headers={"Idempotency-Key": "e"})
        assert charged.status_code == 201, charged.text
        charge = next(m for m in sandbox.books().movements() if m.order_id == "elsewhere").reference

        async def shows(**wanted):
            payment = (await client.get("/v1/payments/order/elsewhere")).json()
            return all(payment[name] == value for name, value in wanted.items())

        refund = {"charge": charge, "amount_minor": 3000}
        assert sandbox.ask("POST", "/v1/dashboard/refunds", json=refund).json()["state"] == "approved"
        await until(lambda: shows(status="PARTIALLY_REFUNDED", amount_refunded_minor=3000))
        raised = sandbox.ask("POST", "/v1/dashboard/disputes", json={"charge": charge, "amount_minor": 8000})
        await until(lambda: shows(amount_disputed_minor=8000))
        place = f"/v1/dashboard/disputes/{raised.json()['reference']}"
        assert sandbox.ask("PUT", place, json={"state": "lost"}).status_code == 200
        await until(lambda: shows(amount_disputed_minor=0, amount_charged_back_minor=8000))
        payment = (await client.get("/v1/payments/order/elsewhere")).json()
    assert [each["status"] for each in payment["disputes"]] == ["LOST"]
    assert [each["transaction_type"] for each in payment["transactions"]][-3:] == [
        "REFUND",
        "CHARGEBACK",
        "CHARGEBACK",
    ]
    wrong = sandbox.ask("POST", "/v1/dashboard/refunds", json={"charge": "ch_none", "amount_minor": 1})
    assert (wrong.status_code, sandbox.ask("PUT", place, json={"state": "x"}).status_code) == (404, 422)
    assert run_command("verify", environment=environment).returncode == 0


def test_the_sample_is_signed_as_it_should_be(installation):
    sent = subprocess.run(
        [SAMPLE],
        env=os.environ | {"BASE_URL": installation[0], "SANDBOX_WEBHOOK_SECRET": SECRET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(sent.stdout) == {"received": True}, sent.stderr
