"""What the customer pays with, and what comes of it: published test cards, UPI addresses, banks and wallets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import assert_never

from eci_payments.domain.methods import Bank, Card, Instrument, Upi, Wallet
from eci_payments.gateways.adapters.simulator.declines import DeclineCode as D
from eci_payments.gateways.adapters.simulator.entry import State
from eci_payments.gateways.adapters.simulator.steering import After, Plan, Turn
from eci_payments.gateways.contract import ActionType


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an instrument makes of a charge. ``plan`` None: nothing of its own, the amount decides.

    ``code`` in the plan of an action is what the charge ends as, if the customer never acts.
    """

    plan: Plan | None = None
    action: ActionType | None = None
    capture_code: D | None = None
    """Accepted when authorized, declined with this when the money is to be taken."""


def _declined(code: D) -> Verdict:
    return Verdict(Plan(f"declined: {code}", State.DECLINED, code))


_GOOD = Verdict()
_REDIRECT = Verdict(Plan("redirect to the bank's page", State.ACTION), ActionType.REDIRECT)
_COLLECT = Verdict(Plan("collect request to the customer", State.ACTION), ActionType.UPI_COLLECT)
_INTENT = Verdict(Plan("link for the customer's UPI app", State.ACTION), ActionType.UPI_INTENT)

TEST_CARDS: dict[str, Verdict] = {
    "4242424242424242": _GOOD,
    "4000000000000002": _declined(D.DO_NOT_HONOR),
    "4000000000009995": _declined(D.INSUFFICIENT_FUNDS),
    "4000000000009987": _declined(D.LOST_OR_STOLEN),
    "4000000000009979": _declined(D.LOST_OR_STOLEN),
    "4000000000000069": _declined(D.EXPIRED_CARD),
    "4000000000000127": _declined(D.INCORRECT_CVC),
    "4000000000000119": _declined(D.PROCESSING_ERROR),
    "4000002500003155": _REDIRECT,
    "4000002760003184": _REDIRECT,
    "4000000000000341": Verdict(capture_code=D.DO_NOT_HONOR),
}
"""As the gateways publish them. Every other number that passes Luhn is approved."""

UPI_ADDRESSES: dict[str, Verdict] = {
    "success@razorpay": _GOOD,
    "failure@razorpay": _declined(D.DO_NOT_HONOR),
    "collect@simulator": _COLLECT,
    "deemed@simulator": Verdict(
        Plan("deemed, approved later", State.PENDING, turn=Turn(After.DEEMED, State.APPROVED))
    ),
    "expired@simulator": Verdict(
        Plan("nobody approves", State.ACTION, turn=Turn(After.SETTLEMENT, State.CANCELLED)),
        ActionType.UPI_COLLECT,
    ),
}
"""Every other address is approved."""

BANKS: dict[str, str] = {
    "HDFC": "HDFC Bank",
    "ICIC": "ICICI Bank",
    "KKBK": "Kotak Mahindra Bank",
    "PUNB": "Punjab National Bank",
    "SBIN": "State Bank of India",
    "UTIB": "Axis Bank",
}
WALLETS: dict[str, str] = {
    "amazonpay": "Amazon Pay",
    "freecharge": "Freecharge",
    "mobikwik": "MobiKwik",
    "paytm": "Paytm",
    "phonepe": "PhonePe",
}
"""Names for people, by code. They are approved, as is every code that is not below."""

ACCOUNT_CODES: dict[str, Verdict] = {
    "REDIRECT": _REDIRECT,
    "FAIL": _declined(D.DO_NOT_HONOR),
    "EMPTY": _declined(D.INSUFFICIENT_FUNDS),
    "LIMIT": _declined(D.LIMIT_EXCEEDED),
    "DOWN": _declined(D.ISSUER_UNAVAILABLE),
}
"""Codes of a bank or wallet that do not simply approve, in any case of letters."""


def verdict_on(instrument: Instrument | None, year_month: tuple[int, int]) -> Verdict:
    """What this instrument makes of a charge. ``year_month`` is now, for a card's expiry."""
    match instrument:
        case None:
            return _GOOD
        case Card():
            return _on_card(instrument, year_month)
        case Upi():
            return _INTENT if instrument.vpa is None else UPI_ADDRESSES.get(instrument.vpa.lower(), _GOOD)
        case Bank() | Wallet():
            return ACCOUNT_CODES.get(instrument.code.upper(), _GOOD)
        case _:
            assert_never(instrument)


def _on_card(card: Card, year_month: tuple[int, int]) -> Verdict:
    number = re.sub(r"[ -]", "", card.number)
    if not passes_luhn(number):
        return _declined(D.INVALID_CARD_NUMBER)
    full_year = card.exp_year + 2000 if card.exp_year < 100 else card.exp_year  # noqa: PLR2004 - two digits
    if (full_year, card.exp_month) < year_month:
        return _declined(D.EXPIRED_CARD)
    return TEST_CARDS.get(number, _GOOD)


def passes_luhn(number: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    if not (number.isascii() and number.isdigit()):
        return False
    digits = [int(d) for d in reversed(number)]
    doubled = (sum(divmod(2 * d, 10)) for d in digits[1::2])
    return (sum(digits[0::2]) + sum(doubled)) % 10 == 0


_BRANDS: tuple[tuple[str, str], ...] = (
    (r"3[47]", "amex"),
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", "mastercard"),
    (r"508[5-9]|60(?!11)|65[23]|8[12]", "rupay"),
    (r"4", "visa"),
)
"""The brand by the number's first digits; what is not here stays unnamed."""


def brand_of(instrument: Instrument | None) -> str | None:
    """The card's brand, which may be kept; None for what is no card."""
    if not isinstance(instrument, Card):
        return None
    return next((brand for start, brand in _BRANDS if re.match(start, instrument.number)), None)
