"""Card numbers for property tests: valid ones of every length, and the ways that people write them."""

from __future__ import annotations

from hypothesis import strategies as st

_BREAKS = [" ", "-", "  ", " - ", "\u00a0", "\u2011", "\t"]


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    """13 to 19 digits, the first of them 2 to 6, with their check digit."""
    length = draw(st.integers(13, 19))
    first = draw(st.sampled_from("23456"))
    body = first + draw(st.text("0123456789", min_size=length - 2, max_size=length - 2))
    return body + check_digit(body)


@st.composite
def grouped(draw: st.DrawFn, number: str) -> str:
    """The number as it is, or in groups with one kind of break between them."""
    cuts = sorted(draw(st.sets(st.integers(1, len(number) - 1), max_size=6)))
    parts = [number[start:end] for start, end in zip([0, *cuts], [*cuts, len(number)], strict=True)]
    return draw(st.sampled_from(_BREAKS)).join(parts)


def check_digit(body: str) -> str:
    """The digit that makes ``body`` + digit pass Luhn."""
    total = 0
    for at, digit in enumerate(reversed(body)):
        value = int(digit) * (1 if at % 2 else 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
