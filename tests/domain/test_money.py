"""Money is exact or refused, in every currency and however it is written."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.ids import MAX_SAFE_INTEGER
from eci_payments.domain.money import InvalidMoney, currency, major_units, minor_units

UNITS = [currency(code) for code in ("INR", "JPY", "KWD", "CLF", "USD", "BHD", "ISK", "UYW")]
units = st.sampled_from(UNITS)
minors = st.integers(1, MAX_SAFE_INTEGER)


def written(minor, digits):
    """The amount as people write it, made of its digits alone."""
    text = str(minor).zfill(digits + 1)
    return text if not digits else f"{text[:-digits]}.{text[-digits:]}"


@given(units, minors)
def test_there_and_back(unit, minor):
    major = major_units(minor, unit)
    assert major.as_tuple().exponent == -unit.digits
    assert minor_units(major, unit) == minor
    assert minor_units(str(major), unit) == minor
    assert str(major) == written(minor, unit.digits)


@given(units, minors)
def test_any_way_of_writing_it(unit, minor):
    text = written(minor, unit.digits)
    assert minor_units(f"00{text}", unit) == minor
    if unit.digits:
        assert minor_units(text.rstrip("0").rstrip("."), unit) == minor


@given(units, st.integers(1, 10**9))
def test_whole_numbers(unit, whole):
    assert minor_units(whole, unit) == whole * 10**unit.digits


@given(units, minors, st.integers(1, 9), st.integers(0, 18))
def test_more_digits_are_refused_never_rounded(unit, minor, digit, zeros):
    text = written(minor, unit.digits)
    tail = "0" * max(0, min(zeros, 19 - unit.digits)) + str(digit)
    finer = f"{text}{tail}" if unit.digits else f"{text}.{tail}"
    for amount in (finer, Decimal(finer)):
        with pytest.raises(InvalidMoney):
            minor_units(amount, unit)


@given(units, st.integers(MAX_SAFE_INTEGER + 1, 10**30))
def test_too_large(unit, minor):
    for amount in (Decimal(minor).scaleb(-unit.digits), written(minor, unit.digits)):
        with pytest.raises(InvalidMoney):
            minor_units(amount, unit)


REFUSED: list[object] = [
    0, -1, True, False, None, 1.0, 1.5, [], {}, b"1", "", " ", "-1", "+1", "1e2", "1E2", "1,000", "1_000", ".5", "5.",
    "NaN", "Infinity", "0x10", "1\n", "\u0661", "0", "0.00", "1 ", "\x00", "1" * 21, "1." + "0" * 21,
    Decimal(0), Decimal("-0.01"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e400"),
    Decimal("1e-400"), Decimal("0e-400"), 10**400, "900000000.00000000000000000001",
]  # fmt: skip


@pytest.mark.parametrize("amount", REFUSED, ids=repr)
def test_what_is_no_amount(amount):
    for unit in UNITS:
        with pytest.raises(InvalidMoney):
            minor_units(amount, unit)


@given(st.one_of(st.text(max_size=40), st.decimals(), st.floats(), st.integers()), units)
def test_anything_is_an_amount_or_refused(amount, unit):
    try:
        minor = minor_units(amount, unit)
    except InvalidMoney:
        return
    assert 0 < minor <= MAX_SAFE_INTEGER
    assert Decimal(amount) == major_units(minor, unit)


@pytest.mark.parametrize(
    "code", ["XAU", "XXX", "XTS", "HRK", "DEM", "inr", "IN", "INRR", "", "Inr", "356", "\x00"]
)
def test_what_is_no_currency(code):
    with pytest.raises(InvalidMoney):
        currency(code)


@pytest.mark.parametrize(("code", "digits"), [("INR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("EUR", 2)])
def test_digits_of_iso_4217(code, digits):
    assert currency(code).digits == digits
