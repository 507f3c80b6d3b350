"""Metrics: the names that the contract promises in both formats, bounded labels, and one registry per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import prometheus_client
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from eci_payments.observability.metrics import Metrics
from eci_payments.observability.series import MOST_VALUES

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True)
class Sums:
    payments_created: int = 7
    payments_failed: int = 2
    refunds_processed: int = 1
    processing_errors: int = 3
    amount_processed: Mapping[str, Decimal] = field(
        default_factory=lambda: {"INR": Decimal("90071992547409.91"), "KWD": Decimal("1.005")}
    )
    amount_refunded: Mapping[str, Decimal] = field(default_factory=lambda: {"INR": Decimal("60.00")})
    payments_by_status: Mapping[str, int] = field(default_factory=lambda: {"COMPLETED": 5, "FAILED": 2})
    payments_by_method: Mapping[str, int] = field(default_factory=lambda: {"UPI": 7})


def read(metrics: Metrics, sums: Sums | None = None, accept: str = "") -> tuple[Samples, dict[str, str]]:
    body, content_type = metrics.exposition(sums, accept)
    is_open = content_type.startswith("application/openmetrics-text")
    families = list((parse_openmetrics if is_open else parse_text)(body.decode()))
    samples = {(s.name, tuple(sorted(s.labels.items()))): s.value for each in families for s in each.samples}
    return samples, {each.name: each.type for each in families}


@pytest.mark.parametrize("accept", ["", "text/plain;version=0.0.4", OPENMETRICS])
def test_the_promised_metrics_come_under_their_names(accept):
    samples, types = read(Metrics(), Sums(), accept)
    assert samples[("payments_created_total", ())] == 7
    assert samples[("payments_failed_total", ())] == 2
    assert samples[("refunds_processed_total", ())] == 1
    assert samples[("payment_processing_errors", ())] == 3
    assert samples[("total_amount_processed", (("currency", "INR"),))] == 90071992547409.91
    assert samples[("total_amount_processed", (("currency", "KWD"),))] == 1.005
    assert samples[("total_refunds", (("currency", "INR"),))] == 60
    assert samples[("total_refunds", (("currency", "KWD"),))] == 0
    assert samples[("payments_by_status", (("status", "COMPLETED"),))] == 5
    assert samples[("payments_by_status", (("status", "PENDING"),))] == 0
    assert samples[("payments_by_method", (("method", "UPI"),))] == 7
    assert samples[("payments_by_method", (("method", "COD"),))] == 0
    for gauge in (
        "total_amount_processed",
        "total_refunds",
        "payment_processing_errors",
        "payments_by_status",
    ):
        assert types[gauge] == "gauge"


def test_the_format_is_the_one_that_is_asked_for():
    metrics = Metrics()
    assert metrics.exposition(None, "")[1].startswith("text/plain; version=")
    body, content_type = metrics.exposition(None, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    assert metrics.exposition(None, "*/*, nonsense;;;q=")[1].startswith("text/plain")


def test_sums_that_are_not_known_are_not_shown_as_zero():
    metrics = Metrics()
    read(metrics, Sums())
    samples, _ = read(metrics, None)
    assert not [name for name, _ in samples if name.startswith(("payments_", "total_", "refunds_"))]


def test_rates_errors_and_durations_per_route_gateway_and_peer():
    metrics = Metrics()
    metrics.request_ended("POST", "/v1/payments/charge", 201, 0.012)
    metrics.request_ended("POST", "/v1/payments/charge", 503, 0.2)
    metrics.gateway_call("simulator", "charge", "Approved", 0.03)
    metrics.peer_call("order", "DELIVERED", 0.004)
    metrics.batch_written("0", 17, 0.002)
    metrics.watch_queue("0", lambda: 5)
    samples, _ = read(metrics)
    route = (("method", "POST"), ("route", "/v1/payments/charge"))
    assert samples[("http_requests_total", (*route, ("status", "201")))] == 1
    assert samples[("http_request_duration_seconds_count", route)] == 2
    assert samples[("http_request_duration_seconds_bucket", (("le", "0.025"), *route))] == 1
    call = (("call", "charge"), ("gateway", "simulator"))
    assert samples[("gateway_calls_total", (*call, ("outcome", "Approved")))] == 1
    assert samples[("gateway_call_duration_seconds_sum", call)] == 0.03
    assert samples[("peer_calls_total", (("peer", "order"), ("state", "DELIVERED")))] == 1
    assert samples[("peer_call_duration_seconds_count", (("peer", "order"),))] == 1
    assert samples[("writer_batch_units_bucket", (("lane", "0"), ("le", "16.0")))] == 0
    assert samples[("writer_batch_units_bucket", (("lane", "0"), ("le", "32.0")))] == 1
    assert samples[("writer_queue_units", (("lane", "0"),))] == 5
    assert not [name for name, _ in samples if name.endswith("_created")]


def test_label_values_are_bounded_whatever_comes():
    metrics = Metrics()
    for number in range(10 * MOST_VALUES):
        metrics.request_ended("GET", f"/route/{number}", 200, 0.001)
        metrics.peer_call(f"peer {number}", '\ud800\n"', 0.001)
    metrics.request_ended("GET", "/route/0", 200, 0.001)
    samples, _ = read(metrics)
    routes = {dict(labels)["route"] for name, labels in samples if name == "http_requests_total"}
    assert len(routes) == MOST_VALUES + 1
    get = (("method", "GET"),)
    assert samples[("http_requests_total", (*get, ("route", "/route/0"), ("status", "200")))] == 2
    assert samples[("http_requests_total", (*get, ("route", "other"), ("status", "200")))] == 9 * MOST_VALUES


def test_nothing_is_shared_between_two_nor_with_the_librarys_own_registry():
    one, other = Metrics(), Metrics()
    one.request_ended("GET", "/health", 200, 0.001)
    assert not any(name == "http_requests_total" for name, _ in read(other)[0])
    assert b"http_requests_total" not in prometheus_client.generate_latest()


def test_the_process_itself_is_measured():
    samples, _ = read(Metrics())
    assert samples[("process_resident_memory_bytes", ())] > 0
