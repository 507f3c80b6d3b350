"""What gateways send as JSON: an object that can be stored, or none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.gateways.objects import json_object

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.dictionaries(TEXT, st.lists(TEXT | st.integers(-(2**60), 2**60) | st.none(), max_size=3), max_size=4)
)
def test_an_object_comes_as_it_is_but_for_what_no_database_holds(sent):
    found = json_object(json.dumps(sent).encode())
    shown = {
        name.replace("\x00", "\ufffd"): [plain(each) for each in values] for name, values in sent.items()
    }
    assert found == shown


def plain(value):
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value


def test_a_nul_is_replaced_wherever_it_stands():
    sent = {"a\x00": ["b\x00", {"c": "\x00"}], "d": "\\u0000"}
    assert json_object(json.dumps(sent).encode()) == {"a\ufffd": ["b\ufffd", {"c": "\ufffd"}], "d": "\\u0000"}


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"1", b'{"a":NaN}', b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":' + b"[" * 100_000]
)
def test_what_is_no_object_is_none(raw):
    assert json_object(raw) is None
