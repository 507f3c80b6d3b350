"""Stripe's own units: where it counts a currency otherwise than ISO 4217 does.

Source: Stripe's documentation, "Supported currencies", zero-decimal, three-decimal and special-case currencies
(read November 2026 from stored copies).
"""

from __future__ import annotations

from eci_payments.domain.money import currency

_DIGITS: dict[str, int] = {"ISK": 2, "UGX": 2, "MGA": 0}
"""Digits at Stripe, where they are not those of ISO 4217."""
_LAST_DIGIT_ZERO = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Three-decimal currencies, of which Stripe takes amounts whose last digit is zero."""


class UnpayableAmount(ValueError):
    """An exact amount that Stripe cannot take; it is refused, never rounded."""


def to_stripe(amount_minor: int, code: str) -> int:
    """ISO 4217 minor units as Stripe counts them. Raises UnpayableAmount."""
    ours = currency(code).digits
    theirs = _DIGITS.get(code, ours)
    scaled = amount_minor * int(10**theirs)
    if scaled % int(10**ours):
        raise UnpayableAmount(f"{code} at this gateway has {theirs} decimal digits")
    amount = scaled // int(10**ours)
    if code in _LAST_DIGIT_ZERO and amount % 10:
        raise UnpayableAmount(f"the last digit of {code} must be zero at this gateway")
    if code in {"ISK", "UGX"} and amount % 100:
        raise UnpayableAmount(f"{code} at this gateway takes whole units only")
    return amount


def from_stripe(amount: int, code: str) -> int:
    """Stripe's integer as ISO 4217 minor units."""
    ours = currency(code).digits
    return amount * int(10**ours) // int(10 ** _DIGITS.get(code, ours))
