from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.delivery.backoff import (
    MAX_DELAY_S,
    MAX_RETRY_AFTER_S,
    Again,
    Park,
    after_failure,
    delay_s,
    retry_after_s,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY_S = 24 * 3600.0
tries = st.integers(1, 10_000)
spreads = st.floats(0, 1, exclude_max=True)


def test_the_first_tries_follow_at_one_and_two_seconds():
    assert [delay_s(1, spread) for spread in (0.0, 0.9)] == [1.0, 1.0]
    assert [delay_s(2, spread) for spread in (0.0, 0.9)] == [2.0, 2.0]


@given(tries, spreads)
def test_pauses_are_positive_and_at_most_an_hour(count: int, spread: float):
    assert 1.0 <= delay_s(count, spread) <= MAX_DELAY_S


@given(st.integers(2, 10_000), spreads)
def test_a_pause_is_never_shorter_than_half_of_the_doubled_one(count: int, spread: float):
    assert delay_s(count, spread) >= min(2.0 ** min(count - 1, 20), MAX_DELAY_S) / 2


@given(st.integers(3, 11), spreads, spreads)
def test_until_the_longest_pauses_do_not_shrink(count: int, one: float, other: float):
    assert delay_s(count + 1, one) >= delay_s(count, other)


@given(tries, st.floats(0, 3 * DAY_S), spreads, st.integers(100, 599).filter(lambda s: s != 410) | st.none())
def test_nothing_is_parked_before_its_time_and_everything_after_it(count, age_s, spread, status):
    follows = after_failure(
        tries=count, age_s=age_s, max_age_s=DAY_S, status=status, retry_after_s=None, spread=spread
    )
    assert isinstance(follows, Park if age_s >= DAY_S else Again)


@given(tries, st.floats(0, DAY_S, exclude_max=True), spreads)
def test_the_last_try_falls_on_the_end_of_the_time_not_beyond(count: int, age_s: float, spread: float):
    follows = after_failure(
        tries=count, age_s=age_s, max_age_s=DAY_S, status=500, retry_after_s=None, spread=spread
    )
    assert isinstance(follows, Again)
    assert age_s + follows.delay_s <= DAY_S * (1 + 1e-9)


@given(tries, st.floats(0, 1e9), spreads)
def test_a_peers_own_wish_is_honoured_within_a_day(count: int, wish_s: float, spread: float):
    follows = after_failure(
        tries=count, age_s=0, max_age_s=3 * DAY_S, status=429, retry_after_s=wish_s, spread=spread
    )
    assert isinstance(follows, Again)
    assert follows.delay_s >= min(wish_s, MAX_RETRY_AFTER_S)
    assert follows.delay_s <= max(MAX_RETRY_AFTER_S, MAX_DELAY_S)


def test_410_parks_at_once():
    follows = after_failure(tries=1, age_s=0, max_age_s=DAY_S, status=410, retry_after_s=5, spread=0)
    assert isinstance(follows, Park)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
        ("Sun Nov  6 08:49:37 1994", 0.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 40, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None):
    assert retry_after_s(header, NOW) == seconds


@given(st.text() | st.text("0123456789 :,+-JanGMTSu", max_size=70))
def test_no_retry_after_breaks_the_relay(header: str):
    seconds = retry_after_s(header, NOW)
    assert seconds is None or seconds >= 0
