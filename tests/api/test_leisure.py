"""Refusals are answered one in each turn of the event loop, so that a flood of them holds up nothing else."""

from __future__ import annotations

import asyncio

from eci_payments.api import leisure
from eci_payments.api.leisure import Leisure


async def refused(waits, number, answered):
    await waits.turn()
    answered.append(number)


async def test_one_is_answered_in_each_turn_of_the_loop_and_in_the_order_of_arrival():
    waits, answered = Leisure(), list[int]()
    flood = [asyncio.ensure_future(refused(waits, number, answered)) for number in range(50)]
    seen = []
    while len(answered) < len(flood):
        await asyncio.sleep(0)
        seen.append(len(answered))
    assert max(after - before for before, after in zip([0, *seen], seen, strict=False)) == 1
    assert answered == list(range(50))


async def test_who_hung_up_holds_up_nobody():
    waits, answered = Leisure(), list[int]()
    flood = [asyncio.ensure_future(refused(waits, number, answered)) for number in range(5)]
    await asyncio.sleep(0)
    flood[0].cancel()
    flood[3].cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    assert answered == [1, 2, 4]
    await refused(waits, 5, answered)
    assert answered[-1] == 5


async def test_more_than_the_bound_are_answered_at_once(monkeypatch):
    monkeypatch.setattr(leisure, "WAITING_MAX", 3)
    waits, answered = Leisure(), list[int]()
    flood = [asyncio.ensure_future(refused(waits, number, answered)) for number in range(5)]
    await asyncio.sleep(0)
    assert answered == [3, 4]
    await asyncio.gather(*flood)
    assert answered == [3, 4, 0, 1, 2]
