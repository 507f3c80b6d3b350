"""The span of a request, and those of the steps within it."""

from __future__ import annotations

import logging

import pytest

from eci_payments.domain.errors import BrokenInvariant
from support.api import CHARGE, charge_body
from support.spans import keeping_spans

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SAMPLED = {"traceparent": TRACEPARENT}


@pytest.fixture
def kept():
    with keeping_spans() as recorder:
        yield recorder


async def test_a_charge_is_a_tree(api, kept):
    answer = await api.post(CHARGE, charge_body(), headers=SAMPLED)
    payment_id = answer.json()["payment_id"]
    server = f"POST {CHARGE}"
    assert kept.tree == {server: None, "begin": server, "call": server, "conclude": server}
    request = kept.named(server)
    assert request.parent.traceparent == TRACEPARENT
    assert request.error is None
    assert request.about == {
        "method": "POST",
        "route": CHARGE,
        "scheme": "http",
        "path": CHARGE,
        "status": 201,
        "correlation_id": TRACEPARENT[3:35],
        "merchant_id": 1,
    }
    call = kept.named("call").about
    assert (call["gateway"], call["call"], call["outcome"]) == ("simulator", "charge", "Approved")
    assert (call["payment_id"], call["operation"]) == (payment_id, "CHARGE")
    assert kept.named("conclude").about["payment_id"] == payment_id


async def test_a_repeat_calls_nobody(api, kept):
    body = charge_body()
    await api.post(CHARGE, body, key="twice")
    kept.ended.clear()
    answer = await api.post(CHARGE, body, key="twice", headers=SAMPLED)
    assert answer.headers["idempotent-replayed"] == "true"
    assert {span.name for span in kept.ended} == {f"POST {CHARGE}", "begin", "await"}


async def test_an_unknown_outcome_is_a_failed_call(api, kept):
    answer = await api.post(CHARGE, charge_body(amount="100.22"), headers=SAMPLED)
    assert answer.status_code == 202
    assert kept.named("call").error == "Unknown"
    assert kept.named(f"POST {CHARGE}").error is None


async def test_a_decline_is_an_outcome_and_a_refusal_an_answer(api, kept):
    declined = await api.post(CHARGE, charge_body(amount="100.51"), headers=SAMPLED)
    refused = await api.get("/v1/payments/999999")
    assert (declined.json()["status"], refused.status_code) == ("FAILED", 404)
    assert [span.error for span in kept.ended] == [None] * len(kept.ended)
    assert kept.named("call").about["outcome"] == "Declined"
    assert kept.named("GET /v1/payments/{payment_id}").about["status"] == 404


async def test_what_no_route_takes_has_no_name_of_the_callers(api, kept):
    await api.get("/no/such/4242424242424242")
    (span,) = kept.ended
    assert (span.name, "route" in span.about) == ("GET", False)


async def test_probes_leave_no_spans(api, kept):
    for path in ("/health", "/livez", "/readyz", "/metrics"):
        await api.get(path)
    assert kept.ended == []


async def test_a_caller_that_does_not_sample_leaves_no_spans(api, kept):
    headers = {"traceparent": TRACEPARENT[:-1] + "0"}
    assert (await api.post(CHARGE, charge_body(), headers=headers)).status_code == 201
    assert kept.ended == []


async def test_what_breaks_on_our_side_is_a_failed_span_without_a_word_of_it(api, kept, monkeypatch, caplog):
    async def broken(*_: object) -> None:
        raise BrokenInvariant("row 7 has SELECT 1")

    monkeypatch.setattr("eci_payments.store.lookups.find_payments", broken)
    with caplog.at_level(logging.CRITICAL):
        assert (await api.get("/v1/payments/1")).status_code == 500
    (span,) = kept.ended
    assert span.error == "500"
    assert "row 7" not in str(span.about)
