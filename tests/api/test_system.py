"""What machines and people ask beside payments: probes, metrics, pages, correlation ids, and our own failures."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from datetime import datetime

import pytest

from eci_payments.bootstrap import business_sums
from eci_payments.domain.errors import BrokenInvariant
from eci_payments.operations.problems import CATALOGUE
from eci_payments.operations.rules import Rules
from eci_payments.store.session import run
from support.api import CHARGE, charge_body, running_api
from support.waiting import until

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_health(api):
    response = await api.get("/health")
    said = response.json()
    assert (response.status_code, said["status"], said["service"]) == (200, "healthy", "payment-service")
    assert set(said) == {"status", "service", "timestamp"}
    assert datetime.fromisoformat(said["timestamp"]).tzinfo is not None


async def test_probes(api):
    assert (await api.get("/livez")).json() == {"status": "alive"}
    assert (await api.get("/readyz")).json() == {"status": "ready"}


@pytest.fixture
async def without_database(new_database, postgres):
    """The api, over a database that has gone away."""
    made = new_database()
    async with running_api(made.service_url) as api:
        postgres.drop(made)
        yield api


async def test_without_a_database_only_liveness_is_well(without_database):
    api = without_database
    health = await api.get("/health")
    assert (health.status_code, health.json()["status"], health.json()["failing"]) == (
        503,
        "unhealthy",
        ["database"],
    )
    ready = await api.get("/readyz")
    assert (ready.status_code, ready.json()["code"]) == (503, "database_unavailable")
    assert (await api.get("/livez")).status_code == 200


async def test_without_a_database_everything_else_is_503(without_database):
    api = without_database
    answers = [
        await api.charge(),
        await api.get("/v1/payments/1"),
        await api.get("/v1/payments"),
        await api.post("/v1/payments/1/capture"),
        await api.request("PATCH", "/v1/payments/1/status", json={"status": "FAILED"}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "test_" not in answer.text  # the database's name


async def test_a_process_that_is_about_to_end_is_not_ready(shared_url):
    async with running_api(shared_url, draining=lambda: True) as api:
        response = await api.get("/readyz")
        assert (response.status_code, response.json()["code"]) == (503, "draining")
        assert (await api.get("/livez")).status_code == 200


async def test_metrics(fresh_api, service_url):
    await fresh_api.paid()
    async with running_api(
        service_url, business_sums=lambda: business_sums(fresh_api.payments.engine.database)
    ) as api:
        await api.get("/v1/payments/1")
        await api.get("/v1/payments/unheard/of")
        text = ""

        async def counted():
            nonlocal text
            text = (await api.get("/metrics")).text
            return "payments_created_total 1.0" in text

        await until(counted)  # the sums stop at the oldest transaction of the whole server
        assert 'route="/v1/payments/{payment_id}"' in text
        assert 'route="unmatched"' in text
        opened = await api.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert opened.headers["content-type"].startswith("application/openmetrics-text")
        assert opened.text.endswith("# EOF\n")


async def test_metrics_without_a_database(without_database):
    database = without_database.payments.engine.database
    async with running_api(
        "postgresql+asyncpg://nobody@127.0.0.1:9/nothing", business_sums=lambda: business_sums(database)
    ) as api:
        response = await api.get("/metrics")
    assert response.status_code == 200
    assert "http_requests" in response.text


async def test_the_callers_correlation_id_comes_back(api):
    given = {"X-Correlation-Id": "order.42_A-b"}
    for path in ("/livez", "/v1/payments/999999", "/nowhere"):
        response = await api.get(path, headers=given)
        assert response.headers["x-correlation-id"] == "order.42_A-b"
        assert response.json().get("correlation_id", "order.42_A-b") == "order.42_A-b"
    assert "correlation_id" in (await api.get("/nowhere", headers=given)).json()


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ä".encode(), "a\tb", "4242424242424242", "<script>"])
async def test_another_form_of_correlation_id_is_replaced(api, given):
    response = await api.get("/livez", headers={"X-Correlation-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-correlation-id"])


async def test_the_trace_id_stands_in_for_a_correlation_id(api):
    response = await api.get("/livez", headers={"traceparent": TRACEPARENT})
    assert response.headers["x-correlation-id"] == TRACEPARENT[3:35]
    zero = await api.get("/livez", headers={"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"})
    assert zero.headers["x-correlation-id"] not in {"0" * 32, TRACEPARENT[3:35]}


async def test_correlation_and_trace_are_kept_with_what_was_done(api):
    headers = {"X-Correlation-Id": "kept-1", "traceparent": TRACEPARENT}
    payment = (await api.post(CHARGE, charge_body(), headers=headers)).json()
    async with api.payments.engine.database.read() as session:
        (event, *_) = await run(
            session,
            "SELECT correlation_id, traceparent FROM events WHERE payment_id = $1",
            payment["payment_id"],
        )
        (entry, *_) = await run(
            session,
            "SELECT correlation_id, origin FROM transactions WHERE payment_id = $1",
            payment["payment_id"],
        )
    assert (event.correlation_id, event.traceparent[3:35]) == ("kept-1", TRACEPARENT[3:35])
    assert event.traceparent != TRACEPARENT  # a span of our own
    assert (entry.correlation_id, entry.origin) == ("kept-1", "127.0.0.1")


async def test_every_request_is_logged_once_without_its_body(api, caplog):
    with caplog.at_level(logging.INFO, logger="eci_payments.access"):
        await api.charge(reference="my own words")
        await api.get("/nowhere?secret=1")
    first, second = [
        vars(record)["access fields"] for record in caplog.records if record.name == "eci_payments.access"
    ]
    assert (first["method"], first["route"], first["status"]) == ("POST", CHARGE, 201)
    assert (second["route"], second["status"]) == ("unmatched", 404)
    assert "my own words" not in caplog.text
    assert "secret" not in str(second)


async def test_what_breaks_on_our_side_is_500_without_a_word_of_it(api, caplog, monkeypatch):
    async def broken(*_: object) -> None:
        raise BrokenInvariant("row 7 of /srv/data has SELECT 1")

    monkeypatch.setattr("eci_payments.store.lookups.find_payments", broken)
    response = await api.get("/v1/payments/1", headers={"X-Correlation-Id": "broken-1"})
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "row 7" not in response.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info


async def test_what_breaks_outside_of_a_route_is_500_too(api, monkeypatch):
    async def broken(*_: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr("fastapi.routing.APIRouter.__call__", broken)
    response = await api.get("/livez")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "inside" not in response.text


async def test_a_full_queue_is_503_with_a_time_to_come_back(api):
    api.payments.engine.lane._queue_max = 0
    response = await api.charge()
    assert (response.status_code, response.json()["code"]) == (503, "busy")
    assert response.headers["retry-after"] == "1"


async def test_every_problem_has_its_page(api):
    for code, problem in CATALOGUE.items():
        page = await api.get(f"/problems/{code}", headers={"Accept": "text/html,*/*"})
        assert page.headers["content-type"].startswith("text/html")
        assert str(problem.status) in page.text
        assert (await api.get(f"/problems/{code}")).json()["title"] == problem.title
    assert (await api.get("/problems/nothing")).status_code == 404


async def test_a_problems_type_leads_to_its_page(shared_url):
    async with running_api(shared_url, rules=Rules(problem_base="https://pay.example")) as api:
        problem = (await api.get("/v1/payments/999999")).json()
        assert problem["type"] == "https://pay.example/problems/not_found"
        assert (await api.get("/problems/not_found")).status_code == 200
        assert api.app.openapi()["servers"] == [{"url": "https://pay.example"}]


async def test_swagger_ui_needs_no_other_host(api):
    page = await api.get("/docs")
    assert page.status_code == 200
    assert "://" not in re.sub(r"<!--.*?-->", "", page.text)
    for name in re.findall(r'(?:href|src)="(docs/[^"]+)"', page.text):
        asset = await api.get(f"/{name}")
        assert (asset.status_code, len(asset.content) > 100) == (200, True)
    assert (await api.get("/docs/../pyproject.toml")).status_code == 404
    assert (await api.get("/docs/anything.js")).status_code == 404


async def test_responses_are_not_kept_and_not_guessed_at(api):
    for path in ("/livez", "/v1/payments", "/nowhere", "/openapi.json"):
        response = await api.get(path)
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_caller_that_hangs_up_does_not_stop_what_was_begun(api):
    body = charge_body(amount="100.31")  # approved, with a slow answer
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await api.post(CHARGE, body)
    await api.payments.drain()
    found = await api.get(f"/v1/payments/order/{body['order_id']}")
    assert found.json()["status"] == "COMPLETED"


async def test_other_asgi_events_pass(api):
    sent: list[object] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.shutdown" if sent else "lifespan.startup"}

    async def send(message: object) -> None:
        sent.append(message)

    await api.app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert [json.loads(json.dumps(message))["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_an_instance_is_a_bounded_uri(api):
    odd = await api.get("/v1/payments/order/a%20b%22%0A%C3%A9")
    assert odd.json()["instance"] == "/v1/payments/order/a%20b%22%0A%C3%A9"
    long = await api.get("/" + "x" * 5000)
    assert len(long.json()["instance"]) == 300
