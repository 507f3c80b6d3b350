"""Names that are drawn in the letters of base32."""

from eci_payments.domain.base32 import ALPHABET, drawn


def test_every_letter_is_drawn_as_often_as_every_other():
    letters = drawn(bytes(range(256)))
    assert {letter: letters.count(letter) for letter in letters} == dict.fromkeys(ALPHABET, 8)
