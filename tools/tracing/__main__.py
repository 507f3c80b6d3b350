"""Draw the trace of one charge into docs/tracing.md, from a real run: the demo, its gateway over HTTP, a collector.

``make trace`` runs it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

from tracing.collector import Collected, Seen, collecting
from tracing.tree import drawn

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tracing.md"
TREE = re.compile(r"(?<=<!-- from a run of `make trace` -->\n```\n).*?(?=\n```\n)", re.DOTALL)
WARM_UPS = 20
"""Charges before the one that is drawn, so that it shows a service that runs and not one that begins."""
START_S, TRACE_S = 60.0, 30.0
WHOLE = {"POST /v1/payments/charge", "begin", "call", "conclude", "deliver order", "deliver notification"}
"""What is there when nothing more will come."""


def main() -> None:
    """Run, charge, draw."""
    with collecting() as collected, tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        port = _two_free_ports()
        demo = subprocess.Popen(
            [sys.executable, "-m", "eci_payments", "demo"],
            env=os.environ | _settings(Path(folder) / "data", port, collected.address),
            stdout=subprocess.DEVNULL,
        )
        try:
            trace = _trace_of_one_charge(f"http://127.0.0.1:{port}", collected)
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait()
    page, count = TREE.subn(lambda _: drawn(trace), PAGE.read_text())
    if count != 1:
        raise SystemExit(f"{PAGE} has no place for the tree")
    PAGE.write_text(page)
    print(drawn(trace))


def _settings(data: Path, port: int, collector: str) -> dict[str, str]:
    """The demo's gateway is its own sandbox, spoken to over HTTP as one of another company would be."""
    return {
        "DATA_DIR": str(data),
        "SERVICE_PORT": str(port),
        "GATEWAYS": "sandbox",
        "SANDBOX_URL": f"http://127.0.0.1:{port + 1}",
        "SANDBOX_API_KEY": secrets.token_hex(16),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }


def _two_free_ports() -> int:
    """The demo's sandbox listens beside the service."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port


def _trace_of_one_charge(service: str, collected: Collected) -> list[Seen]:
    _until(lambda: _answers(f"{service}/readyz"), START_S)
    for number in range(WARM_UPS):
        _charge(service, f"warm-up-{number}", secrets.token_hex(16))
    _until(lambda: _told(collected) >= 2 * WARM_UPS, TRACE_S)
    trace_id = secrets.token_hex(16)
    _charge(service, "the-one", trace_id)
    _until(lambda: {span.name for span in collected.trace(trace_id)} >= WHOLE, TRACE_S)
    return collected.trace(trace_id)


def _told(collected: Collected) -> int:
    return sum(span.name.startswith("deliver ") for span in collected.spans)


def _charge(service: str, order: str, trace_id: str) -> None:
    body = {"order_id": order, "user_id": 7, "amount": 1499.0, "payment_method": "UPI"}
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": order,
        "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
    }
    request = Request(f"{service}/v1/payments/charge", json.dumps(body).encode(), headers)  # noqa: S310 - our own address
    with urlopen(request, timeout=30) as answer:  # noqa: S310 - our own address
        answer.read()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):  # noqa: S310 - our own address
            return True
    except OSError:
        return False


def _until(true: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit("it took too long")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
