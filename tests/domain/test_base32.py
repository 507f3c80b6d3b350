"""Base32 as the standard library has it, and names that are drawn in its letters."""

from base64 import b32encode

from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.base32 import ALPHABET, base32, drawn


@given(st.binary(min_size=1, max_size=40))
def test_it_is_the_standard_librarys_without_padding(data):
    assert base32(data) == b32encode(data).decode().rstrip("=")


def test_every_letter_is_drawn_as_often_as_every_other():
    letters = drawn(bytes(range(256)))
    assert {letter: letters.count(letter) for letter in letters} == dict.fromkeys(ALPHABET, 8)
