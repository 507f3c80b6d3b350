"""One charge, its gateway over HTTP, its peers: one trace over all processes, as a collector sees it."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import httpx
import pytest

from eci_payments.domain.errors import known
from eci_payments.observability.traces import parse_traceparent
from support.processes import ADDRESS, processes
from support.standins import StandIns
from support.waiting import until
from tracing.collector import collecting
from tracing.tree import drawn, paths, paths_of_text

PAGE = Path(__file__).parents[2] / "docs" / "tracing.md"
NUMBER, CODE = "4242424242424242", "739"
SECRET = "key-of-the-collector"
CHARGE = "POST /v1/payments/charge"
TOLD = 4
"""Two charges, two peers."""
LONG_S = 60.0
"""Events are told once the oldest transaction of the whole server has ended."""


def body(order):
    return {
        "order_id": order,
        "user_id": 7,
        "amount": 76543.0,
        "payment_method": "CREDIT_CARD",
        "payment_details": {
            "card": {
                "number": NUMBER,
                "exp_month": 12,
                "exp_year": 2040,
                "cvc": CODE,
                "holder": "Asha Rao",
            }
        },
    }


@pytest.fixture
def started(tmp_path, database):
    """The service's processes over one collector."""
    with (
        collecting() as collected,
        processes(
            tmp_path,
            DATA_DIR=tmp_path,
            DATABASE_URL=database.service_url,
            SANDBOX_API_KEY="key-of-the-sandbox",
            OTEL_EXPORTER_OTLP_ENDPOINT=collected.address,
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{SECRET}",
            OTEL_BSP_SCHEDULE_DELAY=100,
        ) as made,
    ):
        sandbox = made.start("sandbox").wait_for("http://")
        standins = made.standins()
        found = ADDRESS.search(sandbox)
        assert found
        made.environment |= {
            "GATEWAYS": "sandbox",
            "SANDBOX_URL": found.group(0),
            "ORDER_SERVICE_URL": standins,
            "INVENTORY_SERVICE_URL": standins,
            "NOTIFICATION_SERVICE_URL": standins,
        }
        yield made, collected, StandIns(standins)


async def test_one_trace_from_the_request_to_the_peers(started):
    made, collected, standins = started
    serve, address = made.serve()
    work = made.work()
    trace_id, callers_span = secrets.token_hex(16), secrets.token_hex(8)
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:

        async def charge(order, trace, flags):
            headers = {"Idempotency-Key": order, "traceparent": f"00-{trace}-{callers_span}-{flags}"}
            answer = await client.post("/v1/payments/charge", json=body(order), headers=headers)
            assert answer.status_code == 201, answer.text

        await charge("sampled", trace_id, "01")
        await charge("unsampled", secrets.token_hex(16), "00")

    shape = paths_of_text(tree_of(PAGE.read_text()))
    await until(lambda: len(collected.trace(trace_id)) >= len(shape), LONG_S)
    await until(lambda: len(standins.received()) == TOLD, LONG_S)
    assert (work.stop(), serve.stop()) == (0, 0)

    spans = collected.trace(trace_id)
    assert paths(spans) == shape, drawn(spans)
    assert {span.trace_id for span in collected.spans} == {trace_id}
    (request,) = (span for span in spans if span.name == CHARGE)
    assert request.parent_id == callers_span
    assert {span.process for span in spans} == {"serve", "work"}
    assert len({span.resource["service.instance.id"] for span in spans}) == 2
    assert not any(span.failed for span in spans)

    # each peer was handed the very span of the call to it
    calls = {span.span_id: span for span in spans if span.kind == "CLIENT" and span.process == "work"}
    told = [known(parse_traceparent(call["traceparent"]), "") for call in standins.received()]
    assert {each.span_id for each in told if each.sampled} == set(calls)
    assert {each.trace_id for each in told if each.sampled} == {trace_id}
    assert sum(each.sampled for each in told) == TOLD / 2

    sent = b"".join(collected.bodies)
    secret = (NUMBER, "cvc", "Asha", "76543", SECRET, "key-of-the-sandbox")
    assert [one for one in secret if one.encode() in sent] == []
    assert CODE not in {str(value) for span in spans for value in span.attributes.values()}
    assert {headers["authorization"] for headers in collected.headers} == {f"Bearer {SECRET}"}


async def test_a_collector_that_hangs_costs_nobody_anything(started):
    made, collected, _ = started
    collected.hangs = True
    made.environment["GATEWAYS"] = "simulator"
    serve, address = made.serve()
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        number = 0
        while not collected.asked or number < 20:  # until a batch is on its way, never to be answered, and on
            number += 1
            headers = {"Idempotency-Key": f"k-{number}"}
            answer = await client.post("/v1/payments/charge", json=body(f"order-{number}"), headers=headers)
            assert answer.status_code == 201
        assert "trace_spans_total" in (await client.get("/metrics")).text
    assert serve.stop() == 0
    assert collected.spans == []


def tree_of(page):
    found = re.search(r"<!-- from a run of `make trace` -->\n```\n(.*?)\n```\n", page, re.DOTALL)
    assert found
    return found.group(1)
