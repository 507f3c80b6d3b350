"""What recovery and expiry do for a payment stands in its trace."""

from __future__ import annotations

import pytest

from support.engine import caller, charging, crashed, told
from support.spans import keeping_spans

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def kept():
    with keeping_spans() as recorder:
        yield recorder


async def event_traces(house):
    rows = await house.query("SELECT traceparent FROM events ORDER BY event_id")
    return [row.traceparent for row in rows]


async def test_recovery_goes_on_in_the_trace_of_the_request_that_died(house, kept):
    house.watch.crash_at = "after call"
    asked = caller(key="k", traceparent=TRACEPARENT, correlation_id="c-1")
    await crashed(house.payments.charge(asked, charging("1")))
    await house.later(31)
    assert await house.recover() == 1
    resumed = kept.named("resume")
    assert resumed.parent.traceparent == TRACEPARENT
    assert kept.tree == {"inquire": "resume", "conclude": "resume", "resume": None}
    assert kept.named("inquire").about["call"] == "inquire"
    assert await event_traces(house) == [resumed.context.traceparent]  # its deliveries stand below it


async def test_what_was_not_sampled_is_recovered_without_spans(house, kept):
    house.watch.crash_at = "after call"
    asked = caller(key="k", traceparent=TRACEPARENT[:-1] + "0")
    await crashed(house.payments.charge(asked, charging("1")))
    await house.later(31)
    assert await house.recover() == 1
    assert kept.ended == []
    (stored,) = await event_traces(house)
    assert stored.endswith("-00")


async def test_an_expiry_begins_a_trace_of_its_own(house, kept):
    house.gateway.plan("1", "charge", "action")
    await told(house.payments.charge(caller(key="k", traceparent=TRACEPARENT), charging("1")))
    kept.ended.clear()
    await house.later(16 * 60)
    assert await house.expire() == 1
    expired = kept.named("expire")
    assert expired.parent is None
    assert {span.context.trace_id for span in kept.ended} == {expired.context.trace_id}
    assert kept.named("begin").parent == expired.context
