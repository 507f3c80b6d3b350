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
KEY_VARIABLE = "ECI_API_KEY"
"""Where the printed commands take the key from: the page never shows one."""
WITHOUT_KEYS = "it listens on {} without API keys: who reaches it may charge and refund."
WITH_KEYS = f"it asks for an API key, here taken from ${KEY_VARIABLE}; `eci-payments keys create` makes one."


def text(settings: Settings, ports: Ports, logs: Logs, seconds: float, *, has_keys: bool) -> str:
    """The page. ``seconds``: how long the start took; ``has_keys``: whether an API key is asked for."""
    bold, yellow, plain = (BOLD, YELLOW, PLAIN) if _coloured() else ("", "", "")
    service, sandbox = address(ports.service), address(ports.sandbox)
    where = "shown here" if logs.shown else str(logs.folder)
    curls = "\n\n".join(curl_lines(service, f"demo-{secrets.token_hex(4)}", has_keys=has_keys))
    warning = WITH_KEYS if has_keys else WITHOUT_KEYS.format(settings.service_host)
    return f"""
{bold}ECI Payments is ready{plain} ({seconds:.1f} s). Ctrl-C stops it; the data stays in {settings.data_dir}.

  API docs    {service}/docs
  metrics     {service}/metrics
  peers       {address(ports.standins)}/   what the order, inventory and notification stand-ins were told
  simulator   {sandbox}/   where a customer of the simulated gateway confirms a payment
  logs        {where}
  processes   {logs.ids}/*.pid   kill -9 one of them: it comes back, and nothing is lost

{yellow}{"Note" if has_keys else "Warning"}:{plain} {warning}

{bold}Charge an order, look at it, refund half of it:{plain}

{curls}
"""


def curl_lines(service: str, order: str, *, has_keys: bool) -> list[str]:
    """Three commands for a shell, each on one line; ``order`` is an order id not used before."""
    curl = f'curl -sS -H "Authorization: Bearer ${KEY_VARIABLE}"' if has_keys else "curl -sS"
    json_type = "-H 'Content-Type: application/json'"
    by_order = f"{service}/v1/payments/order/{order}"
    find_id = f"$({curl} {by_order} | sed 's/^{{\"payment_id\": *\\([0-9]*\\).*/\\1/')"
    charge = f'{{"order_id": "{order}", "user_id": 7, "amount": "1499.00", "payment_method": "UPI"}}'
    refund = '{"amount": "749.50", "reason": "half of it came back"}'
    refund_url = f"{service}/v1/payments/{find_id}/refund"
    return [
        f"{curl} {service}/v1/payments/charge -H 'Idempotency-Key: {order}' {json_type} -d '{charge}'",
        f"{curl} {by_order}",
        f"{curl} {refund_url} -H 'Idempotency-Key: {order}-refund' {json_type} -d '{refund}'",
    ]


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
