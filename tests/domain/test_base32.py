"""Base32 as the standard library has it."""

from base64 import b32encode

from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.base32 import base32


@given(st.binary(min_size=1, max_size=40))
def test_it_is_the_standard_librarys_without_padding(data):
    assert base32(data) == b32encode(data).decode().rstrip("=")
