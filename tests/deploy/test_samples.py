"""The samples work as they are, and no endpoint lacks them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.processes import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.postgres import Server

SAMPLES = Path(__file__).parents[2] / "sample_requests"
CURL = SAMPLES / "curl"


@pytest.fixture(scope="module")
def base_url(postgres: Server, template: str, tmp_path_factory) -> Iterator[str]:
    """A service of this test's own, or the one that SAMPLES_BASE_URL names."""
    if named := os.environ.get("SAMPLES_BASE_URL"):
        yield named
        return
    folder, database = tmp_path_factory.mktemp("samples"), postgres.create(template)
    with processes(
        folder, DATA_DIR=folder, DATABASE_URL=database.service_url, GATEWAYS="simulator"
    ) as started:
        yield started.serve()[1]


def sample(base_url: str, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CURL / f"{name}.sh", *map(str, arguments)],
        env={**os.environ, "BASE_URL": base_url},
        capture_output=True,
        text=True,
        check=False,
    )


def run(base_url: str, name: str, *arguments: object) -> str:
    done = sample(base_url, name, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def payment(base_url: str, name: str, *arguments: object) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(run(base_url, name, *arguments))
    return shown


def test_a_card_is_charged_refunded_and_found(base_url):
    charged = payment(base_url, "charge_payment")
    number = charged["payment_id"]
    assert (charged["status"], charged["amount"]) == ("COMPLETED", 1499.5)
    assert payment(base_url, "charge_payment_idempotent") == charged
    assert payment(base_url, "refund_payment", number)["amount_refunded"] == 500
    assert payment(base_url, "refund_payment_full", number)["status"] == "REFUNDED"
    for name, value in (
        ("get_payment", number),
        ("get_payment_by_order", 1001),
        ("get_payment_by_transaction", charged["transaction_id"]),
        ("check_payment", charged["transaction_id"]),
    ):
        assert payment(base_url, name, value)["payment_id"] == number
    assert len(payment(base_url, "list_refunds", number)["refunds"]) == 2
    assert payment(base_url, "get_read_token", number)["token"].startswith("eci_read_")
    assert '"status":"REFUNDED"' in run(base_url, "stream_payment", number)


@pytest.mark.parametrize("name", ["charge_payment_card", "charge_payment_upi"])
def test_with_an_instrument(base_url, name):
    assert payment(base_url, name)["status"] == "COMPLETED"


def test_authorize_capture_and_cancel(base_url):
    authorized = payment(base_url, "authorize_payment")
    assert authorized["status"] == "AUTHORIZED"
    assert payment(base_url, "capture_payment", authorized["payment_id"])["amount_captured"] == 650.25


def test_create_and_confirm(base_url):
    created = payment(base_url, "create_payment")
    assert created["status"] == "PENDING"
    assert payment(base_url, "confirm_payment", created["payment_id"])["status"] == "COMPLETED"


def fresh(base_url: str, order: str) -> int:
    """A payment that was created and never charged."""
    body = {"order_id": order, "user_id": 1, "amount": 10, "payment_method": "UPI"}
    made = httpx.post(f"{base_url}/v1/payments", json=body, headers={"Idempotency-Key": order})
    assert made.status_code == 201
    return int(made.json()["payment_id"])


def test_cancel_and_status(base_url):
    assert payment(base_url, "cancel_payment", fresh(base_url, "sample-cancel"))["status"] == "CANCELLED"
    assert payment(base_url, "update_status", fresh(base_url, "sample-status"))["status"] == "COMPLETED"


def test_cash_on_delivery(base_url):
    number = payment(base_url, "charge_cash_on_delivery")["payment_id"]
    assert payment(base_url, "collect_payment", number)["status"] == "COMPLETED"
    assert payment(base_url, "remit_payment", number)["payment_id"] == number
    refunded = payment(base_url, "refund_payment_full", number)
    refund = refunded["refunds"][0]
    assert refund["status"] == "PENDING"
    done = payment(base_url, "mark_refund_paid", number, refund["refund_id"])
    assert done["refunds"][0]["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    "name", ["health", "livez", "readyz", "list_payments", "openapi", "openapi_3_0", "list_payment_methods"]
)
def test_what_answers_json(base_url, name):
    assert json.loads(run(base_url, name))


@pytest.mark.parametrize(("name", "text"), [("metrics", "http_requests_total"), ("docs", "swagger")])
def test_what_answers_text(base_url, name, text):
    run(base_url, "health")
    assert text in run(base_url, name).lower()


def shape(method: str, path: str) -> tuple[str, str]:
    return method.upper(), re.sub(r"\{+[^}]*\}+", "{}", path.partition("?")[0])


def test_no_endpoint_lacks_its_samples(base_url):
    document = httpx.get(f"{base_url}/openapi.json").json()
    served = {shape(method, path) for path, verbs in document["paths"].items() for method in verbs}
    of_http = re.findall(
        r"^(GET|POST|PATCH|DELETE) \{\{baseUrl\}\}(\S+)$",
        (SAMPLES / "payments.http").read_text(),
        re.MULTILINE,
    )
    assert served <= {shape(*each) for each in of_http}
    for folder, ending in ((CURL, "sh"), (SAMPLES, "ps1")):
        heads = [
            re.search(r"^# .*: (\S+) (/\S*)$", each.read_text(), re.MULTILINE)
            for each in folder.glob(f"*.{ending}")
        ]
        assert served <= {shape(*found.groups()) for found in heads if found}


def http_requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """The requests of payments.http as an editor sends them while nobody has set a variable."""
    head, *parts = re.split(r"^### ", (SAMPLES / "payments.http").read_text(), flags=re.MULTILINE)
    variables = dict(re.findall(r"^@(\w+) =[ ]*(.*)$", head, re.MULTILINE))
    for part in parts:
        title, _, text = re.sub(r"\{\{(\w+)\}\}", lambda found: variables[found[1]], part).partition("\n")
        lines, _, rest = text.partition("\n\n")
        method, url = lines.splitlines()[0].split()
        headers = dict(line.split(":", 1) for line in lines.splitlines()[1:])
        body = re.match(r"< (\S+)", rest)
        yield (
            title,
            {
                "method": method,
                "url": url.removeprefix(variables["baseUrl"]),
                "headers": {name: value.strip() for name, value in headers.items()},
                "content": (SAMPLES / body[1]).read_bytes() if body else None,
            },
        )


def test_the_ones_for_editors_are_let_in_without_a_key_where_none_is_asked_for(base_url):
    with httpx.Client(base_url=base_url, timeout=30) as client:
        answers = {title: client.request(**request).status_code for title, request in http_requests()}
    assert {title: status for title, status in answers.items() if status in {401, 403} or status >= 500} == {}
    assert answers["Charge by UPI"] == 201


def test_approvals_are_listed_read_and_decided(base_url):
    assert payment(base_url, "list_approvals")["approvals"] == []
    for name in ("get_approval", "decide_approval"):
        assert json.loads(sample(base_url, name, 1).stdout)["code"] == "not_found"


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*.json")), ids=lambda file: file.name)
def test_bodies_are_json_and_used(file):
    assert json.loads(file.read_text())
    assert any(file.name in each.read_text() for each in CURL.glob("*.sh"))
