"""Live status: every move of a payment, in order, once, from where the reader left off; bounded in every direction."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from eci_payments.api.errors import WireError
from eci_payments.api.read_tokens import ReadTokens
from eci_payments.api.stream import response as stream_response
from eci_payments.api.stream.feed import TOO_SLOW, WAITING_MAX, Feed, Subscription
from eci_payments.api.stream.messages import Message
from eci_payments.api.stream.places import OF_ONE_PAYMENT, Place, Places
from eci_payments.domain.ids import MerchantId, PaymentId
from eci_payments.settings import load
from eci_payments.store.session import Database
from support.access import Keys, bearer, guarded_api
from support.api import charge_body, running_api
from support.processes import processes
from support.streams import listening, opened
from support.waiting import until

_orders = itertools.count(1)
QUICK = replace(load({}), stream_poll_s=0.05)
THREE_D = {"card": {"number": "4000002500003155", "exp_month": 12, "exp_year": 2040, "cvc": "123"}}


@pytest.fixture
async def api(shared_url):
    async with running_api(shared_url, settings=QUICK) as running:
        yield running


@pytest.fixture
async def port(api):
    async with listening(api.app) as bound:
        yield bound


def stream(payment) -> str:
    return f"/v1/payments/{payment['payment_id']}/stream"


async def authorized(api, **fields):
    return await api.paid(payment_method="CREDIT_CARD", capture=False, **fields)


async def capture(api, payment, **body):
    done = await api.post(f"/v1/payments/{payment['payment_id']}/capture", body)
    assert done.status_code == 200, done.text


def take(places: Places, payment: int, address: str | None, merchant: int = 1) -> Place:
    return places.take(MerchantId(merchant), PaymentId(payment), address)


async def test_a_page_is_told_how_it_stands_and_then_every_move(api, port):
    payment = await authorized(api, metadata={"note": "for us only"})
    async with opened(port, stream(payment)) as page:
        assert page.status == 200
        assert page.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert page.headers["cache-control"] == "no-store"
        first = await page.next()
        assert (first.data["type"], first.data["status"], first.id) == ("payment.status", "AUTHORIZED", "1")
        assert 1500 <= page.retry_ms < 3500
        await capture(api, payment, amount="50.00", final=False)
        second = await page.next()
        assert (second.data["type"], second.data["status"], second.id) == (
            "payment.captured",
            "AUTHORIZED",
            "2",
        )
        assert (second.data["amount"], second.data["amount_captured"]) == (149.5, 50)
        await capture(api, payment)
        third, end = await page.rest()
        assert (third.data["status"], third.data["previous_status"], third.id) == (
            "COMPLETED",
            "AUTHORIZED",
            "3",
        )
        assert (end.event, end.data) == ("end", {"reason": "settled"})
    assert set(first.data) == set(third.data)
    assert not set(first.data) & {"metadata", "user_id", "order_id", "gateway", "reason", "reference"}


async def test_a_reader_that_comes_back_gets_what_it_missed_and_nothing_twice(api, port):
    payment = await authorized(api)
    await capture(api, payment, amount="10.00", final=False)
    await capture(api, payment, amount="20.00", final=False)
    async with opened(port, stream(payment), last_event_id="1") as page:
        assert [(await page.next()).id for _ in range(2)] == ["2", "3"]
        await capture(api, payment)
        assert await page.statuses() == ["COMPLETED", "settled"]
    for last in ("0", "1", "2", "3"):
        async with opened(port, stream(payment), last_event_id=last) as page:
            said = await page.rest()
            assert [each.id for each in said[:-1]] == [str(n) for n in range(int(last) + 1, 5)]
    async with opened(port, stream(payment), last_event_id="4") as page:
        assert page.status == 204


async def test_more_than_one_look_holds_comes_whole_and_in_order(api, port):
    payment = await authorized(api, amount="100.00")
    for _ in range(45):
        await capture(api, payment, amount="1.00", final=False)
    await capture(api, payment)
    async with opened(port, stream(payment), last_event_id="0") as page:
        said = await page.rest()
    assert [each.id for each in said[:-1]] == [str(n) for n in range(1, 48)]


async def test_an_id_that_was_never_given_begins_anew_and_nonsense_is_refused(api, port):
    payment = await api.paid()
    async with opened(port, stream(payment), last_event_id="900") as page:
        assert await page.statuses() == ["COMPLETED", "settled"]
    for wrong in ("-1", "x", "1" * 16, "1.5"):
        refused = await api.get(stream(payment), headers={"Last-Event-ID": wrong})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "Last-Event-ID")


async def test_a_payment_that_is_settled_is_told_and_ended(api, port):
    paid = await api.paid()
    failed = (await api.charge(amount="100.05")).json()
    for payment, status in ((paid, "COMPLETED"), (failed, "FAILED")):
        async with opened(port, stream(payment)) as page:
            assert await page.statuses() == [status, "settled"]


async def test_a_customer_who_acts_is_told_on_the_page(api, port):
    payment = await api.paid(payment_method="CREDIT_CARD", payment_details=THREE_D)
    assert payment["status"] == "REQUIRES_ACTION"
    async with opened(port, stream(payment)) as page:
        assert (await page.next()).data["status"] == "REQUIRES_ACTION"
        cancelled = await api.request("DELETE", f"/v1/payments/{payment['payment_id']}")
        assert cancelled.status_code == 200
        assert await page.statuses() == ["CANCELLED", "settled"]


async def test_head_answers_and_ends(api):
    answer = await api.client.head(stream(await authorized(api)))
    assert (answer.status_code, answer.content) == (200, b"")


async def test_no_such_payment(api):
    assert (await api.get("/v1/payments/987654321/stream")).status_code == 404


async def test_a_thousand_pages_are_one_query_and_none_is_no_query(api):
    payment = await authorized(api)
    feed = Feed(api.services.database, Places(2000, 2000), 0.05, bool)
    entered = [feed.enter(MerchantId(1), PaymentId(payment["payment_id"] + n), None) for n in range(1000)]
    for each in entered:
        feed.follow(each, 0)
    await until(lambda: feed.looks >= 3)
    for each in entered:
        feed.leave(each)
    before = feed.looks
    await asyncio.sleep(0.3)
    assert feed.looks <= before + 1
    assert feed.places.taken == 0


def test_places_end_and_are_given_back():
    places = Places(5, 3)
    taken = [take(places, n, "203.0.113.1") for n in range(3)]
    with pytest.raises(WireError, match="This address") as refused:
        take(places, 9, "203.0.113.1")
    assert (refused.value.code, refused.value.headers) == ("rate_limited", {"Retry-After": "10"})
    taken += [take(places, 10 + n, "203.0.113.2") for n in range(2)]
    with pytest.raises(WireError, match="This process") as full:
        take(places, 20, "203.0.113.3")
    assert full.value.code == "busy"
    for place in taken:
        places.give_back(place)
    assert (places.taken, dict(places._addresses), dict(places._payments)) == (0, {}, {})


def test_addresses_of_one_ipv6_subscriber_are_one():
    places = Places(10, 1)
    take(places, 1, "2001:db8::1")
    with pytest.raises(WireError, match="This address"):
        take(places, 2, "2001:db8::2")
    take(places, 2, "2001:db8:0:1::1")


def test_nobody_takes_the_places_of_all_with_a_token_for_one_payment():
    places = Places(100, 100)
    for n in range(OF_ONE_PAYMENT):
        take(places, 7, f"203.0.113.{n}")
    with pytest.raises(WireError, match="This payment"):
        take(places, 7, "203.0.113.200")
    take(places, 7, "203.0.113.200", merchant=2)


async def test_beyond_the_number_of_streams_a_page_is_told_to_come_again(shared_url):
    few = replace(QUICK, max_streams=3, max_streams_per_address=2)
    async with (
        running_api(shared_url, settings=few) as api,
        listening(api.app) as port,
        AsyncExitStack() as open_,
    ):
        payments = [await authorized(api) for _ in range(3)]
        pages = [await open_.enter_async_context(opened(port, stream(each))) for each in payments]
        assert [page.status for page in pages] == [200, 200, 429]
        assert int(pages[2].headers["retry-after"]) > 0
        pages[0].writer.close()

        async def free() -> bool:
            async with opened(port, stream(payments[2])) as page:
                return page.status == 200

        await until(free)
    none = replace(QUICK, max_streams=0)
    async with running_api(shared_url, settings=none) as api:
        refused = await api.get(stream(payments[0]))
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")


def test_a_reader_that_lags_is_ended_and_not_waited_for():
    slow = Subscription(Place(MerchantId(1), PaymentId(1), None))
    for n in range(1, WAITING_MAX + 2):
        slow.hand(Message(n, settled=False, text=b"x"))
    assert slow.ended == TOO_SLOW
    assert slow.after == WAITING_MAX
    assert [m.sequence for m in slow.taken()] == list(range(1, WAITING_MAX + 1))


async def test_a_reader_that_takes_nothing_is_cut_off(api, monkeypatch):
    monkeypatch.setattr(stream_response, "WRITE_TIMEOUT_S", 0.05)
    payment = await authorized(api)
    cut, sent, hung_up = [], [], asyncio.Event()

    async def send(message):
        sent.append(message["type"])
        if len(sent) > 1:
            await asyncio.sleep(3600)

    async def receive():
        await hung_up.wait()
        return {"type": "http.disconnect"}

    def abort():
        cut.append(1)
        hung_up.set()

    scope = {
        "type": "http",
        "method": "GET",
        "path": stream(payment),
        "raw_path": b"",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("203.0.113.1", 1),
        "extensions": {stream_response.ABORT: abort},
    }
    async with asyncio.timeout(20):
        await api.app(scope, receive, send)
    assert (sent, cut) == (["http.response.start", "http.response.body"], [1])
    assert b"streams_open 0.0" in (await api.get("/metrics")).content


async def test_a_stream_grows_old(shared_url, monkeypatch):
    monkeypatch.setattr(stream_response, "HEARTBEAT_S", 0.1)
    young = replace(QUICK, stream_max_age_s=1)
    async with AsyncExitStack() as open_:
        api = await open_.enter_async_context(running_api(shared_url, settings=young))
        port = await open_.enter_async_context(listening(api.app))
        page = await open_.enter_async_context(opened(port, stream(await authorized(api))))
        assert await page.statuses() == ["AUTHORIZED", "max_age"]
        assert page.heartbeats >= 1


@pytest.fixture
async def keys(owner_url):
    owner = Database(owner_url, pool_size=2)
    yield Keys(owner)
    await owner.close()


async def test_a_stream_ends_with_its_token_and_with_its_key(service_url, keys, monkeypatch):
    monkeypatch.setattr(stream_response, "HEARTBEAT_S", 0.1)
    text = await keys.make()
    now = [1000.0]
    tokens = ReadTokens([b"k" * 32], 60, lambda: now[0])
    given = {"settings": QUICK, "read_tokens": tokens}
    async with guarded_api(service_url, services=given) as (api, access):
        access.tokens = tokens
        charged = await api.post(
            "/v1/payments/charge",
            charge_body(payment_method="CREDIT_CARD", capture=False),
            headers=bearer(text),
        )
        payment = charged.json()
        async with listening(api.app) as port:
            token, _ = tokens.issue(MerchantId(1), PaymentId(payment["payment_id"]))
            async with opened(port, f"{stream(payment)}?token={token}") as page:
                assert (await page.next()).data["status"] == "AUTHORIZED"
                assert access._running_all == 0
                now[0] += 61
                assert await page.statuses() == ["unauthorized"]
            async with opened(port, stream(payment), authorization=f"Bearer {text}") as page:
                assert (await page.next()).data["status"] == "AUTHORIZED"
                await keys.revoke(text)
                assert await page.statuses() == ["unauthorized"]
            async with opened(port, stream(payment), authorization=f"Bearer {text}") as page:
                assert page.status == 401


async def test_the_seconds_of_a_request_do_not_count_how_long_a_page_stays_open(api, port):
    payment, clock = await authorized(api), asyncio.get_running_loop().time
    begun = clock()
    async with opened(port, stream(payment)) as page:
        await page.next()
        until_begun_s = clock() - begun
        await asyncio.sleep(1.0)
    route = '{method="GET",route="/v1/payments/{payment_id}/stream"}'

    async def measured_s() -> float | None:
        lines = (await api.get("/metrics")).text.splitlines()
        found = [line for line in lines if line.startswith(f"http_request_duration_seconds_sum{route}")]
        return float(found[0].split()[-1]) if found else None

    async def measured() -> bool:
        return await measured_s() is not None

    await until(measured)
    assert (await measured_s() or 0) <= until_begun_s


async def test_streams_of_two_processes_and_a_process_that_is_told_to_stop(tmp_path, database):
    with processes(
        tmp_path, DATA_DIR=tmp_path, DATABASE_URL=database.service_url, GATEWAYS="simulator"
    ) as started:
        first, one = started.serve()
        _, other = started.serve()
        one_port, other_port = (int(address.rpartition(":")[2]) for address in (one, other))
        async with running_api(database.service_url) as api:
            payment = await authorized(api)
            async with (
                opened(one_port, stream(payment)) as page,
                opened(other_port, stream(payment)) as second,
            ):
                last = [await page.next(), await second.next()][0]
                await capture(api, payment, amount="50.00", final=False)
                assert {(await each.next()).id for each in (page, second)} == {"2"}
                stopping = asyncio.create_task(asyncio.to_thread(first.stop))
                assert await page.statuses() == ["draining"]
                assert await stopping == 0
            await capture(api, payment)
            async with opened(other_port, stream(payment), last_event_id=last.id) as page:
                assert await page.statuses() == ["AUTHORIZED", "COMPLETED", "settled"]
