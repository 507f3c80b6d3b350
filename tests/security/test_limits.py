"""Rate limits: one process to the request, several to within the stated error; and their headers."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eci_payments.api.access import FLUSH_S
from eci_payments.api.limits import TOLD_FROM, WINDOW_S, Limits, Subject
from eci_payments.store.admin_events import newest_events
from eci_payments.store.session import run
from support.access import bearer, guarded_api
from support.waiting import until

LIST = "/v1/payments"
LIMIT = 100


class StandingStill(Limits):
    """For whom time stands still, whatever the database says."""

    def keep_time_with(self, now_s: float) -> None:
        pass


def passed(limits, times, subject=None):
    subject = subject or Subject(1, "key:a", LIMIT)
    return sum(limits.take(subject).passes for _ in range(times))


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 60)), max_size=40))
def test_one_process_never_lets_more_through_than_the_limit_by_its_own_measure(bursts):
    now = [1000.0 * WINDOW_S]
    limits = Limits(lambda: now[0])
    by_window: dict[int, int] = {}
    for pause_s, times in bursts:
        now[0] += pause_s
        by_window[limits.number] = by_window.get(limits.number, 0) + passed(limits, times)
    assert all(count <= LIMIT for count in by_window.values())


def test_a_flood_gets_its_limit_and_no_second_one_at_the_border_of_two_windows():
    now = [1000.0 * WINDOW_S + WINDOW_S - 0.01]
    limits = Limits(lambda: now[0])
    assert passed(limits, 500) == LIMIT
    now[0] += 0.02
    assert passed(limits, 500) <= 1
    now[0] += WINDOW_S / 2
    assert 45 <= passed(limits, 500) <= 51
    now[0] += 3 * WINDOW_S
    assert passed(limits, 500) == LIMIT


def test_whoever_waits_as_long_as_it_says_gets_through():
    now = [1000.0 * WINDOW_S + 3]
    limits = Limits(lambda: now[0])
    passed(limits, 500)
    for _ in range(30):
        verdict = limits.take(Subject(1, "key:a", LIMIT))
        assert not verdict.passes
        now[0] += verdict.reset_s
        assert passed(limits, 1) == 1
        passed(limits, 500)


def test_no_subject_spends_its_ten_seconds_in_one():
    now, busy = [1000.0 * WINDOW_S], Subject(1, "key:a", 500 * WINDOW_S)
    limits = Limits(lambda: now[0])
    assert passed(limits, 2500, busy) == 500
    verdict = limits.take(busy)
    assert verdict.headers() == {
        "RateLimit-Policy": f'"default";q=5000;w={WINDOW_S}, "burst";q=500;w=1',
        "RateLimit": '"burst";r=0;t=1',
    }
    assert verdict.reset_s == 1
    let_through = 0
    for _ in range(100):  # a flood at five times the limit gets its share of every second
        now[0] += 0.1
        let_through += passed(limits, 250, busy)
    assert 3500 <= let_through <= 5000
    assert passed(limits, 500, Subject(1, "key:b", 5 * WINDOW_S)) == 50  # small limits may be spent at once


def test_subjects_do_not_share_and_merchants_do_not_either():
    limits = Limits(lambda: 5.0)
    assert passed(limits, 500) == LIMIT
    assert passed(limits, 500, Subject(1, "key:b", LIMIT)) == LIMIT
    assert passed(limits, 500, Subject(2, "key:a", LIMIT)) == LIMIT


def test_processes_learn_of_each_other():
    one, other = Limits(lambda: 5.0), Limits(lambda: 5.0)
    assert passed(one, 60) == 60
    told = one.taken_untold()
    assert passed(other, 10) == 10
    sums = {place: told[place] + used for place, used in other.taken_untold().items()}
    other.learn(sums)
    assert passed(other, 500) == LIMIT - 70


def test_small_callers_cost_the_database_nothing():
    limits = Limits(lambda: 5.0)
    passed(limits, LIMIT // TOLD_FROM - 1)
    assert not limits.has_untold
    passed(limits, 1)
    assert limits.taken_untold() == {(1, "key:a", 0): LIMIT // TOLD_FROM}


async def test_a_key_is_told_its_limit_and_refused_beyond_it(service_url, keys):
    key = bearer(await keys.make())
    async with guarded_api(service_url, rate_per_key=1) as (api, _):
        answers = [await api.get(LIST, headers=key) for _ in range(12)]
        assert answers[0].headers["ratelimit-policy"] == f'"default";q=10;w={WINDOW_S}'
        assert answers[0].headers["ratelimit"].startswith('"default";r=9;t=')
        refused = answers[-1]
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= WINDOW_S + 1
        assert refused.headers["ratelimit"].startswith('"default";r=0;t=')
        other = await api.get(LIST, headers=bearer(await keys.make()))
        assert other.status_code == 200


async def test_a_key_with_a_limit_of_its_own_has_that_one(service_url, keys):
    for rate_of_all in (2, 0):
        wide, narrow = bearer(await keys.make(per_second=3)), bearer(await keys.make(per_second=1))
        async with guarded_api(service_url, rate_per_key=rate_of_all) as (api, access):
            access.limits = StandingStill(lambda: 1000.0 * WINDOW_S)
            assert [await passing(api, each) for each in (wide, narrow)] == [30, 10]


async def passing(api, key):
    """How many of forty requests pass."""
    return sum([(await api.get(LIST, headers=key)).status_code == 200 for _ in range(40)])


async def test_an_address_is_limited_before_its_key_is_looked_at(service_url):
    async with guarded_api(service_url, rate_per_address=1) as (api, _):
        statuses = [(await api.get(LIST, headers=bearer("x"))).status_code for _ in range(15)]
        assert statuses[:10] == [401] * 10
        assert statuses[-1] == 429
        assert (await api.get("/livez")).status_code == 200


async def test_made_up_keys_cost_the_database_no_more_than_their_addresses_share(
    service_url, keys, monkeypatch
):
    monkeypatch.setattr("eci_payments.api.access.LOOK_UPS_PER_S", 1)
    right, revoked = bearer(await keys.make()), bearer(await keys.make_revoked())
    async with guarded_api(service_url) as (api, access):
        access.limits._clock = lambda: 1000.0 * WINDOW_S
        assert (await api.get(LIST, headers=right)).status_code == 200
        made_up = [bearer(f"eci_1_{number:064}") for number in range(30)]
        statuses = [(await api.get(LIST, headers=each)).status_code for each in made_up]
        assert statuses == [401] * 9 + [429] * 21
        assert (await api.get(LIST, headers=right)).status_code == 200
        assert (await api.get(LIST, headers=revoked)).status_code == 429  # it might be any
        assert (await api.get(LIST, headers=made_up[0])).status_code == 401  # looked up a moment ago


async def test_a_key_that_floods_does_not_use_up_the_limit_of_the_address_that_it_shares(service_url, keys):
    flood, other = bearer(await keys.make()), bearer(await keys.make())
    async with guarded_api(service_url, rate_per_key=1, rate_per_address=3) as (api, _):
        assert (await api.get(LIST, headers=other)).status_code == 200
        flooded = [(await api.get(LIST, headers=flood)).status_code for _ in range(50)]
        assert flooded.count(200) == 10
        assert flooded.count(429) == 40
        assert (await api.get(LIST, headers=other)).status_code == 200


async def test_three_replicas_keep_one_limit_to_within_the_stated_error(service_url, keys):
    """(R - 1) times what one lets through in half a second, and a twentieth of the limit for each."""
    key, per_round, rate = bearer(await keys.make()), 4, 6
    limit, replicas = rate * WINDOW_S, 3
    async with (
        guarded_api(service_url, rate_per_key=rate) as (one, first),
        guarded_api(service_url, rate_per_key=rate) as (two, second),
        guarded_api(service_url, rate_per_key=rate) as (three, third),
    ):
        now = 1000.0 * WINDOW_S
        for access in (first, second, third):
            access.limits = StandingStill(lambda: now + 1)
        let_through = 0
        for _ in range(12):
            for api in (one, two, three):
                for _ in range(per_round):
                    let_through += (await api.get(LIST, headers=key)).status_code == 200
            for access in (first, second, third):
                await access._flush()
    error = (replicas - 1) * per_round + replicas * limit // TOLD_FROM
    assert limit - 1 <= let_through <= limit + error


async def test_too_many_at_once_are_told_to_come_again(service_url, keys):
    one, other = bearer(await keys.make()), bearer(await keys.make())
    async with guarded_api(service_url, concurrent=4) as (api, access):
        holder = (await access.keys.find(one["Authorization"].removeprefix("Bearer "))).principal
        assert holder is not None
        busy: list[dict[str, Any]] = [{}, {}]
        for each in busy:
            access.enter(holder, each)
        refused = await api.get(LIST, headers=one)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await api.get(LIST, headers=other)).status_code == 200
        for each in busy:
            access.leave(each)
        assert (await api.get(LIST, headers=one)).status_code == 200


async def test_sums_are_written_soon_and_old_ones_forgotten(service_url, keys):
    key = bearer(await keys.make())
    async with guarded_api(service_url, rate_per_key=1) as (api, access):
        await api.get(LIST, headers=key)
        await asyncio.sleep(FLUSH_S + 0.3)
        assert not access.limits.has_untold


async def test_a_flood_of_refusals_is_two_lines_of_the_log_and_counted_in_the_trail_and_the_measures(
    service_url, keys, caplog
):
    key, refused = bearer(await keys.make()), 30
    with caplog.at_level(logging.INFO):
        async with guarded_api(service_url, rate_per_key=1) as (api, _):
            for _ in range(WINDOW_S + refused):
                await api.get(LIST, headers=key)

            async def told():
                return [record for record in caplog.records if "times" in vars(record)]

            await until(told)
            measures = (await api.client.get("/metrics", headers=bearer(await keys.make()))).text
    written = [vars(each)["access fields"] for each in caplog.records if "access fields" in vars(each)]
    one_by_one = sum(each["status"] == 429 for each in written)
    assert one_by_one + sum(vars(each)["times"] for each in await told()) == refused
    assert one_by_one < refused
    assert f'status="429"}} {refused}.0' in measures
    async with keys.owner.read() as session:
        events = await newest_events(session, 1)
    assert sum(each.times for each in events if each.event.result == "429") == refused


def test_windows_are_the_databases_clocks_once_it_was_heard():
    right, wrong = Limits(lambda: 5000.0), Limits(lambda: 5300.0)
    assert right.number != wrong.number
    for limits in (right, wrong):
        limits.keep_time_with(5000.2)
    assert right.number == wrong.number == 500
    assert wrong.take(Subject(1, "key:a", LIMIT)).reset_s == WINDOW_S


async def test_a_process_whose_clock_is_minutes_ahead_counts_with_the_others_and_forgets_nothing_of_theirs(
    service_url, keys
):
    key = bearer(await keys.make())
    async with (
        guarded_api(service_url, rate_per_key=10) as (one, first),
        guarded_api(service_url, rate_per_key=10) as (other, second),
    ):
        second.limits._clock = lambda: time.time() + 300
        for api, access in ((one, first), (other, second)):
            for _ in range(20):
                await api.get(LIST, headers=key)
            await access._flush()
        await second._note_used()
        assert abs(first.limits.number - second.limits.number) <= 1  # a window may just have ended
        async with first.database.read() as session:
            (kept,) = await run(
                session, "SELECT count(*) AS of_now FROM rate_windows WHERE number <= $1", first.limits.number
            )
    assert kept.of_now > 0
