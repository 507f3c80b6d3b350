"""Whether this process records traces, and where they go."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from eci_payments.observability import spans
from eci_payments.observability.traces import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator

LAST_S = 0.5
"""For the spans that still wait when the process ends. A collector that is away does not keep it."""


@contextmanager
def tracing(
    endpoint: str | None, headers: str, *, ratio: float, service: str, process: str
) -> Iterator[None]:
    """Record while the block lasts, if there is a collector to send to. ``process`` is the command's name."""
    if endpoint is None:
        yield
        return
    from eci_payments.observability.otlp import Collector  # noqa: PLC0415 - only those pay for it who ask for it

    collector = Collector(endpoint, headers, service=service, process=process)
    Sampling.choose(ratio)
    spans.record_with(collector)
    try:
        yield
    finally:
        spans.record_with(None)
        collector.close(LAST_S)
