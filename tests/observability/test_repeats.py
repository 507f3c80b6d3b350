"""Lines that a flood would repeat: one of them, one with the number of the others, and a bound to their kinds."""

from __future__ import annotations

import asyncio

import pytest

from eci_payments.observability import repeats
from eci_payments.observability.repeats import SEVERAL, Repeats
from support.waiting import until


@pytest.fixture
def told():
    return []


@pytest.fixture
def lines(told):
    return Repeats(lambda kind, times: told.append((kind, times)), 0.01)


async def test_the_first_is_written_and_the_others_are_one_number(lines, told):
    assert [lines.is_first("a") for _ in range(5)] == [True, False, False, False, False]
    assert lines.is_first("b")
    await until(lambda: asyncio.sleep(0, told))
    assert told == [("a", 4)]


async def test_a_second_later_the_next_is_a_first_one_again(lines):
    assert lines.is_first("a")
    await asyncio.sleep(0.05)
    assert lines.is_first("a")


async def test_kinds_beyond_the_bound_are_counted_together(lines, told, monkeypatch):
    monkeypatch.setattr(repeats, "MOST", 3)
    assert [lines.is_first(kind) for kind in "abcdef"] == [True, True, True, False, False, False]
    await until(lambda: asyncio.sleep(0, told))
    assert told == [(SEVERAL, 3)]
