"""The headers of one try: who we are in the trace, and the name by which a peer can know a repeat."""

from __future__ import annotations

from eci_payments import __version__
from eci_payments.observability.context import outgoing_headers


def headers(idempotency_key: str) -> dict[str, str]:
    """Idempotency-Key (a structured-field string, as the draft has it), X-Correlation-Id, traceparent.

    The last two are those of the work that the calling task is doing: a span of the event's own trace.
    """
    return {
        "Content-Type": "application/json",
        "User-Agent": f"eci-payments/{__version__}",
        "Idempotency-Key": f'"{idempotency_key}"',
        **outgoing_headers(),
    }
