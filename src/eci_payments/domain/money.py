"""Money: an integer of minor units with its currency. No float anywhere."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from iso4217 import Currency as IsoCurrency

from eci_payments.domain.ids import MAX_SAFE_INTEGER

_DECIMAL_STRING = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)


class InvalidMoney(ValueError):
    """An amount or currency that is not exact money; the message says why, in plain words."""


class Currency(NamedTuple):
    """An ISO 4217 currency: its alphabetic code and how many decimal digits its minor unit has.

    A tuple, because amounts are remembered by it, and the hash of a dataclass is made anew each time.
    """

    code: str
    digits: int


@lru_cache(maxsize=512)
def currency(code: str) -> Currency:
    """The current ISO 4217 currency of this alphabetic code.

    Raises InvalidMoney for unknown and retired codes, and for codes without a minor unit (XAU, XXX).
    """
    try:
        found = IsoCurrency(code)
    except ValueError:
        raise InvalidMoney("is not a current ISO 4217 currency code") from None
    if found.exponent is None:
        raise InvalidMoney("is not a currency that money is paid in")
    return Currency(code, found.exponent)


def minor_units(amount: object, unit: Currency) -> int:
    """The integer of minor units of an amount in major units: an int, a Decimal or a decimal string.

    Exact or refused: raises InvalidMoney for zero, negative, non-finite, floats, exponents in strings,
    and for more digits than the currency has.
    """
    scaled = _exact(amount).scaleb(unit.digits)
    if scaled != scaled.to_integral_value():
        raise InvalidMoney(f"has more than the {unit.digits} decimal digits of {unit.code}")
    if scaled <= 0:
        raise InvalidMoney("must be greater than zero")
    if scaled > MAX_SAFE_INTEGER:
        raise InvalidMoney("is too large")
    return int(scaled)


@lru_cache(maxsize=4096)
def major_units(amount_minor: int, unit: Currency) -> Decimal:
    """The exact amount in major units, with the currency's digits: 14950 INR is 149.50."""
    return Decimal(amount_minor).scaleb(-unit.digits)


def _exact(amount: object) -> Decimal:
    if isinstance(amount, bool) or not isinstance(amount, int | str | Decimal):
        raise InvalidMoney("must be a number or a decimal string")
    if isinstance(amount, str) and not _DECIMAL_STRING.fullmatch(amount):
        raise InvalidMoney("must be a plain decimal such as 149.50")
    exact = Decimal(amount)
    if isinstance(amount, str) and len(amount) <= _MAX_DIGITS:
        return exact
    if not exact.is_finite():
        raise InvalidMoney("must be finite")
    if exact.adjusted() > _MAX_MAGNITUDE:
        raise InvalidMoney("is too large")
    if exact.adjusted() < -_MAX_MAGNITUDE or len(exact.as_tuple().digits) > _MAX_DIGITS:
        raise InvalidMoney("has too many digits")
    return exact


_MAX_MAGNITUDE = 20
_MAX_DIGITS = 25
"""Digits kept exact by Python's default decimal context are 28; anything near it is no amount of money."""
