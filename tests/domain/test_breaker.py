from __future__ import annotations

import pytest

from eci_payments.delivery.blame import blames_peer
from eci_payments.domain.breaker import (
    FAILURES_TO_OPEN,
    FIRST_PAUSE_S,
    MAX_PAUSE_S,
    Breaker,
    BreakerState,
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def fail(breaker: Breaker, times: int = FAILURES_TO_OPEN) -> None:
    for _ in range(times):
        breaker.failed()


def test_it_stays_closed_until_failures_come_in_a_row(breaker: Breaker):
    fail(breaker, FAILURES_TO_OPEN - 1)
    breaker.succeeded()
    fail(breaker, FAILURES_TO_OPEN - 1)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allowance(free=30, in_flight=2) == 30


def test_it_opens_and_lets_nothing_pass(breaker: Breaker):
    fail(breaker)
    assert breaker.state is BreakerState.OPEN
    assert breaker.allowance(free=30, in_flight=0) == 0
    assert breaker.wait_s() == FIRST_PAUSE_S


def test_after_the_pause_one_delivery_finds_out(breaker: Breaker, clock: Clock):
    fail(breaker)
    clock.now += FIRST_PAUSE_S
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.allowance(free=30, in_flight=0) == 1
    assert breaker.allowance(free=29, in_flight=1) == 0
    breaker.succeeded()
    assert breaker.allowance(free=30, in_flight=0) == 30


def test_each_failed_probe_doubles_the_pause_up_to_a_bound(breaker: Breaker, clock: Clock):
    fail(breaker)
    pauses = []
    for _ in range(8):
        clock.now += breaker.wait_s()
        breaker.failed()
        pauses.append(breaker.wait_s())
    assert pauses[:3] == [2.0, 4.0, 8.0]
    assert pauses[-1] == MAX_PAUSE_S


def test_deliveries_that_were_on_their_way_do_not_lengthen_the_pause(breaker: Breaker, clock: Clock):
    fail(breaker)
    clock.now += 0.5
    fail(breaker, 40)
    assert breaker.wait_s() == FIRST_PAUSE_S - 0.5


def test_a_success_begins_from_the_shortest_pause_again(breaker: Breaker, clock: Clock):
    fail(breaker)
    clock.now += FIRST_PAUSE_S
    breaker.failed()
    breaker.succeeded()
    fail(breaker)
    assert breaker.wait_s() == FIRST_PAUSE_S


def test_the_peers_own_wish_counts_within_our_bound(breaker: Breaker):
    fail(breaker, FAILURES_TO_OPEN - 1)
    breaker.failed(retry_after_s=10)
    assert breaker.wait_s() == 10
    other = Breaker(Clock())
    fail(other, FAILURES_TO_OPEN - 1)
    other.failed(retry_after_s=86_400)
    assert other.wait_s() == MAX_PAUSE_S


@pytest.mark.parametrize("status", [None, 429, 500, 503])
def test_no_answer_and_these_answers_speak_of_the_peer(status: int | None):
    assert blames_peer(status)


@pytest.mark.parametrize("status", [204, 307, 404, 409, 410])
def test_other_answers_speak_of_one_delivery(status: int):
    assert not blames_peer(status)
