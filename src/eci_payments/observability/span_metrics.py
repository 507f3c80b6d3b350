"""What became of the spans, as a counter: whether traces are complete can be seen where everything else is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from eci_payments.observability import spans


class SpanCollector(Collector):
    """Shows the recorder's counts; nothing in a process that records no traces."""

    def describe(self) -> Iterable[Metric]:
        """Nothing before somebody looks."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """``recorded`` less ``sent`` and ``failed`` is what waits, or ran over."""
        counts = spans.counts()
        if counts:
            family = CounterMetricFamily("trace_spans", "Spans, by what became of them", labels=("state",))
            for state, count in counts.items():
                family.add_metric((state,), float(count))
            yield family
