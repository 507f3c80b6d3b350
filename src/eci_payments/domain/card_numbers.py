"""What looks like a card number, wherever it stands: the one rule for what we refuse and for what we mask.

A card number is 13 to 19 digits (ISO/IEC 7812-1), the first of them 2 to 6, with a valid Luhn check digit, written
without a break or with spaces and dashes between groups. Digits that continue a longer unbroken row are not one.
What chance brings along: of other digits of that length and beginning one in ten has a valid check digit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST = 13
LONGEST = 19
_FIRST = frozenset({2, 3, 4, 5, 6})
_BREAKS = r"[ \t\u00a0\u00ad\u2000-\u200d\u202f\u2060\ufeff+\-\u2010-\u2015\u2212]{1,3}"
"""Between groups: spaces and dashes, also those of typography, the invisible ones, and the URL's plus for a space."""
_UNLETTERED = re.compile(rf"[^A-Za-z]{{{SHORTEST}}}")
"""So many characters without a letter stand in every card number, and in few other texts: these are told at once."""
_ROW = re.compile(rf"(?<!\d)\d(?:(?:{_BREAKS})?+\d){{{SHORTEST - 1},}}+")
_GROUP = re.compile(r"\d+")
_SPELT_BREAK = re.compile(r"%2[0BDbd]")
"""Space, plus and dash as a URL spells them: their digits are none of the number's."""


@dataclass(frozen=True, slots=True)
class CardNumberSpan:
    """Where card numbers stand in a text: one, or several that overlap. ``last4`` are the last digits of it."""

    start: int
    end: int
    last4: str


def passes_luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B). Digits only."""
    return bool(number) and number.isdecimal() and _Row(number, 0).passes_luhn(0, len(number))


def contains_card_number(text: str) -> bool:
    """Whether anything in the text looks like a card number."""
    return _may_hold_one(text) and next(card_number_spans(text), None) is not None


def _may_hold_one(text: str) -> bool:
    return _UNLETTERED.search(text) is not None or "%2" in text


def card_number_spans(text: str) -> Iterator[CardNumberSpan]:
    """Everything in the text that looks like a card number, from left to right, in time linear in its length."""
    if "%2" in text:
        text = _SPELT_BREAK.sub("   ", text)  # as long as before, so that places stay
    for found in _ROW.finditer(text):
        yield from _merged(_Row(found[0], found.start()))


def id_holds_card_number(text: str) -> bool:
    """Whether an order's or user's id holds what is a card's number by its issuer's first digits too.

    Ids are often made of digits, of dates for instance: of those only what a card network gives out is judged.
    Random ones of 24 hexadecimal digits and more are left alone.
    """
    if not _may_hold_one(text) or _RANDOM.fullmatch(text):
        return False
    plain = _ID_BREAKS.sub("-", text)
    spans = (plain[span.start : span.end].replace("-", "") for span in card_number_spans(plain))
    return any(_ISSUED.match(digits) for digits in spans)


_RANDOM = re.compile(r"(?=.*[A-Fa-f])[0-9A-Fa-f-]{24,}", re.ASCII)
_ID_BREAKS = re.compile(r"[._]")
_ISSUED = re.compile(
    r"4|5[0-8]|6[0-9]|2(?:2(?:2[1-9]|[3-9])|[3-6]|7(?:[01]|20))|3(?:[47]|[0689]|5(?:2[89]|[3-8]))"
)
"""How numbers of Visa, Mastercard, Maestro, RuPay, Discover, UnionPay, American Express, Diners and JCB begin."""


class _Row:
    """An unbroken row of digit groups, with sums that tell in one step whether any part of it passes Luhn."""

    def __init__(self, text: str, offset: int) -> None:
        places = [at for at, character in enumerate(text) if character.isdecimal()]
        self.digits = [int(text[at]) for at in places]
        self.starts = [offset + at for at in places]
        self.groups = self._groups(text)
        self._sums = [self._sums_where(even) for even in (0, 1)]

    def _sums_where(self, plain: int) -> list[int]:
        """Running sums that take digits at even places (0) or odd ones (1) plain, and the others doubled."""
        weighed = (digit if at % 2 == plain else _DOUBLED[digit] for at, digit in enumerate(self.digits))
        return list(accumulate(weighed, initial=0))

    @staticmethod
    def _groups(text: str) -> list[tuple[int, int]]:
        lengths = [len(group) for group in _GROUP.findall(text)]
        ends = list(accumulate(lengths))
        return [(end - length, end) for length, end in zip(lengths, ends, strict=True)]

    def passes_luhn(self, start: int, end: int) -> bool:
        """Whether digits start to end do: counted from the right, every second one is doubled."""
        sums = self._sums[(end - 1) % 2]
        return (sums[end] - sums[start]) % 10 == 0

    def numbers(self) -> Iterator[tuple[int, int]]:
        """Every run of whole groups that is a card number, as first and past-the-last digit."""
        for first, (start, _) in enumerate(self.groups):
            if self.digits[start] in _FIRST:
                yield from ((start, end) for end in self._ends(first, start) if self.passes_luhn(start, end))

    def _ends(self, first: int, start: int) -> Iterator[int]:
        for _, end in self.groups[first : first + LONGEST]:
            if end - start > LONGEST:
                return
            if end - start >= SHORTEST:
                yield end


def _merged(row: _Row) -> Iterator[CardNumberSpan]:
    """Overlapping numbers as one: which of them is the true one cannot be told, and none may be left standing."""
    open_start, open_end = 0, 0
    for start, end in row.numbers():
        if start >= open_end and open_end:
            yield _span(row, open_start, open_end)
        if start >= open_end:
            open_start = start
        open_end = max(open_end, end)
    if open_end:
        yield _span(row, open_start, open_end)


def _span(row: _Row, start: int, end: int) -> CardNumberSpan:
    last4 = "".join(map(str, row.digits[end - 4 : end]))
    return CardNumberSpan(row.starts[start], row.starts[end - 1] + 1, last4)


_DOUBLED = [sum(divmod(2 * digit, 10)) for digit in range(10)]
