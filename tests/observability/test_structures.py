"""Values for a log line: masked by form and by name, bounded, and nothing that JSON does not know."""

from __future__ import annotations

import json
from collections import UserDict
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.observability.masking import CUT
from eci_payments.observability.structures import MAX_VALUES, OWN_IDS, Masker, shortened, text_of
from support.cards import card_numbers

PAN = 4242424242424242


class Word(StrEnum):
    ONE = "one"


class Small(IntEnum):
    TWO = 2


class Odd:
    def __str__(self) -> str:
        raise RuntimeError("no")


class OddMapping(UserDict[str, str]):
    def items(self):
        raise RuntimeError("no")


def masked(value: object, name: str = "") -> object:
    return Masker().value(value, name)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (42, 42),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (4242424242424242.0, "****-****-****-4242.0"),
        (0.4532015112830366, 0.4532015112830366),
        (Decimal("149.50"), "149.50"),
        (Word.ONE, "one"),
        (Small.TWO, 2),
        (PAN, "****-****-****-4242"),
        (-PAN, "-****-****-****-4242"),
        (2**53 - 1, 2**53 - 1),
        (b"cvc=123 \xff", "cvc=**** \\xff"),
        ("a@b.in", "****@****"),
        ("\ud800", "?"),
        (Odd(), "<Odd that cannot be shown: RuntimeError>"),
        (("a", {"b"}), ["a", ["b"]]),
        ({"cvc": 123, "deep": [{"Holder": "Asha"}]}, {"cvc": "****", "deep": [{"Holder": "****"}]}),
        ({"number": str(PAN)}, {"number": "****-****-****-4242"}),
        ({"number": "n/a", "name": None}, {"number": "****", "name": None}),
        ({"password": ["a", "b"]}, {"password": "****"}),
        ({1: "x", f"{PAN}": "y"}, {"1": "x", "****-****-****-4242": "y"}),
        (OddMapping(), "<OddMapping that cannot be shown: RuntimeError>"),
        (ValueError("pin=1234"), "pin=****"),
    ],
)
def test_values_as_they_are_shown(value, shown):
    assert masked(value) == shown


def test_an_integer_that_no_reader_takes_is_told_by_its_size():
    assert masked(10**5000) == "an integer of 16610 bits"


@pytest.mark.parametrize("name", sorted(OWN_IDS))
def test_our_own_integer_ids_are_never_taken_for_a_card_number(name):
    assert masked(PAN, name) == PAN
    assert masked({name: PAN}) == {name: PAN}
    assert masked(str(PAN), name) == "****-****-****-4242"


@pytest.mark.parametrize("name", ["order_id", "user_id", "id", ""])
def test_the_ids_of_others_are(name):
    assert masked(PAN, name) == "****-****-****-4242"


_names = st.sampled_from(["order_id", "reason", "cvc", "name", "x", "card"])


@given(
    card_numbers(),
    st.recursive(
        st.just("PAN"), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3)
    ),
)
def test_a_card_number_never_survives_at_any_depth(number, shape):
    def filled(part: object) -> object:
        if isinstance(part, Mapping):
            return {name: filled(each) for name, each in part.items()}
        return [filled(each) for each in part] if isinstance(part, list) else number

    assert not contains_card_number(json.dumps(masked(filled(shape))))


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(_anything)
def test_whatever_comes_out_is_strict_json(value):
    json.loads(json.dumps(masked(value), allow_nan=False).encode("ascii"))


def test_what_is_too_deep_or_too_much_is_cut():
    deep: list[object] = []
    deep.append(deep)
    assert CUT in json.dumps(masked(deep))
    many = masked([[n] * 100 for n in range(100)])
    assert len(json.dumps(many)) < 20 * MAX_VALUES


def test_long_text_loses_its_middle():
    assert text_of("a" * 5000 + "z", 100) == "a" * 50 + CUT + "a" * 49 + "z"
    assert shortened("abc", 3) == "abc"
