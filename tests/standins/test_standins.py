from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from support.standins import StandIns, standins_running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def standins(tmp_path: Path) -> Iterator[StandIns]:
    with standins_running(tmp_path / "journal.sqlite3") as running:
        yield running


def call(
    standins: StandIns, verb: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(standins.url + path, data, headers or {}, method=verb)
    try:
        with urlopen(request, timeout=5) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except HTTPError as refusal:
        with refusal:
            return refusal.code, dict(refusal.headers), refusal.read().decode()


TAKEN = [
    ("PATCH", "/v1/orders/42/payment-status", {"payment_id": 1, "payment_status": "COMPLETED"}, 200),
    ("PATCH", "/v1/orders/42/status", {"status": "CONFIRMED", "payment_status": "COMPLETED"}, 200),
    ("POST", "/v1/inventory/release", {"order_id": 42, "reason": "Payment failed"}, 200),
    (
        "POST",
        "/v1/notifications",
        {"user_id": 7, "type": "PAYMENT_SUCCESS", "message": "Paid.", "channel": "EMAIL"},
        201,
    ),
    ("POST", "/v1/notifications/events", {"event_type": "X", "order_id": 42, "customer_id": 7}, 202),
]


@pytest.mark.parametrize(("verb", "path", "body", "status"), TAKEN)
def test_both_shapes_are_taken_and_kept(standins: StandIns, verb: str, path: str, body: Any, status: int):
    told = {"Idempotency-Key": '"k"', "X-Correlation-Id": "c", "traceparent": "t"}
    assert call(standins, verb, path, body, told)[0] == status
    (kept,) = standins.received()
    assert (kept["method"], kept["path"], json.loads(kept["body"])) == (verb, path, body)
    assert (kept["idempotency_key"], kept["correlation_id"], kept["traceparent"]) == ('"k"', "c", "t")
    assert kept["answered"] == status


@pytest.mark.parametrize(("verb", "path", "body", "_status"), TAKEN)
def test_a_body_that_lacks_something_is_refused_as_the_real_peers_would(
    standins: StandIns, verb: str, path: str, body: dict[str, Any], _status: int
):
    for name in body:
        lacking = {key: value for key, value in body.items() if key != name}
        assert call(standins, verb, path, lacking)[0] == 422, name
    for nonsense in (b"{", b"[]", b'"x"'):
        assert call(standins, verb, path, nonsense)[0] == 422
    assert len(standins.received(taken=False)) == len(body) + 3
    assert standins.received() == []


@pytest.mark.parametrize("status", ["AUTHORIZED", "PARTIALLY_REFUNDED", "completed", ["COMPLETED"], None])
def test_peers_of_the_seed_know_six_statuses(standins: StandIns, status: object):
    body = {"payment_id": 1, "payment_status": status}
    assert call(standins, "PATCH", "/v1/orders/1/payment-status", body)[0] == 422


def test_a_repeat_of_a_key_that_was_taken_is_marked(standins: StandIns):
    verb, path, body, _ = TAKEN[0]
    standins.switch("order", "down")
    call(standins, verb, path, body, {"Idempotency-Key": "k"})
    standins.switch("order", "up")
    for _ in range(2):
        call(standins, verb, path, body, {"Idempotency-Key": "k"})
    call(standins, verb, path, body)
    assert [kept["repeat"] for kept in standins.received(taken=False)] == [False, False, True, False]


@pytest.mark.parametrize(
    ("mode", "status"), [("down", 503), ("busy", 429), ("missing", 404), ("gone", 410), ("moved", 307)]
)
def test_a_switch_turns_one_peer_bad_and_leaves_the_others(standins: StandIns, mode: str, status: int):
    standins.switch("inventory", mode, retry_after="9")
    verb, path, body, _ = TAKEN[2]
    if mode != "moved":  # urllib would follow
        answered, headers, _ = call(standins, verb, path, body)
        assert (answered, headers["retry-after"]) == (status, "9")
    assert call(standins, *TAKEN[0][:3])[0] == 200


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"mode": "odd"},
        {"mode": []},
        {"delay_s": -1},
        {"delay_s": "x"},
        {"delay_s": 1e9},
        {"retry_after": "a\r\nb"},
        {"x": 1},
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(standins: StandIns, told: object):
    assert call(standins, "PUT", "/switches/order", told)[0] == 422
    assert call(standins, "PUT", "/switches/nobody", {})[0] == 404
    assert json.loads(call(standins, "GET", "/switches")[2])["order"]["mode"] == "up"


def test_what_arrived_can_be_read_by_order_peer_and_page(standins: StandIns):
    for number in range(5):
        body = {"order_id": f"o-{number % 2}", "reason": "Payment failed"}
        call(standins, "POST", "/v1/inventory/release", body)
    call(standins, *TAKEN[0][:3])
    of_order = json.loads(call(standins, "GET", "/received?order_id=o-1&limit=1")[2])
    assert [kept["order_id"] for kept in of_order["received"]] == ["o-1"]
    rest = json.loads(call(standins, "GET", f"/received?order_id=o-1&after={of_order['next_after']}")[2])
    assert [kept["number"] for kept in rest["received"]] == [4]
    assert len(standins.received("order")) == 1
    assert call(standins, "GET", "/received?after=x")[0] == 400


def test_people_see_a_page_and_nothing_on_it_runs(standins: StandIns):
    body = {"order_id": "<script>alert(1)</script>", "reason": "Payment failed"}
    call(standins, "POST", "/v1/inventory/release", body)
    status, headers, page = call(standins, "GET", "/", headers={"Accept": "text/html,*/*"})
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    overview = json.loads(call(standins, "GET", "/")[2])
    assert overview["taken"] == {"inventory": 1}
    assert json.loads(call(standins, "GET", "/health")[2]) == {"status": "healthy"}


def test_the_journal_outlives_the_process(tmp_path: Path):
    journal = tmp_path / "journal.sqlite3"
    for count in (1, 2):
        with standins_running(journal) as running:
            call(running, *TAKEN[0][:3])
            assert len(running.received()) == count
