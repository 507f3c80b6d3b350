"""Gateways over HTTP that repeat whatever card they are sent, in every field, header and error that there is."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "zqx"
"""Stands before each security code that is repeated, so that it can be told from any other row of digits."""


@dataclass
class Echo:
    """What it was sent last, and the moods that it goes through, one for each charge."""

    url: str = ""
    number: str = ""
    code: str = ""
    mood: str = "approve"
    asked: list[str] = field(default_factory=list)

    @property
    def leak(self) -> str:
        raw = self.number.encode()
        return (
            f"{self.number} {MARK} {self.code} {MARK}-{self.code} cvv={self.code} {raw.hex()}"
            f" {base64.b64encode(raw).decode()} {hashlib.sha256(raw).hexdigest()} {hashlib.md5(raw).hexdigest()}"
        )

    @property
    def name(self) -> str:
        """The same as an id."""
        return f"id-{self.number}-{MARK}-{self.code}"


def sandbox_answer(echo: Echo, verb: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    kept = {
        "kind": path.rpartition("/")[2],
        "key": body.get("key") or path.rpartition("/")[2],
        "leak": echo.leak,
    }
    told = {"reference": echo.name, "message": echo.leak, "card_brand": echo.leak}
    approved = {
        "state": "approved",
        "amount_minor": body.get("amount_minor"),
        "authorization_code": echo.code,
    }
    match echo.mood:
        case "approve" if verb == "POST":
            return 200, kept | told | approved
        case "decline" if verb == "POST":
            return 200, kept | told | {"state": "declined", "code": echo.leak, "retryable": False}
        case "action" if verb == "POST":
            url = f"https://bank.example/?pan={echo.number}&cvv={echo.code}"
            action = {"type": "redirect", "url": url, "expires_in_s": echo.code}
            return 200, kept | told | {"state": "action_required", "action": action}
        case "pending" if verb == "POST":
            return 200, kept | told | {"state": "pending"}
        case "nonsense":
            return 200, kept | told | {"state": echo.leak, "amount_minor": echo.leak}
    return 500, {"error": {"code": echo.leak, "message": echo.leak}}


def stripe_answer(echo: Echo, verb: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    error = {"type": "card_error", "code": echo.leak, "decline_code": echo.leak, "message": echo.leak}
    if path.endswith("payment_methods"):
        return 200, {"id": echo.name}
    if verb == "POST" and path.endswith("payment_intents"):
        metadata = {"eci_key": body["metadata[eci_key]"]}
        return 200, {"id": echo.name if echo.mood == "nonsense" else "pi_1", "metadata": metadata}
    intent = {"id": "pi_1", "amount": 500, "currency": "inr", "latest_charge": {"id": echo.name}}
    match echo.mood:
        case "approve":
            return 200, intent | {"status": "succeeded"}
        case "decline":
            return 402, {"error": error}
        case "action":
            url = {"redirect_to_url": {"url": f"https://bank.example/?{echo.number}&cvv={echo.code}"}}
            return 200, intent | {"status": "requires_action", "next_action": url}
        case "pending":
            return 200, intent | {"status": echo.leak}
    return 503, {"error": error}


def razorpay_answer(echo: Echo, _verb: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    error = {
        "code": echo.leak,
        "description": echo.leak,
        "reason": echo.leak,
        "metadata": {"payment_id": echo.name},
    }
    if path.endswith("/orders"):
        order = {"id": echo.name if echo.mood == "nonsense" else "order_1", "receipt": body["receipt"]}
        return 200, order
    payment = {"id": echo.name, "order_id": "order_1", "amount": 500, "currency": "INR"}
    payment |= {"acquirer_data": {"auth_code": echo.leak}}
    match echo.mood:
        case "approve" if path.endswith("/payments"):
            return 200, {"items": [payment | {"status": "captured"}]}
        case "approve" | "action":
            url = f"https://bank.example/?pan={echo.number}&cvv={echo.code}"
            return 200, {"razorpay_payment_id": echo.name, "next": [{"action": "redirect", "url": url}]}
        case "decline":
            return 400, {"error": error}
        case "pending":
            return 200, {"razorpay_payment_id": echo.name}
    return 502, {"error": error}


ANSWERS = {"sandbox": sandbox_answer, "stripe": stripe_answer, "razorpay": razorpay_answer}
MOODS = ("approve", "decline", "action", "pending", "nonsense")


@contextmanager
def echoing(gateway: str) -> Iterator[Echo]:
    """A running gateway of this kind."""
    echo = Echo()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            _note_card(echo, raw)
            echo.asked.append(f"{self.command} {self.path}")
            body = json.loads(raw) if raw.startswith("{") else dict(parse_qsl(raw))
            status, answer = ANSWERS[gateway](echo, self.command, self.path.partition("?")[0], body)
            content = json.dumps(answer).encode()
            self.send_response(status, f"because {MARK} {echo.code} {echo.number}")
            for name in ("X-Card", "Request-Id", "Set-Cookie", "Location"):
                self.send_header(name, f"x={echo.number} {MARK} {echo.code}")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _take  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    echo.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield echo
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _note_card(echo: Echo, raw: str) -> None:
    """The card in a body, of JSON or of a form."""
    flat = raw if raw.startswith("{") else json.dumps({k: v[0] for k, v in parse_qs(raw).items()})
    number = re.search(r'number\]?": ?"(\d{13,19})"', flat)
    code = re.search(r'(?:cvc|cvv)\]?": ?"(\d{3,4})"', flat)
    if number and code:
        echo.number, echo.code = number[1], code[1]
