"""What is measured, for Prometheus: rates, errors and durations here, and the business sums that the database keeps.

One registry per process, made with its `Metrics` and reachable through nothing else. Label values are bounded: routes
are templates, and `series` counts by name so many values of any label and no more.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.exposition import choose_encoder

from eci_payments.observability.backlog import BacklogCollector, Waiting
from eci_payments.observability.business import BusinessCollector, BusinessSums
from eci_payments.observability.series import Counts, Spreads
from eci_payments.observability.span_metrics import SpanCollector

__all__ = ["BusinessSums", "Metrics"]

REQUEST_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""From a read by its key to a gateway that lets us wait."""
CALL_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Everything that one process measures."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._business = BusinessCollector()
        registry.register(self._business)
        self._backlog = BacklogCollector()
        registry.register(self._backlog)
        registry.register(SpanCollector())
        self._requests = _counter(registry, "http_requests", "Requests answered", "method", "route", "status")
        self._request_s = _seconds(registry, "http_request", REQUEST_BUCKETS_S, "method", "route")
        self._gateway_calls = _counter(
            registry, "gateway_calls", "Calls to gateways", "gateway", "call", "outcome"
        )
        self._concluded = _counter(
            registry,
            "operations_concluded",
            "Operations whose outcome was committed",
            *("gateway", "operation", "payment_method", "outcome", "code"),
        )
        self._gateway_s = _seconds(registry, "gateway_call", CALL_BUCKETS_S, "gateway", "call")
        self._in_flight = Gauge(
            "gateway_calls_in_flight", "Calls to gateways under way", ("gateway",), registry=registry
        )
        self._breaker = Gauge(
            "gateway_breaker_open",
            "1 while a gateway's circuit breaker lets nothing or only a probe through",
            ("gateway",),
            registry=registry,
        )
        self._webhooks = _counter(registry, "gateway_webhooks", "Webhooks that came in", "gateway", "result")
        self._inbox = _counter(registry, "inbox_events", "Webhooks worked off", "gateway", "state")
        self._peer_calls = _counter(registry, "peer_calls", "Deliveries tried", "peer", "state")
        self._peer_s = _seconds(registry, "peer_call", CALL_BUCKETS_S, "peer")
        self._batch_units = _spread(
            registry, "writer_batch_units", "Units in one commit", BATCH_BUCKETS, "lane"
        )
        self._batch_s = _seconds(registry, "writer_batch", REQUEST_BUCKETS_S, "lane")
        self._depth = Gauge(
            "writer_queue_units", "Units that wait for a commit", ("lane",), registry=registry
        )

    def watch_gateway(
        self, gateway: str, *, in_flight: Callable[[], int], breaker_open: Callable[[], bool]
    ) -> None:
        """Ask for the calls under way at this account, and for its breaker, whenever somebody asks us."""
        self._in_flight.labels(gateway).set_function(in_flight)
        self._breaker.labels(gateway).set_function(breaker_open)

    def request_ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered, or broke off (status 0). ``route`` is a template."""
        self._requests.of(method, route, str(status)).times += 1
        self._request_s.of(method, route).observe(seconds)

    def gateway_call(self, gateway: str, call: str, outcome: str, seconds: float) -> None:
        """One call to a gateway ended: what was asked, and the outcome's name."""
        self._gateway_calls.of(gateway, call, outcome).times += 1
        self._gateway_s.of(gateway, call).observe(seconds)

    def operation_concluded(
        self, gateway: str, operation: str, payment_method: str, outcome: str, code: str
    ) -> None:
        """One operation's outcome was committed, however it was learned. ``code``: why it was declined, else empty."""
        self._concluded.of(gateway, operation, payment_method, outcome, code).times += 1

    def webhook_received(self, gateway: str, result: str) -> None:
        """One webhook was stored, repeated or refused."""
        self._webhooks.of(gateway, result).times += 1

    def webhook_applied(self, gateway: str, state: str) -> None:
        """One event of the inbox was worked off, and the state that it is left in."""
        self._inbox.of(gateway, state).times += 1

    def peer_call(self, peer: str, state: str, seconds: float) -> None:
        """One try to tell a peer ended, and the state that the delivery is left in."""
        self._peer_calls.of(peer, state).times += 1
        self._peer_s.of(peer).observe(seconds)

    def batch_written(self, lane: str, units: int, seconds: float) -> None:
        """One transaction of a lane ended."""
        self._batch_units.of(lane).observe(units)
        self._batch_s.of(lane).observe(seconds)

    def watch_queue(self, lane: str, depth: Callable[[], int]) -> None:
        """Ask for the depth of this lane's queue whenever somebody asks us."""
        self._depth.labels(lane).set_function(depth)

    def watch_streams(self, count: Callable[[], int]) -> None:
        """Ask for the number of open streams whenever somebody asks us."""
        Gauge("streams_open", "Streams that are open", registry=self._registry).set_function(count)

    def now_waiting(self, waiting: Waiting | None) -> None:
        """What waits in the database, as it was read now; None when it cannot be read."""
        self._backlog.waiting = waiting

    def exposition(self, sums: BusinessSums | None, accept: str) -> tuple[bytes, str]:
        """Everything as text, and its content type: OpenMetrics where ``Accept`` asks for it, else Prometheus's own."""
        self._business.sums = sums
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def _counter(registry: CollectorRegistry, name: str, meaning: str, *labels: str) -> Counts:
    counts = Counts(name, meaning, labels)
    registry.register(counts)
    return counts


def _seconds(registry: CollectorRegistry, what: str, buckets: tuple[float, ...], *labels: str) -> Spreads:
    return _spread(registry, f"{what}_duration_seconds", "Seconds from beginning to end", buckets, *labels)


def _spread(
    registry: CollectorRegistry, name: str, meaning: str, buckets: tuple[float, ...], *labels: str
) -> Spreads:
    spreads = Spreads(name, meaning, labels, buckets)
    registry.register(spreads)
    return spreads
