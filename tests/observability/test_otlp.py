"""Spans to a collector: as they were, masked, and without waiting for it."""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager

import pytest
from opentelemetry.util.re import parse_env_headers

from eci_payments import __version__
from eci_payments.observability import spans
from eci_payments.observability.otlp import Collector, Seldom
from eci_payments.observability.spans import client_call, going_on, span
from eci_payments.observability.tracing import tracing
from eci_payments.settings import load
from support.waiting import until
from tracing.collector import collecting

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MORE_THAN_FIT = 5000
"""Twice the queue."""


@pytest.fixture
def collected():
    with collecting() as running:
        yield running


@contextmanager
def sending(address, headers=""):
    with tracing(address, headers, ratio=1.0, service="payment-service", process="serve"):
        yield


def test_a_span_arrives_as_it_was(collected):
    with (
        sending(collected.address, "api-key=a%20b,x=1"),
        going_on("resume", correlation="c", traceparent=PARENT, merchant=7) as outer,
        client_call("POST", "http://peer.example:8080/v1/x") as inner,
    ):
        inner.tell(resends=0)
        inner.answered(503)
    assert inner
    assert outer
    call, resume = sorted(collected.spans, key=lambda seen: seen.name)
    assert (call.name, call.kind, call.failed) == ("POST", "CLIENT", True)
    assert (resume.name, resume.kind, resume.failed) == ("resume", "CONSUMER", False)
    assert (resume.trace_id, resume.parent_id) == (PARENT[3:35], PARENT[36:52])
    assert (call.trace_id, call.parent_id) == (PARENT[3:35], resume.span_id)
    assert (resume.span_id, call.span_id) == (outer.context.span_id, inner.context.span_id)
    assert (resume.begun_ns, resume.ended_ns) == (outer.begun_ns, outer.ended_ns)
    assert resume.attributes == {"eci.merchant_id": 7}
    assert call.attributes == {
        "http.request.method": "POST",
        "url.full": "http://peer.example:8080/v1/x",
        "server.address": "peer.example",
        "server.port": 8080,
        "http.request.resend_count": 0,
        "http.response.status_code": 503,
        "error.type": "503",
    }
    told = resume.resource
    assert (told["service.name"], told["service.version"], told["eci.process"]) == (
        "payment-service",
        __version__,
        "serve",
    )
    assert len(str(told["service.instance.id"])) == 36
    assert (collected.headers[0]["api-key"], collected.headers[0]["x"]) == ("a b", "1")


@pytest.mark.parametrize(
    "given",
    ["api-key=a%20b", "authorization=Basic dTpw=,x-team=1", "a=1 , b=2", "x=!#$&'()*+-./:<=>?@[]^_`{|}~"],
)
def test_headers_that_the_settings_take_are_those_that_the_sdk_takes(given, caplog):
    settings = load({"OTEL_EXPORTER_OTLP_HEADERS": given})
    assert settings.otel_exporter_otlp_headers
    parsed = parse_env_headers(settings.otel_exporter_otlp_headers.get_secret_value(), liberal=True)
    assert len(parsed) == given.count(",") + 1
    assert caplog.text == ""


def test_a_trace_that_begins_here_has_no_parent(collected):
    with sending(collected.address), going_on("expire", correlation=None, traceparent=None) as made:
        pass
    assert made
    (seen,) = collected.spans
    assert (seen.trace_id, seen.span_id, seen.parent_id) == (
        made.context.trace_id,
        made.context.span_id,
        "",
    )


def test_text_is_masked_and_bounded_and_our_own_ids_are_kept(collected):
    with sending(collected.address), going_on("x", correlation=None, traceparent=None) as made:
        made.tell(path="/v1/payments/order/4242424242424242/me@shop.example?cvc=123")
        made.tell(correlation_id="sk_live_abcdefghijkl", peer="y" * 100_000, payment_id=4242424242424242)
    (seen,) = collected.spans
    (body,) = collected.bodies
    assert seen.attributes["eci.payment_id"] == 4242424242424242
    assert len(str(seen.attributes["eci.peer"])) < 3000
    for secret in (b"4242424242424242", b"me@shop.example", b"cvc=123", b"abcdefghijkl"):
        assert secret not in body


def test_nothing_is_sent_without_a_collector():
    with tracing(None, "", ratio=1.0, service="s", process="serve"):
        assert span("begin") is spans.NOTHING


async def test_a_collector_that_hangs_keeps_nobody_waiting():
    with collecting(hangs=True) as hanging:
        collector = Collector(hanging.address, "", service="s", process="serve")
        spans.record_with(collector)
        try:
            made = 0
            while not hanging.asked:  # until the first batch is on its way, to be answered never
                await _some()
                made += 100
            for _ in range(MORE_THAN_FIT // 100):
                await _some()
                made += 100
            counts = collector.counts()
            assert (counts["recorded"], counts["sent"]) == (made, 0)
        finally:
            spans.record_with(None)
            collector.close(0.1)  # returns, though the batch is still on its way
            assert collector._closing.is_alive()
            assert not hanging.spans
    await until(lambda: not collector._closing.is_alive(), 60.0)


async def test_a_collector_that_is_away_is_said_once(caplog, monkeypatch):
    monkeypatch.setattr("eci_payments.observability.otlp.EXPORT_TIMEOUT_S", 0.2)
    with collecting() as gone:
        address = gone.address
    with caplog.at_level(logging.WARNING), sending(address):
        await _some()
        collector = spans._Process.recorder
        assert isinstance(collector, Collector)
        collector._provider.force_flush()
        await _some()
        collector._provider.force_flush()
        assert collector.counts()["failed"] == collector.counts()["recorded"] == 200
    said = [record for record in caplog.records if record.name.startswith("opentelemetry")]
    assert len(said) == 1


async def test_a_collector_that_comes_back_is_sent_to_again(collected):
    collected.hangs = True
    with closing(_Closable(Collector(collected.address, "", service="s", process="serve"))) as made:
        spans.record_with(made.collector)
        await _some()
        collected.hangs = False
        collected.released.set()
        await _some()
        made.collector._provider.force_flush()
        await until(lambda: made.collector.counts()["sent"] >= 100)
        spans.record_with(None)


class _Closable:
    def __init__(self, collector):
        self.collector = collector

    def close(self):
        self.collector.close(5.0)


async def _some():
    for _ in range(100):
        with going_on("x", correlation=None, traceparent=None):
            pass


def test_the_log_has_one_line_in_a_while(monkeypatch):
    now = iter([0.0, 1.0, 59.0, 61.0, 62.0])
    monkeypatch.setattr("eci_payments.observability.otlp.time.monotonic", lambda: next(now))
    seldom = Seldom()
    record = logging.makeLogRecord({})
    assert [seldom.filter(record) for _ in range(5)] == [True, False, False, True, False]
