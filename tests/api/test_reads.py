"""Reading: each id, the list with its filters and pages, cursors, HEAD, and what is not there."""

from __future__ import annotations

import pytest

from eci_payments.operations.rules import Rules
from support.api import CHARGE, running_api


async def test_a_payment_by_each_of_its_ids(api):
    charged = await api.charge(order_id="shop.example_A-1")
    payment = charged.json()
    for path in (
        f"/v1/payments/{payment['payment_id']}",
        "/v1/payments/order/shop.example_A-1",
        "/v1/payments/order/shop%2Eexample%5FA%2D1",
        f"/v1/payments/transaction/{payment['transaction_id']}",
    ):
        found = await api.get(path)
        assert (found.status_code, found.json()) == (200, payment)


async def test_an_integer_order_is_found_by_its_digits(api):
    payment = await api.paid(order_id="4711")
    assert payment["order_id"] == 4711
    assert (await api.get("/v1/payments/order/4711")).json()["payment_id"] == payment["payment_id"]
    assert (await api.get("/v1/payments/order/04711")).status_code == 404


async def test_the_trail_stands_in_the_payment(api):
    payment = await api.paid()
    begun, charged = payment["transactions"]
    assert (begun["before"], begun["after"]["status"]) == (None, "PROCESSING")
    assert (charged["before"]["status"], charged["after"]["status"]) == ("PROCESSING", "COMPLETED")
    assert charged["actor"] == "open"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/payments/999999",
        "/v1/payments/order/nowhere",
        f"/v1/payments/transaction/TXN{'A' * 26}",
        "/v1/payments/999999/refunds",
    ],
)
async def test_what_is_not_there_is_404(api, path):
    response = await api.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.json()["instance"] == path


async def test_mutations_of_what_is_not_there_are_404(api):
    reason = {"reason": "Because it is so"}
    answers = [
        await api.post("/v1/payments/999999/capture", {}),
        await api.post("/v1/payments/999999/confirm", {}),
        await api.post("/v1/payments/999999/refund", reason),
        await api.post("/v1/payments/999999/refunds/1/paid"),
        await api.request("PATCH", "/v1/payments/999999/status", json={"status": "FAILED"}),
        await api.request("DELETE", "/v1/payments/999999"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 6


async def test_pages_and_cursors_show_every_payment_once(fresh_api):
    api = fresh_api
    made = [(await api.paid())["payment_id"] for _ in range(7)]
    newest_first = list(reversed(made))
    first = (await api.get("/v1/payments", params={"page_size": 3})).json()
    assert (first["total"], first["page"], first["page_size"]) == (7, 1, 3)
    by_page = [
        payment["payment_id"]
        for page in (1, 2, 3)
        for payment in (await api.get("/v1/payments", params={"page": page, "page_size": 3})).json()[
            "payments"
        ]
    ]
    assert by_page == newest_first
    await api.paid()  # what is new does not shift what a cursor walks over
    walked: list[int] = []
    pages: list[int] = []
    address: str | None = f"/v1/payments?page_size=3&cursor={first['next_cursor']}"
    while address:
        response = await api.get(address)
        walked += [payment["payment_id"] for payment in response.json()["payments"]]
        pages.append(response.json()["page"])
        address = response.links["next"]["url"] if "next" in response.links else None
        assert (address is None) is (response.json()["next_cursor"] is None)
    assert walked == newest_first[3:]
    assert pages == [2, 3]


async def test_filters(fresh_api):
    api = fresh_api
    upi = await api.paid(user_id="u-1")
    wallet = await api.paid(payment_method="WALLET", user_id="u-2")
    failed = (await api.charge(amount="100.51", user_id="u-1")).json()
    unknown = (await api.charge(amount="100.22", user_id="u-1")).json()

    async def ids(**wanted: object) -> list[int]:
        found = (await api.get("/v1/payments", params=wanted)).json()
        assert found["total"] == len(found["payments"])
        return sorted(payment["payment_id"] for payment in found["payments"])

    assert await ids(status="FAILED") == [failed["payment_id"]]
    assert await ids(payment_method="WALLET") == [wallet["payment_id"]]
    assert await ids(user_id="u-1", status="COMPLETED") == [upi["payment_id"]]
    assert await ids(order_id=upi["order_id"]) == [upi["payment_id"]]
    assert await ids(processing_reason="outcome_unknown") == [unknown["payment_id"]]
    assert await ids(created_from=wallet["created_at"], created_to=failed["created_at"]) == [
        wallet["payment_id"]
    ]
    assert await ids(created_from="2099-01-01T00:00:00+05:30") == []
    assert len(await ids(created_to="2099-01-01T00:00:00Z")) == 4


async def test_a_cursor_is_good_for_its_filters_only(fresh_api):
    api = fresh_api
    for _ in range(3):
        await api.paid(user_id="u")
    cursor = (await api.get("/v1/payments", params={"page_size": 1, "user_id": "u"})).json()["next_cursor"]
    good = await api.get("/v1/payments", params={"page_size": 2, "user_id": "u", "cursor": cursor})
    assert (good.status_code, len(good.json()["payments"])) == (200, 2)
    for params in (
        {"cursor": cursor},
        {"cursor": cursor, "user_id": "v"},
        {"cursor": cursor, "user_id": "u", "status": "COMPLETED"},
        {"cursor": cursor[:-2] + "AA", "user_id": "u"},
        {"cursor": "B" + cursor[1:], "user_id": "u"},
        {"cursor": "", "user_id": "u"},
        {"cursor": "%%%", "user_id": "u"},
        {"cursor": "é", "user_id": "u"},
        {"cursor": "A" * 5000, "user_id": "u"},
    ):
        response = await api.get("/v1/payments", params=params)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor"), params


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=PAID", "status"),
        ("status=", "status"),
        ("payment_method=upi", "payment_method"),
        ("processing_reason=none", "processing_reason"),
        ("user_id=%00", "user_id"),
        ("order_id=a%2Fb", "order_id"),
        ("created_from=yesterday", "created_from"),
        ("created_from=2026-01-01", "created_from"),
        ("created_from=2026-01-01T00:00:00", "created_from"),
        ("created_from=2026-13-01T00:00:00Z", "created_from"),
        ("created_from=2026-01-01T00:00:00+05:30", "created_from"),
        ("created_to=0001-01-01T00:00:00%2B23:59", "created_to"),
        ("created_to=9999-12-31T23:59:59-23:59", "created_to"),
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=1e3", "page"),
        ("page=10001", "page"),
        ("page=99999999999999999999", "page"),
        ("page=", "page"),
        ("page_size=101", "page_size"),
        ("page_size=0", "page_size"),
        ("page=1&page=2", "page"),
        ("status=FAILED&status=FAILED", "status"),
        ("limit=5", "limit"),
        ("%ff=1", "query"),
        ("user_id=%ff", "query"),
        ("&".join(f"a{i}=1" for i in range(60)), "query"),
        ("4242424242424242=1", "(a name that is not shown)"),
    ],
)
async def test_a_wrong_parameter_is_422_by_name(api, query, field):
    response = await api.get(f"/v1/payments?{query}")
    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_the_earliest_and_latest_times_are_taken(api):
    query = "created_from=0001-01-01T00:00:00Z&created_to=9999-12-31T23:59:59.999999Z"
    assert (await api.get(f"/v1/payments?{query}")).status_code == 200


async def test_head_mirrors_get(api):
    payment = await api.paid()
    for path in (
        f"/v1/payments/{payment['payment_id']}",
        "/v1/payments",
        "/health",
        "/livez",
        "/readyz",
        "/docs",
    ):
        head, get = await api.request("HEAD", path), await api.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
        assert int(head.headers["content-length"]) > 0
    missing = await api.request("HEAD", "/v1/payments/999999")
    assert (missing.status_code, missing.content) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", CHARGE, "POST"),
        ("HEAD", CHARGE, "POST"),
        ("DELETE", CHARGE, "POST"),
        ("PUT", "/v1/payments", "GET, HEAD, POST"),
        ("PATCH", "/v1/payments/1", "DELETE, GET, HEAD"),
        ("GET", "/v1/payments/1/refund", "POST"),
        ("GET", "/v1/payments/1/status", "PATCH"),
        ("POST", "/health", "GET, HEAD"),
        ("OPTIONS", "/v1/payments", "GET, HEAD, POST"),
        ("TRACE", "/v1/payments/order/1", "GET, HEAD"),
        ("DELETE", "/docs", "GET, HEAD"),
    ],
)
async def test_another_method_is_405_with_those_that_are_allowed(api, method, path, allow):
    response = await api.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allow)


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/payments/", "/v2/payments", "/v1/payments/1/2/3/4", "/v1/payments/order/a%2Fb", "//"],
)
async def test_another_path_is_404(api, path):
    response = await api.get(f"http://test{path}")
    assert (response.status_code, response.json()["code"]) == (404, "route_not_found")


async def test_links_lead_to_where_the_service_is_found(shared_url):
    async with running_api(shared_url, rules=Rules(problem_base="https://pay.example/eci")) as api:
        charged = await api.charge(user_id="linked", key="linked")
        assert charged.headers["location"].startswith("https://pay.example/eci/v1/payments/")
        again = await api.charge(user_id="linked", order_id=charged.json()["order_id"], key="linked")
        assert again.headers["location"] == charged.headers["location"]
        await api.charge(user_id="linked")
        page = await api.get("/v1/payments", params={"user_id": "linked", "page_size": 1})
        assert page.headers["link"].startswith("<https://pay.example/eci/v1/payments?user_id=linked&")
