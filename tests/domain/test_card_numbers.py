"""The rule for what looks like a card number."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.card_numbers import (
    CardNumberSpan,
    card_number_spans,
    contains_card_number,
    id_holds_card_number,
    passes_luhn,
)
from support.cards import card_numbers, grouped

PUBLISHED = [
    "4242424242424242",
    "4000000000000002",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
]


def luhn_by_the_book(number: str) -> bool:
    doubled = [int(digit) * 2 if at % 2 else int(digit) for at, digit in enumerate(reversed(number))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


@given(st.text("0123456789", min_size=1, max_size=40))
def test_luhn_as_in_the_standard(number):
    assert passes_luhn(number) == luhn_by_the_book(number)


@pytest.mark.parametrize("no_number", ["", "4242 4242", "x", "-1"])
def test_luhn_is_about_digits(no_number):
    assert not passes_luhn(no_number)


@pytest.mark.parametrize("number", PUBLISHED)
def test_published_test_cards_are_card_numbers(number):
    assert passes_luhn(number)
    assert list(card_number_spans(f"paid with {number}.")) == [
        CardNumberSpan(10, 10 + len(number), number[-4:])
    ]


@given(card_numbers(), st.data())
def test_a_card_number_is_found_plain_spaced_and_dashed(number, data):
    written = data.draw(grouped(number))
    before = data.draw(st.sampled_from(["", "card ", "n:", '{"n":"', "x", "\n", "1. ", "/%20", "\u200b"]))
    after = data.draw(st.sampled_from(["", " ok", '"}', "z", "\n", ".", " - 12/29"]))
    assert contains_card_number(before + written + after)


@pytest.mark.parametrize(
    "written",
    [
        "".join(chr(0xFF10 + int(digit)) for digit in "4242424242424242"),  # full-width digits
        "4242%204242%204242%204242",
        "4242+4242+4242+4242",
        "4242%2D4242%2d4242%2D4242",
        "4242\u00a04242\u202f4242\u20114242",
        "4242 - 4242 - 4242 - 4242",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        "12 4242 4242 4242 4242 99",
    ],
)
def test_other_ways_to_write_one_are_known(written):
    assert contains_card_number(written)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("4242424242424241", "fails Luhn"),
        ("424242424242", "too short"),
        ("42424242424242424242", "20 digits in one row"),
        ("1234567812345670", "begins with 1"),
        ("9007199254740991", "begins with 9: 2^53 - 1"),
        ("4242 4242\n4242 4242", "two lines are two numbers"),
        ("4242.4242.4242.4242", "dots are no breaks"),
        ("2026-11-23T06:57:27.123456Z", "an RFC 3339 time"),
        ("1795417047123", "milliseconds since 1970"),
        ("", "nothing"),
    ],
)
def test_what_is_no_card_number(text, why):
    assert not contains_card_number(text), why


def test_numbers_that_overlap_are_one_so_that_none_is_left_standing():
    # Groups 1 to 4 and 2 to 5 both pass: which is the true one cannot be told.
    text = "4242 4242 4242 4242 4242"
    assert list(card_number_spans(text)) == [CardNumberSpan(0, len(text), "4242")]


def test_several_numbers_are_found_one_by_one():
    found = list(card_number_spans("a 4242424242424242 b 5555-5555-5555-4444 c"))
    assert [span.last4 for span in found] == ["4242", "4444"]


@given(st.text("0123456789 -%x", max_size=200))
def test_spans_are_in_order_apart_and_within(text):
    end = 0
    for span in card_number_spans(text):
        assert end <= span.start < span.end <= len(text)
        end = span.end


@pytest.mark.parametrize(
    "unit", ["1", "4 ", "4 2 4", "424242424242 ", "%20", "4%20", "123456789012x", "+", "4   2"]
)
def test_time_grows_with_length_and_not_with_its_square(unit):
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        timings = []
        for _ in range(5):
            started = time.process_time()
            list(card_number_spans(text))
            timings.append(time.process_time() - started)
        return min(timings)

    assert seconds(160_000) < 40 * max(seconds(16_000), 0.002)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("5301250070000191", True),
        ("4242424242424242", True),
        ("order-5301250070000191", True),
        ("5301.2500.7000.0191", True),
        ("5301_2500_7000_0191", True),
        ("card5301250070000191x", True),
        ("378282246310005", True),
        ("2024112500000017", False),  # a date and a number, though Luhn passes
        ("5301250070000192", False),  # no check digit
        ("1732500000000", False),
        ("530125007000", False),
        ("f81d4fae-7dec-41d0-4242-424242424242", False),  # random
        ("f81d4fae7dec41d04242424242424242", False),
        ("ORD-2026-000001", False),
    ],
)
def test_ids_hold_a_card_number_only_where_a_network_gives_such_out(text, holds):
    assert id_holds_card_number(text) is holds
