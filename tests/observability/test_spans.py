"""Spans: within a trace that is sampled, with what may be told, and never in anybody's way."""

from __future__ import annotations

import subprocess
import sys
from typing import get_type_hints

import pytest

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.observability import context, spans
from eci_payments.observability.metrics import Metrics
from eci_payments.observability.names import Privacy, privacy_of
from eci_payments.observability.spans import NOTHING, About, Kind, client_call, going_on, innermost, span
from eci_payments.observability.structures import OWN_IDS
from eci_payments.observability.traces import Sampling, begin_trace
from support.spans import keeping_spans

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def kept():
    with keeping_spans() as recorder:
        yield recorder


def test_where_nothing_is_recorded_a_span_is_nothing():
    with context.working_for(correlation=None, traceparent=PARENT) as own:
        made = span("begin")
        with made as told:
            told.tell(payment_id=1)
            assert context.trace.get() == own
    assert made is NOTHING
    assert not made
    assert client_call("GET", "http://somewhere") is NOTHING
    assert spans.counts() == {}


def test_the_sdk_is_not_imported_by_a_process_without_a_collector():
    asked = "import sys, eci_payments.cli.serve, eci_payments.cli.work; print([m for m in sys.modules if m in {!r}])"
    heavy = ["opentelemetry.sdk", "google.protobuf", "eci_payments.observability.otlp"]
    said = subprocess.run(
        [sys.executable, "-c", asked.format(heavy)], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


def test_spans_stand_within_each_other_and_give_the_place_back(kept):
    with going_on("resume", correlation="c", traceparent=PARENT, merchant=7) as outer:
        with span("begin") as inner:
            assert inner
            assert innermost() is inner
            assert context.trace.get() == inner.context
        assert outer
        assert innermost() is outer
        assert context.outgoing_headers()["traceparent"] == outer.context.traceparent
    assert innermost() is NOTHING
    assert context.trace.get() is None
    assert outer.parent
    assert [one.name for one in kept.ended] == ["begin", "resume"]
    assert kept.tree == {"begin": "resume", "resume": None}
    assert outer.parent.traceparent == PARENT
    assert {one.context.trace_id for one in kept.ended} == {PARENT[3:35]}
    assert inner.begun_ns >= outer.begun_ns
    assert inner.ended_ns <= outer.ended_ns
    assert outer.about == {"merchant_id": 7}


def test_outside_of_a_trace_there_is_no_span(kept):
    with span("begin"):
        pass
    assert kept.ended == []


def test_a_trace_that_is_not_sampled_leaves_no_span_and_is_handed_on_so(kept):
    with (
        going_on("resume", correlation=None, traceparent=PARENT[:-1] + "0"),
        span("begin"),
        client_call("GET", "http://somewhere"),
    ):
        assert context.outgoing_headers()["traceparent"].endswith("-00")
    assert kept.ended == []


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_new_traces_are_sampled_by_the_ratio_and_others_as_they_say(ratio):
    try:
        Sampling.choose(ratio)
        sampled = sum(begin_trace().sampled for _ in range(2000))
        assert context.stored(None, PARENT).trace.sampled
        assert not context.stored(None, PARENT[:-1] + "0").trace.sampled
    finally:
        Sampling.choose(1.0)
    assert abs(sampled - ratio * 2000) <= (0 if ratio in {0, 1} else 200)  # ten standard deviations


def test_the_ratio_keeps_those_traces_that_everybody_with_this_ratio_keeps():
    try:
        Sampling.choose(0.5)
        assert Sampling.keeps("f" * 16 + "7" + "f" * 15)
        assert not Sampling.keeps("0" * 16 + "8" + "0" * 15)
    finally:
        Sampling.choose(1.0)


def test_what_goes_wrong_is_told_by_its_name_only(kept):
    with going_on("resume", correlation=None, traceparent=None):
        with pytest.raises(ValueError, match="4242"), span("begin"):
            raise ValueError("4242424242424242")
        with pytest.raises(Refusal), span("conclude"):
            raise Refusal(RefusalCode.NOT_FOUND, "a refusal is an answer")
    failed, refused, _ = kept.ended
    assert (failed.error, failed.about) == ("ValueError", {})
    assert (refused.error, refused.about) == (None, {"refused": "not_found"})


def test_a_call_tells_the_address_without_user_and_query(kept):
    with (
        going_on("deliver order", correlation=None, traceparent=None),
        client_call("GET", "https://me:secret@peer.example/v1/x?key=secret#part") as call,
    ):
        call.answered(404)
    told = kept.ended[0]
    assert told.about == {
        "method": "GET",
        "url": "https://peer.example/v1/x",
        "server": "peer.example",
        "port": 443,
        "status": 404,
    }
    assert told.error == "404"


def test_a_recorder_that_fails_is_nobodys_failure(kept, caplog, monkeypatch):
    monkeypatch.setattr(kept, "record", lambda _: 1 / 0)
    with going_on("resume", correlation=None, traceparent=None) as made:
        pass
    assert made
    assert made.ended_ns > 0
    assert "a span could not be recorded" in caplog.text


def test_what_nobody_wants_to_see_is_dropped(kept):
    with going_on("resume", correlation=None, traceparent=None) as made:
        made.forget()
    assert kept.ended == []


def test_no_name_of_an_attribute_is_a_private_one_and_all_our_ids_are_known_as_ours():
    hints = get_type_hints(About)
    assert {name for name in hints if privacy_of(name) is not Privacy.OPEN} == set()
    assert {name for name in hints if name.endswith("_id") and hints[name] is int} <= OWN_IDS


@pytest.mark.usefixtures("kept")
def test_the_counts_are_metrics_where_traces_are_recorded():
    metrics = Metrics()
    with going_on("resume", correlation=None, traceparent=None):
        pass
    assert b'trace_spans_total{state="recorded"} 1.0' in metrics.exposition(None, "")[0]
    spans.record_with(None)
    assert b"trace_spans" not in metrics.exposition(None, "")[0]


def test_every_kind_has_its_counterpart():
    from eci_payments.observability.otlp import _KINDS  # noqa: PLC0415 - where nothing else here needs the SDK

    assert set(_KINDS) == set(Kind)
