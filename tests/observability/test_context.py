"""Correlation and W3C Trace Context: taken from callers where well-formed, begun anew where not, handed on."""

from __future__ import annotations

import re

import pytest

from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.observability import context, traces
from eci_payments.observability.traces import TraceContext, begin_trace, parse_traceparent, parse_tracestate

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


def headers(**fields: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in fields.items()]


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (GOOD, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", True),
    ],
)
def test_a_good_traceparent_is_continued(header, sampled):
    assert parse_traceparent(header) == TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x",
        GOOD.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{GOOD}-extra",
        f"cc-{TRACE}-{SPAN}-01.x",
        f" {GOOD}",
        f"{GOOD}\n",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE[:15]}٣{TRACE[16:]}-{SPAN}-01",
        f"00-a4242424242424242bcdef{'a' * 10}-{SPAN}-01",
    ],
)
def test_a_bad_traceparent_is_ignored_and_a_new_trace_begins(header):
    assert parse_traceparent(header) is None
    given_headers = headers(traceparent=header.encode("utf-8").decode("latin-1")) if header else []
    began = context.of_headers(given_headers).trace
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", began.traceparent)


@pytest.mark.parametrize(
    ("header", "passed_on"),
    [
        ("congo=t61rcWkgMzE", "congo=t61rcWkgMzE"),
        ("rojo=00f067aa0ba902b7 , ,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("tenant@vendor=x y", "tenant@vendor=x y"),
        ("0a@b=!", "0a@b=!"),
        (None, ""),
        ("", ""),
        ("Upper=1", ""),
        ("a=1,a=2", ""),
        ("a=", ""),
        ("a=b=c", ""),
        ("a", ""),
        ("a=\x7f", ""),
        ("0a=1", ""),
        (",".join(f"k{n}=v" for n in range(33)), ""),
        ("a=" + "x" * 600, ""),
        ("a=4242424242424242", ""),
    ],
)
def test_a_bad_tracestate_never_spoils_a_good_traceparent(header, passed_on):
    assert parse_tracestate(header) == passed_on
    assert parse_traceparent(GOOD, header) == TraceContext(TRACE, SPAN, tracestate=passed_on)


def test_a_request_continues_the_trace_with_a_span_of_its_own():
    began = context.of_headers(headers(traceparent=GOOD, tracestate="a=1") + headers(tracestate="b=2"))
    assert began.trace.trace_id == TRACE
    assert began.trace.span_id != SPAN
    assert began.trace.tracestate == "a=1,b=2"
    assert began.correlation_id == TRACE


def test_two_traceparents_are_none():
    assert context.of_headers(headers(traceparent=GOOD) * 2).trace.trace_id != TRACE


@pytest.mark.parametrize("given_id", ["a", "A-z_0.9", "x" * 64])
def test_the_callers_correlation_id_is_kept(given_id):
    assert context.of_headers(headers(x_correlation_id=given_id)).correlation_id == given_id


@pytest.mark.parametrize(
    "given_id", ["", "x" * 65, "a b", "a\r\nb", "é", "4242424242424242", "4242-4242-4242-4242"]
)
def test_what_is_no_correlation_id_is_replaced_by_the_trace_id(given_id):
    began = context.of_headers(headers(x_correlation_id=given_id, traceparent=GOOD))
    assert began.correlation_id == TRACE


def test_two_correlation_ids_are_none():
    assert (
        context.of_headers(headers(x_correlation_id="a") * 2 + headers(traceparent=GOOD)).correlation_id
        == TRACE
    )


def test_work_done_later_continues_what_was_stored_and_gives_the_context_back():
    with context.working_for(correlation="outer"):
        with context.working_for(correlation="c-1", traceparent=GOOD, merchant=7) as span:
            assert span.trace_id == TRACE
            assert context.correlation_id.get() == "c-1"
            assert context.merchant_id.get() == 7
            sent = context.outgoing_headers()
        assert context.correlation_id.get() == "outer"
        assert context.merchant_id.get() is None
    assert context.trace.get() is None
    assert sent["X-Correlation-Id"] == "c-1"
    told = parse_traceparent(sent["traceparent"])
    assert told is not None
    assert told.trace_id == TRACE
    assert told.span_id == span.span_id != SPAN


def test_work_without_a_stored_context_begins_one():
    with context.working_for(correlation=None) as span:
        assert context.correlation_id.get() == span.trace_id
        assert "tracestate" not in context.outgoing_headers()


def test_outside_of_any_work_nothing_is_handed_on():
    assert context.outgoing_headers() == {}


def test_a_tracestate_is_handed_on():
    with context.working_for(correlation="c") as span:
        context.trace.set(traces.TraceContext(span.trace_id, span.span_id, tracestate="a=1"))
        assert context.outgoing_headers()["tracestate"] == "a=1"


def test_our_own_ids_never_look_like_a_card_number_nor_are_they_zero(monkeypatch):
    drawn = iter(["4242424242424242", "0" * 16, SPAN])
    monkeypatch.setattr("eci_payments.observability.traces.secrets.token_hex", lambda _: next(drawn))
    assert TraceContext(TRACE, SPAN[::-1]).child() == TraceContext(TRACE, SPAN)


def test_new_traces_are_well_formed():
    for began in (begin_trace() for _ in range(500)):
        assert parse_traceparent(began.traceparent) == began
        assert not contains_card_number(began.traceparent)
