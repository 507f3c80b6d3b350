"""How a customer pays: the methods, and the instrument of one of them on its way to a gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class PaymentMethod(StrEnum):
    """The six methods of the wire contract."""

    CREDIT_CARD = "CREDIT_CARD"
    DEBIT_CARD = "DEBIT_CARD"
    UPI = "UPI"
    WALLET = "WALLET"
    NET_BANKING = "NET_BANKING"
    COD = "COD"


@dataclass(frozen=True, slots=True)
class Card:
    """A card in memory, on its way to a gateway; ``number`` and ``cvc`` never show in a repr."""

    number: str = field(repr=False)
    exp_month: int = field(repr=False)
    exp_year: int = field(repr=False)
    cvc: str = field(repr=False)
    holder: str | None = field(default=None, repr=False)

    @property
    def last4(self) -> str:
        """The last four digits: with the brand, all that may be kept (PCI DSS 3.4.1)."""
        return self.number[-4:]

    @property
    def bin(self) -> str:
        """The first six digits, by which a charge may be routed."""
        return self.number[:6]


@dataclass(frozen=True, slots=True)
class Upi:
    """A UPI address to collect from; None asks the gateway for an intent link instead."""

    vpa: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Bank:
    """The customer's bank, by the gateway's code."""

    code: str


@dataclass(frozen=True, slots=True)
class Wallet:
    """The customer's wallet, by the gateway's code."""

    code: str


Instrument = Card | Upi | Bank | Wallet

INSTRUMENT_OF: dict[PaymentMethod, type[Instrument] | None] = {
    PaymentMethod.CREDIT_CARD: Card,
    PaymentMethod.DEBIT_CARD: Card,
    PaymentMethod.UPI: Upi,
    PaymentMethod.WALLET: Wallet,
    PaymentMethod.NET_BANKING: Bank,
    PaymentMethod.COD: None,
}
"""Which instrument fits which method."""
