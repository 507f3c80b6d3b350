"""Payment details: the instrument of one charge. Card numbers live here and nowhere else on the wire."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from eci_payments.api.schemas.closed import Closed
from eci_payments.api.schemas.fields import Code, Name, Vpa
from eci_payments.domain.card_numbers import passes_luhn
from eci_payments.domain.methods import Bank, Card, Instrument, Upi, Wallet

_WRITTEN = re.compile(r"[0-9]{1,7}(?:[ -][0-9]{1,7}){1,7}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{12,19}", re.ASCII)


def _joined(value: object) -> object:
    """The digits of a number that is written in groups, with spaces or dashes between them."""
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        return value.replace(" ", "").replace("-", "")
    return value


def _card_number(value: str) -> str:
    if not _NUMBER.fullmatch(value) or not passes_luhn(value):
        raise ValueError("is not a valid card number")
    return value


class CardDetails(Closed):
    """A card, on its way to the gateway. Neither number nor security code is ever stored."""

    number: Annotated[
        str,
        BeforeValidator(_joined),
        AfterValidator(_card_number),
        Field(
            repr=False,
            description="12 to 19 digits with a valid Luhn check digit; groups may have spaces or dashes between.",
            json_schema_extra={"pattern": "^[0-9][0-9 -]{10,25}[0-9]$"},
            examples=["4242424242424242"],
        ),
    ]
    exp_month: Annotated[int, Field(ge=1, le=12)]
    exp_year: Annotated[int, Field(ge=2000, le=2099)]
    cvc: Annotated[str, StringConstraints(pattern=r"^[0-9]{3,4}$"), Field(repr=False, examples=["123"])]
    holder: Name | None = None


class UpiDetails(Closed):
    """A UPI address to collect from; without one the gateway is asked for an intent link."""

    vpa: Vpa | None = None


class BankDetails(Closed):
    """The customer's bank, by the gateway's code."""

    code: Code


class WalletDetails(Closed):
    """The customer's wallet, by the gateway's code."""

    code: Code


class PaymentDetails(Closed):
    """At most one instrument, fitting the payment's method."""

    card: CardDetails | None = None
    upi: UpiDetails | None = None
    bank: BankDetails | None = None
    wallet: WalletDetails | None = None

    @model_validator(mode="after")
    def _at_most_one(self) -> PaymentDetails:
        if len(self.given()) > 1:
            raise ValueError("must hold at most one of card, upi, bank, wallet")
        return self

    def given(self) -> list[CardDetails | UpiDetails | BankDetails | WalletDetails]:
        """The instruments that are there."""
        return [each for each in (self.card, self.upi, self.bank, self.wallet) if each is not None]

    def instrument(self) -> Instrument | None:
        """The instrument in the domain's words."""
        if self.card is not None:
            card = self.card
            return Card(card.number, card.exp_month, card.exp_year, card.cvc, card.holder)
        if self.upi is not None:
            return Upi(self.upi.vpa)
        if self.bank is not None:
            return Bank(self.bank.code)
        return Wallet(self.wallet.code) if self.wallet is not None else None
