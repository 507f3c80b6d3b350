"""Card numbers and codes sent through everything that a caller can write: nothing that stays holds them.

Looked through after a stop: every file of the embedded database (its log of writes and its own logs too), the
simulator's record, our logs at DEBUG; and every answer and the metrics.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import httpx
import pytest

from support.processes import plain_environment, processes, run_command

if TYPE_CHECKING:
    from pathlib import Path

PAN = "5301250070000191"
GROUPED = "5301 2500 7000 0191"
DASHED = "5301-2500-7000-0191"
CVC = "9173"
HOLDER = "Zephyrine Quartermaine"
CARD = {"number": PAN, "exp_month": 12, "exp_year": 2031, "cvc": CVC, "holder": HOLDER}


def traces() -> list[bytes]:
    """The number in every form that could be mistaken for none."""
    raw = PAN.encode()
    forms = {raw, GROUPED.encode(), DASHED.encode(), raw.hex().encode(), raw.hex().upper().encode()}
    for shift in range(3):  # base64 reads three bytes at once: as it looks behind any number of others
        encoded = base64.b64encode(b"x" * shift + raw)
        forms.add(encoded[4 if shift else 0 : -4])
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(algorithm, raw).digest()
        forms |= {digest, digest.hex().encode(), base64.b64encode(digest)[:-4]}
    return [*forms, HOLDER.encode()]


def bodies():
    base = {"order_id": "o", "user_id": 7, "amount": 5, "payment_method": "CREDIT_CARD"}
    yield base | {"order_id": "card-good", "payment_details": {"card": CARD}}
    yield base | {"order_id": "card-grouped", "payment_details": {"card": CARD | {"number": GROUPED}}}
    yield base | {"order_id": "card-wrong", "payment_details": {"card": CARD | {"exp_month": 13}}}
    yield base | {
        "order_id": "card-luhn",
        "payment_details": {"card": CARD | {"number": PAN[:-1] + "2", "x": PAN}},
    }
    for number in (PAN, GROUPED, DASHED, f"paid with {PAN}, code {CVC}"):
        for name in ("reference", "currency", "payment_method", "return_url", "amount", "capture", number):
            yield base | {"order_id": "o", name: number}
        yield base | {"metadata": {"card": number}}
        yield base | {"metadata": {number: "x"}}
        for details in ({"upi": {"vpa": f"{PAN}@bank"}}, {"bank": {"code": PAN}}, {"wallet": {"code": PAN}}):
            yield base | {"payment_details": details}
    yield base | {"amount": int(PAN)}
    for own in (PAN, int(PAN), DASHED, f"order-{PAN}", PAN[:4] + "." + PAN[4:]):
        yield base | {"order_id": own}
        yield base | {"order_id": "own", "user_id": own}


def send_everything(client: httpx.Client) -> list[bytes]:  # noqa: C901 - one loop for each place to write in
    said = []

    def send(method, path, **sent):
        response = client.request(method, path, **sent)
        said.append(response.content + str(dict(response.headers)).encode())

    for number, body in enumerate(bodies()):
        for path in ("/v1/payments/charge", "/v1/payments"):
            send("POST", path, json=body, headers={"Idempotency-Key": f"k{number}"})
    for number, name in enumerate(("X-Correlation-Id", "traceparent", "tracestate", "User-Agent", "Cookie")):
        for value in (PAN, f"00-{PAN * 2}-{PAN}-01", f"x={PAN}"):
            given = {"Idempotency-Key": f"v{number}-{len(value)}", name: value}
            body = {"order_id": given["Idempotency-Key"], "user_id": 7, "amount": 5, "payment_method": "UPI"}
            send("POST", "/v1/payments/charge", json=body, headers=given)
    for verb, path in (
        ("POST", "confirm"),
        ("POST", "capture"),
        ("POST", "refund"),
        ("PATCH", "status"),
        ("POST", "collect"),
        ("POST", "remit"),
    ):
        for name in ("reason", "gateway_response", "amount", "status", "collector", "proof", "remittance"):
            send(verb, f"/v1/payments/1/{path}", json={name: PAN, "reason": f"card {GROUPED}"})
    for path in (
        f"/v1/payments/{PAN}",
        f"/v1/payments/transaction/{PAN}",
        f"/{PAN}",
        f"/v1/{quote(GROUPED)}",
    ):
        for verb in ("GET", "POST", "DELETE", "PATCH", "PUT"):
            send(verb, path)
    for name in ("status", "cursor", "page", "created_from", PAN):
        send("GET", "/v1/payments", params={name: PAN})
    headers = (
        "Idempotency-Key",
        "X-Correlation-Id",
        "traceparent",
        "tracestate",
        "User-Agent",
        "Referer",
        "Cookie",
    )
    for name in (*headers, "X-Api-Key", "Authorization", "X-Forwarded-For", "Content-Type", "Accept"):
        for value in (PAN, GROUPED, f"Bearer {PAN}"):
            send("POST", "/v1/payments/charge", json={}, headers={"Idempotency-Key": "h", name: value})
    send("POST", "/v1/payments/charge", content=f'{{"card": "{PAN}", {CVC}'.encode())
    send("GET", "/metrics")
    return said


def malformed(address: str) -> bytes:
    """What is no HTTP at all."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), 5) as line:
        line.sendall(f"{PAN} /{PAN} HTTP/1.1\r\nHost: x\r\n{PAN}\r\n\r\n".encode())
        return line.recv(65536)


@pytest.mark.timeout(180)
def test_no_card_data_stays_anywhere(tmp_path: Path):
    settings = {"DATA_DIR": tmp_path / "data", "GATEWAYS": "simulator", "LOG_LEVEL": "DEBUG"}
    migrated = run_command("migrate", environment=plain_environment(**settings))
    assert migrated.returncode == 0, migrated.stderr
    with processes(tmp_path / "logs", **settings) as made:
        made.work()
        _, address = made.serve()
        with httpx.Client(base_url=address, timeout=30) as client:
            said = send_everything(client)
        said.append(malformed(address))
        for each in made.running:
            each.stop()
        logs = "".join(each.said for each in made.running)
    charged = [each for each in said if b'"status":"COMPLETED"' in each]
    assert len(charged) >= 2, said[0]
    look_for = traces()
    for answer in said:
        assert not [each for each in look_for if each in answer], answer[:500]
        assert CVC.encode() not in re.sub(rb"[0-9a-f]{16,}|\.\d+Z|\d{10,}", b"", answer), answer[:500]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("pg_wal" in str(path) for path in files)
    assert any(path.suffix == ".sqlite3" for path in files)
    found = {
        (str(path), each)
        for path in files
        for content in [path.read_bytes()]
        for each in look_for
        if each in content
    }
    assert not found
    for line in filter(None, logs.splitlines()):
        parsed = json.loads(line)
        kept = {
            name: value for name, value in parsed.items() if name not in {"time", "duration_ms", "trace_id"}
        }
        assert not re.search(rf"(?<![0-9a-f.]){CVC}(?![0-9a-f])", str(kept)), line
