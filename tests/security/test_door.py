"""The door: open mode and its bounds, addresses behind proxies, headers, pages, and the trail of who was refused."""

from __future__ import annotations

from collections import Counter

import pytest

from eci_payments.api.client_address import client_address, is_loopback, limited_as, networks
from eci_payments.api.limits import WINDOW_S
from eci_payments.domain.api_keys import Scope
from eci_payments.store.admin_events import newest_events
from eci_payments.store.session import run
from support.access import bearer, guarded_api, known
from support.api import charge_body

LIST = "/v1/payments"
LOCAL = {"Host": "127.0.0.1:8086"}


@pytest.fixture
async def opened(service_url):
    async with guarded_api(service_url, open_mode=True) as (api, _):
        yield api


async def trail(keys, merchant=1):
    async with keys.owner.read() as session:
        return await newest_events(session, merchant)


@pytest.mark.parametrize("host", ["127.0.0.1:8086", "localhost:8086", "[::1]:8086", "127.1.2.3"])
async def test_open_mode_needs_no_key_under_a_name_of_this_machine(opened, host):
    assert (await opened.get(LIST, headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.7:8086", "localhost.evil"]
)
async def test_open_mode_is_no_use_to_a_web_page_with_a_name_of_its_own(opened, host):
    assert (await opened.get(LIST, headers={"Host": host})).status_code == 403


async def test_a_key_given_in_open_mode_is_checked(opened):
    assert (await opened.get(LIST, headers=LOCAL | bearer("eci_1_" + "a" * 64))).status_code == 401


@pytest.mark.parametrize("empty", [{"Authorization": "Bearer "}, {"X-Api-Key": ""}])
async def test_an_empty_key_is_none(opened, closed, empty):
    """As a client sends it whose variable for the key is not set."""
    assert (await opened.get(LIST, headers=LOCAL | empty)).status_code == 200
    assert (await closed.get(LIST, headers=empty)).status_code == 401


async def test_the_first_key_ends_open_mode(service_url, keys):
    await keys.make()
    async with guarded_api(service_url, open_mode=True) as (api, _):
        assert (await api.get(LIST, headers=LOCAL)).status_code == 401


async def test_what_no_route_takes_is_closed_too(closed, keys):
    assert (await closed.client.get("/v2/anything")).status_code == 401
    assert (await closed.client.get("/v2/anything", headers=bearer(await keys.make()))).status_code == 404


async def test_pages_about_the_service_need_a_scope_and_metrics_the_first_merchant(closed, keys):
    reads, administers = bearer(await keys.make({Scope.READ})), bearer(await keys.make({Scope.ADMIN}))
    for path in ("/docs", "/openapi.json", "/openapi-3.0.json", "/docs/swagger-ui.css"):
        assert (await closed.client.get(path)).status_code == 401
        assert (await closed.client.get(path, headers=reads)).status_code == 200
    assert (await closed.get("/metrics", headers=reads)).status_code == 403
    assert (await closed.get("/metrics", headers=administers)).status_code == 200
    assert (await closed.client.get("/problems/unauthorized")).status_code == 200


async def test_the_admin_port_shows_pages_to_all_and_payments_to_nobody(service_url):
    async with guarded_api(service_url, admin_port=9090) as (api, _):
        assert (await api.get("http://test:9090/metrics")).status_code == 200
        assert (await api.client.get("http://test:9090/docs")).status_code == 200
        assert (await api.get(f"http://test:9090{LIST}")).status_code == 401
        assert (await api.get("http://test:8086/metrics")).status_code == 401
        assert (await api.get("/metrics")).status_code == 401


async def test_every_answer_has_the_security_headers_and_none_lets_another_origin_in(closed, keys):
    key = bearer(await keys.make())
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (
        await closed.get(LIST, headers=key | origin),
        await closed.get(LIST),
        await closed.get("/livez"),
        await closed.client.options("/v1/payments/charge", headers=key | origin),
        await closed.client.get("/docs", headers=key),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["strict-transport-security"]
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "script-src 'self' 'sha256-" in answer.headers["content-security-policy"]


TRUSTED = networks(["10.0.0.0/8", "127.0.0.1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # nobody we trust says so
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (
            "10.0.0.1",
            "6.6.6.6, 198.51.100.1",
            "198.51.100.1",
        ),  # what stands before it anybody could have written
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_only_trusted_proxies_say_where_a_request_comes_from(peer, forwarded, found):
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert client_address({"client": (peer, 1), "headers": headers}, TRUSTED) == found


def test_several_fields_of_forwarded_addresses_are_one_list():
    for fields in (["6.6.6.6", "198.51.100.1"], ["6.6.6.6, 198.51.100.1", "10.0.0.2"]):
        headers = [(b"x-forwarded-for", each.encode()) for each in fields]
        assert client_address({"client": ("10.0.0.1", 1), "headers": headers}, TRUSTED) == "198.51.100.1"


@pytest.mark.parametrize(
    ("trusted", "counted"), [((), {"127.0.0.1"}), (TRUSTED, {f"198.51.100.{n}" for n in range(3)})]
)
async def test_limits_and_the_trail_go_by_the_address_that_is_believed(service_url, keys, trusted, counted):
    """Whoever writes another address in front of each request has a limit for each only behind a trusted proxy."""
    async with guarded_api(service_url, trusted_proxies=trusted, rate_per_address=1) as (api, access):
        access.limits._clock = lambda: 1000.0 * WINDOW_S
        statuses = [
            (await api.get(LIST, headers={"X-Forwarded-For": f"6.6.6.{n}, 198.51.100.{n % 3}"})).status_code
            for n in range(36)
        ]
    assert statuses.count(401) == 10 * len(counted)
    assert statuses.count(429) == 36 - 10 * len(counted)
    assert {each.event.origin for each in await trail(keys)} == counted


def test_without_trusted_proxies_nobody_is_believed():
    headers = [(b"x-forwarded-for", b"198.51.100.1")]
    assert client_address({"client": ("127.0.0.1", 1), "headers": headers}, ()) == "127.0.0.1"
    assert client_address({"client": None, "headers": headers}, ()) is None


def test_one_subscriber_is_one_address_and_loopback_is_known():
    assert limited_as("2001:db8::1") == limited_as("2001:db8::2") != limited_as("2001:db8:0:1::1")
    assert limited_as("203.0.113.9") == "203.0.113.9"
    assert [is_loopback(each) for each in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "10.0.0.1")] == [
        *[True] * 3,
        *[False] * 3,
    ]


async def test_the_trail_says_who_was_refused_what_from_where(service_url, keys):
    reads, revoked = await keys.make({Scope.READ}), await keys.make_revoked()
    async with guarded_api(service_url) as (api, _):
        for _ in range(3):
            await api.get(LIST)
        await api.get(LIST, headers=bearer(revoked))
        await api.post("/v1/payments/7/refund", {"reason": "no reason"}, headers=bearer(reads))
    found = {(e.event.actor, e.event.action, e.event.subject, e.event.result): e for e in await trail(keys)}
    nobody = found["nobody", "GET (no route)", LIST, "401"]
    assert (nobody.times, nobody.event.origin) == (3, "127.0.0.1")
    assert nobody.correlation_id
    actor = f"key:{known(revoked).key_id} is revoked or expired"
    assert (actor, "GET (no route)", LIST, "401") in found
    refund = "POST /v1/payments/{payment_id}/refund"
    assert (f"key:{known(reads).key_id}", refund, "/v1/payments/7/refund", "403") in found
    assert len(found) == 3


async def test_an_operators_move_is_in_the_trail_whatever_comes_of_it(service_url, keys):
    key = await keys.make()
    async with guarded_api(service_url) as (api, _):
        made = (await api.post(LIST, charge_body(), headers=bearer(key))).json()
        status = f"/v1/payments/{made['payment_id']}/status"
        for _ in range(2):
            await api.request(
                "PATCH", status, json={"status": "FAILED", "reason": "x" * 5}, headers=bearer(key)
            )
    events = [each.event for each in await trail(keys)]
    assert {(e.actor, e.action, e.subject, e.result) for e in events} == {
        (f"key:{known(key).key_id}", "PATCH /v1/payments/{payment_id}/status", status, result)
        for result in ("200", "409")
    }
    async with keys.owner.read() as session:
        rows = await run(session, "SELECT DISTINCT actor, origin FROM transactions")
    assert [tuple(row) for row in rows] == [(f"key:{known(key).key_id}", "127.0.0.1")]


async def test_a_flood_of_refusals_is_bounded_and_still_counted(service_url, keys, monkeypatch):
    monkeypatch.setattr("eci_payments.api.trail.TOLD_APART_MAX", 5)
    monkeypatch.setattr("eci_payments.api.access.FLUSH_S", 60)
    async with guarded_api(service_url) as (api, _):
        for number in range(30):
            await api.get(f"/v1/payments/{number}")
    events = await trail(keys)
    assert len(events) == 6
    assert sum(each.times for each in events) == 30


async def test_a_flood_for_many_paths_names_its_sender_and_leaves_others_told_apart(
    service_url, keys, monkeypatch
):
    monkeypatch.setattr("eci_payments.api.trail.SUBJECTS_MAX", 3)
    monkeypatch.setattr("eci_payments.api.access.FLUSH_S", 60)
    async with guarded_api(service_url, trusted_proxies=TRUSTED) as (api, _):
        for number in range(30):
            await api.get(f"/v1/payments/{number}", headers={"X-Forwarded-For": "198.51.100.1"})
        await api.get("/v1/payments/99", headers={"X-Forwarded-For": "198.51.100.2"})
    seen: Counter[tuple[str | None, bool]] = Counter()
    for each in await trail(keys):
        seen[each.event.origin, each.event.subject == "several"] += each.times
    assert seen == {("198.51.100.1", False): 3, ("198.51.100.1", True): 27, ("198.51.100.2", False): 1}


async def test_what_is_refused_writes_no_card_number(service_url, keys):
    async with guarded_api(service_url) as (api, _):
        await api.get("/v1/payments/4242424242424242")
    assert "4242424242" not in str(await trail(keys))
