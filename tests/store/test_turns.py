"""Callers take turns in a lane: nobody waits behind all that another has sent, and whoever is alone has it all."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from eci_payments.store.turns import ALONE_AFTER_S, SHARE, Turns

MOST = 64


def filled(*counts, clock=lambda: 0.0):
    """Turns with so many of each caller, one caller after the other."""
    turns: Turns[tuple[int, int]] = Turns(clock)
    for whose, count in enumerate(counts):
        for number in range(count):
            turns.add(whose, (whose, number))
    return turns


def test_one_caller_alone_has_whole_batches_in_the_order_of_arrival():
    turns = filled(150)
    batches = [turns.take(MOST) for _ in range(3)]
    assert [len(batch) for batch in batches] == [64, 64, 22]
    assert [item for batch in batches for item in batch] == [(0, number) for number in range(150)]
    assert len(turns) == 0


def test_what_another_sends_is_in_the_next_batch_whatever_waits():
    turns = filled(1000, 1)
    batch = turns.take(MOST)
    assert (1, 0) in batch
    assert len(batch) == SHARE + 1
    assert len(turns) == 1000 - SHARE


def test_a_backlog_goes_on_in_parts_for_a_moment_after_the_other_has_gone():
    now = [0.0]
    turns = filled(1000, 1, clock=lambda: now[0])
    turns.take(MOST)
    assert len(turns.take(MOST)) == SHARE
    now[0] = ALONE_AFTER_S
    assert len(turns.take(MOST)) == MOST


def test_many_callers_fill_a_batch_and_those_that_found_no_room_are_first_the_next_time():
    room = MOST // SHARE
    turns = filled(*[SHARE] * (room + 2))
    first, second = turns.take(MOST), turns.take(MOST)
    assert Counter(whose for whose, _ in first) == dict.fromkeys(range(room), SHARE)
    assert Counter(whose for whose, _ in second) == dict.fromkeys((room, room + 1), SHARE)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 70)), max_size=30),
    st.integers(1, MOST),
)
def test_everything_is_taken_once_and_each_callers_in_its_order(sent, most):
    turns: Turns[tuple[int, int]] = Turns(lambda: 0.0)
    added: Counter[int] = Counter()
    taken: list[tuple[int, int]] = []
    for whose, count in sent:
        for _ in range(count):
            turns.add(whose, (whose, added[whose]))
            added[whose] += 1
        taken += turns.take(most)
    while turns:
        batch = turns.take(most)
        assert 0 < len(batch) <= most
        taken += batch
    assert Counter(whose for whose, _ in taken) == +added
    for whose in added:
        assert [item for item in taken if item[0] == whose] == [(whose, n) for n in range(added[whose])]


@given(st.integers(2, 12), st.integers(SHARE, 500))
def test_nobody_waits_for_more_than_one_turn_of_each_other(callers, backlog):
    turns = filled(*[backlog] * (callers - 1), 1)
    last, batches = (callers - 1, 0), 0
    while last not in turns.take(MOST):
        batches += 1
    assert batches <= (callers - 1) * SHARE // MOST
