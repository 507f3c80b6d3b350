"""A gateway's bulkhead and breaker: who is let through, who waits, who is turned away and sends nothing."""

from __future__ import annotations

import asyncio

import pytest

from eci_payments.domain.breaker import FIRST_PAUSE_S, BreakerState
from eci_payments.gateways.guard import LEAST_QUESTIONS, Guard, Pass, Places, Turned


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def entered(guard: Guard, what: str = "charge", wait_s: float | None = None) -> Pass:
    taken = await guard.enter(what, wait_s)
    assert isinstance(taken, Pass)
    return taken


async def tried(guard: Guard, *, well: bool, times: int = 1) -> None:
    for _ in range(times):
        guard.leave(await entered(guard), well=well)


def state_of(guard: Guard) -> BreakerState:
    return guard.breaker


async def test_so_many_at_once_and_no_more():
    guard = Guard("g", max_calls=2, max_wait_s=0)
    first, _ = await entered(guard), await entered(guard)
    assert isinstance(await guard.enter("charge"), Turned)
    assert guard.in_flight == 2
    guard.leave(first, well=True)
    await entered(guard)


async def test_who_waits_gets_the_place_that_becomes_free_and_in_turn():
    guard = Guard("g", max_calls=1, max_wait_s=30)
    held = await entered(guard)
    order: list[int] = []

    async def one(number: int) -> None:
        taken = await entered(guard)
        order.append(number)
        guard.leave(taken, well=True)

    waiting = [asyncio.create_task(one(1))]
    await asyncio.sleep(0)
    assert guard.is_full
    assert not guard.admits
    assert isinstance(await guard.enter("charge"), Turned)
    guard.leave(held, well=True)
    await asyncio.gather(*waiting)
    assert (order, guard.in_flight) == ([1], 0)


async def test_a_wait_ends_with_the_time_of_whoever_waits():
    guard = Guard("g", max_calls=1, max_wait_s=30)
    held = await entered(guard)
    assert isinstance(await guard.enter("charge", 0.01), Turned)
    assert isinstance(await guard.enter("charge", -1.0), Turned)
    guard.leave(held, well=True)
    await entered(guard)


async def test_who_gives_up_loses_no_place():
    places = Places(1)
    assert await places.take(0)
    waiting = asyncio.create_task(places.take(30))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    second = asyncio.create_task(places.take(30))
    await asyncio.sleep(0)
    places.give_back()  # handed over, and then whoever had waited for it goes away
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert places.taken == 0
    assert await places.take(0)


async def test_questions_have_places_of_their_own():
    guard = Guard("g", max_calls=1, max_wait_s=0)
    await entered(guard)
    asked = [await entered(guard, "inquire") for _ in range(LEAST_QUESTIONS)]
    assert isinstance(await guard.enter("inquire"), Turned)
    guard.leave(asked[0], well=False)
    await entered(guard, "list_instruments")


async def test_the_breaker_opens_after_failures_in_a_row_probes_and_closes():
    clock = Clock()
    guard = Guard("g", max_wait_s=0, breaker_failures=3, clock=clock)
    await tried(guard, well=False, times=2)
    await tried(guard, well=True)
    await tried(guard, well=False, times=3)
    assert state_of(guard) is BreakerState.OPEN
    for what in ("charge", "prepare", "refund", "capture"):
        assert isinstance(await guard.enter(what), Turned)
    guard.leave(await entered(guard, "inquire"), well=False)
    clock.now += FIRST_PAUSE_S
    probe = await entered(guard)
    assert isinstance(await guard.enter("charge"), Turned)
    guard.leave(probe, well=False)
    assert state_of(guard) is BreakerState.OPEN
    clock.now += FIRST_PAUSE_S
    assert state_of(guard) is BreakerState.OPEN
    clock.now += FIRST_PAUSE_S
    guard.leave(await entered(guard), well=True)
    assert state_of(guard) is BreakerState.CLOSED
    await entered(guard)
    await entered(guard)


async def test_a_probe_that_was_broken_off_says_nothing_and_another_may_go():
    clock = Clock()
    guard = Guard("g", max_wait_s=0, breaker_failures=1, clock=clock)
    await tried(guard, well=False)
    clock.now += FIRST_PAUSE_S
    guard.leave(await entered(guard), well=None)
    assert state_of(guard) is BreakerState.HALF_OPEN
    await entered(guard)


async def test_questions_neither_open_nor_close_it():
    guard = Guard("g", breaker_failures=1, clock=Clock())
    guard.leave(await entered(guard, "inquire"), well=False)
    assert state_of(guard) is BreakerState.CLOSED
    await tried(guard, well=False)
    guard.leave(await entered(guard, "inquire"), well=True)
    assert state_of(guard) is BreakerState.OPEN


async def test_who_waited_while_it_opened_is_turned_away_and_leaves_the_place():
    guard = Guard("g", max_calls=1, max_wait_s=30, breaker_failures=1, clock=Clock())
    held = await entered(guard)
    waiting = asyncio.create_task(guard.enter("charge"))
    await asyncio.sleep(0)
    guard.leave(held, well=False)
    assert isinstance(await waiting, Turned)
    assert guard.in_flight == 0


async def test_without_a_breaker_nothing_opens():
    guard = Guard("g")
    await tried(guard, well=False, times=100)
    assert state_of(guard) is BreakerState.CLOSED
