from __future__ import annotations

import re

from eci_payments.delivery.headers import headers
from eci_payments.observability.context import working_for
from support.shop import TRACEPARENT

SHAPE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def test_every_call_carries_the_three_and_continues_the_events_trace():
    with working_for(correlation="corr-1", traceparent=TRACEPARENT):
        told = headers("TXN1-1-order")
    assert told["Idempotency-Key"] == '"TXN1-1-order"'
    assert told["X-Correlation-Id"] == "corr-1"
    assert SHAPE.fullmatch(told["traceparent"])
    assert told["traceparent"][:36] == TRACEPARENT[:36]
    assert told["traceparent"][36:52] != TRACEPARENT[36:52]


def test_an_event_without_a_trace_begins_one_and_is_correlated_by_it():
    with working_for(correlation=None, traceparent=None):
        told = headers("k")
    found = SHAPE.fullmatch(told["traceparent"])
    assert found
    assert told["X-Correlation-Id"] == found[1]
