"""What the person sees when the demo is ready: addresses, three lines to paste, one warning."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING

from eci_payments.cli.listening import address

if TYPE_CHECKING:
    from eci_payments.cli.demo.children import Ports
    from eci_payments.cli.demo.logs import Logs
    from eci_payments.settings import Settings

BOLD, YELLOW, PLAIN = "\033[1m", "\033[33m", "\033[0m"


def text(settings: Settings, ports: Ports, logs: Logs, seconds: float) -> str:
    """The page. ``seconds``: how long the start took."""
    bold, yellow, plain = (BOLD, YELLOW, PLAIN) if _coloured() else ("", "", "")
    service, sandbox = address(ports.service), address(ports.sandbox)
    where = "shown here" if logs.shown else str(logs.folder)
    curls = "\n\n".join(curl_lines(service, f"demo-{secrets.token_hex(4)}"))
    return f"""
{bold}ECI Payments is ready{plain} ({seconds:.1f} s). Ctrl-C stops it; the data stays in {settings.data_dir}.

  API docs    {service}/docs
  metrics     {service}/metrics
  peers       {address(ports.standins)}/   what the order, inventory and notification stand-ins were told
  simulator   {sandbox}/   where a customer of the simulated gateway confirms a payment
  logs        {where}
  processes   {logs.ids}/*.pid   kill -9 one of them: it comes back, and nothing is lost

{yellow}Warning:{plain} it listens on {settings.service_host} without API keys: who reaches it may charge and refund.

{bold}Charge an order, look at it, refund half of it:{plain}

{curls}
"""


def curl_lines(service: str, order: str) -> list[str]:
    """Three commands for a shell, each on one line; ``order`` is an order id not used before."""
    json_type = "-H 'Content-Type: application/json'"
    by_order = f"{service}/v1/payments/order/{order}"
    find_id = f"$(curl -sS {by_order} | sed 's/^{{\"payment_id\": *\\([0-9]*\\).*/\\1/')"
    charge = f'{{"order_id": "{order}", "user_id": 7, "amount": "1499.00", "payment_method": "UPI"}}'
    refund = '{"amount": "749.50", "reason": "half of it came back"}'
    refund_url = f"{service}/v1/payments/{find_id}/refund"
    return [
        f"curl -sS {service}/v1/payments/charge -H 'Idempotency-Key: {order}' {json_type} -d '{charge}'",
        f"curl -sS {by_order}",
        f"curl -sS {refund_url} -H 'Idempotency-Key: {order}-refund' {json_type} -d '{refund}'",
    ]


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
