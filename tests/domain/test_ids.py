"""Callers' ids: one canonical text for each, and nothing that could be mistaken for another."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.ids import MAX_SAFE_INTEGER, InvalidId, external_id, shown_id

ALNUM = string.ascii_letters + string.digits
ids = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", fullmatch=True)


@given(st.integers(1, MAX_SAFE_INTEGER))
def test_an_integer_and_its_text_are_one_id(number):
    assert external_id(number) == external_id(str(number)) == str(number)
    assert shown_id(str(number)) == number


@given(ids)
def test_a_text_comes_back_as_it_was(text):
    if text.isdigit() and int(text) > MAX_SAFE_INTEGER:
        with pytest.raises(InvalidId):
            external_id(text)
        return
    kept = external_id(text)
    assert kept == text
    shown = shown_id(kept)
    assert external_id(shown) == kept
    assert isinstance(shown, int) == bool(re.fullmatch("[1-9][0-9]*", text))


@given(st.one_of(st.text(max_size=70), st.integers(), st.floats(), st.booleans(), st.none(), st.binary()))
def test_anything_is_an_id_or_refused(value):
    try:
        kept = external_id(value)
    except InvalidId:
        return
    assert 1 <= len(kept) <= 64
    assert set(kept) <= set(ALNUM + "._-")
    assert kept[0] in ALNUM
    assert kept[-1] in ALNUM


@pytest.mark.parametrize(
    "value",
    [0, -1, True, 2**53, str(2**53), "0" * 10 + str(2**53), "", "a" * 65, "-a", "a-", ".", "a b", "a/b", "a\n",
     "\u0664\u0662", "é", "a\x00", 1.0, None, [], {}],
    ids=repr,
)  # fmt: skip
def test_what_is_no_id(value):
    with pytest.raises(InvalidId):
        external_id(value)


@pytest.mark.parametrize(
    ("text", "shown"), [("42", 42), ("042", "042"), ("0", "0"), ("4.2", "4.2"), ("a", "a")]
)
def test_only_canonical_integers_are_shown_as_integers(text, shown):
    assert shown_id(external_id(text)) == shown
