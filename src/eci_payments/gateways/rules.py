"""Routing rules: which charges go to which accounts. Pure. The first rule that fits decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from eci_payments.domain.ids import MAX_SAFE_INTEGER, MerchantId
from eci_payments.domain.methods import Card, Instrument, PaymentMethod
from eci_payments.domain.quick import quick

T = TypeVar("T")


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A charge, as far as routing looks at it. ``amount_minor`` is in minor units of ``currency``."""

    merchant_id: MerchantId
    method: PaymentMethod
    currency: str
    amount_minor: int
    instrument: Instrument | None = None


@dataclass(frozen=True, slots=True)
class BinRange:
    """Card numbers that begin with ``first`` to ``last``: as many digits on both sides."""

    first: str
    last: str

    def holds(self, digits: str) -> bool:
        """Whether a number that begins with these digits lies in it. Fewer digits than the range has never do."""
        size = len(self.first)
        return len(digits) >= size and self.first <= digits[:size] <= self.last

    def covers(self, other: BinRange) -> bool:
        """Whether every number of the other range lies in this one."""
        size = len(self.first)
        return (
            size <= len(other.first) and self.first <= other.first[:size] and other.last[:size] <= self.last
        )


@dataclass(frozen=True, slots=True)
class AmountRange:
    """Amounts of one currency from ``least_minor`` to ``most_minor``, both included, in its minor units."""

    currency: str
    least_minor: int = 1
    most_minor: int = MAX_SAFE_INTEGER

    def covers(self, other: AmountRange) -> bool:
        """Whether every amount of the other range lies in this one."""
        return (
            self.currency == other.currency
            and self.least_minor <= other.least_minor
            and other.most_minor <= self.most_minor
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``accounts`` are tried in their order for charges that fit every condition; None is no condition."""

    name: str
    accounts: tuple[str, ...]
    merchants: frozenset[MerchantId] | None = None
    methods: frozenset[PaymentMethod] | None = None
    currencies: frozenset[str] | None = None
    amount: AmountRange | None = None
    bins: tuple[BinRange, ...] | None = None

    def fits(self, wanted: Wanted) -> bool:
        """Whether it decides where this charge goes."""
        return (
            _in(self.merchants, wanted.merchant_id)
            and _in(self.methods, wanted.method)
            and _in(self.currencies, wanted.currency)
            and self._fits_amount(wanted)
            and self._fits_card(wanted.instrument)
        )

    def may_fit(self, wanted: Wanted, *, amount_known: bool) -> bool:
        """Whether it could decide about this charge once its card, and if need be its amount, are known."""
        return (
            _in(self.merchants, wanted.merchant_id)
            and _in(self.methods, wanted.method)
            and _in(self.currencies, wanted.currency)
            and (self._fits_amount(wanted) if amount_known else self._fits_currency(wanted))
        )

    def covers(self, other: Rule) -> bool:
        """Whether every charge that fits the other rule fits this one: standing later, the other never decides."""
        currencies = other.currencies
        if other.amount is not None:
            currencies = frozenset({other.amount.currency})
        return (
            _includes(self.merchants, other.merchants)
            and _includes(self.methods, other.methods)
            and _includes(self.currencies, currencies)
            and (self.amount is None or (other.amount is not None and self.amount.covers(other.amount)))
            and (self.bins is None or _bins_cover(self.bins, other.bins))
        )

    def _fits_amount(self, wanted: Wanted) -> bool:
        amount = self.amount
        return amount is None or (
            amount.currency == wanted.currency
            and amount.least_minor <= wanted.amount_minor <= amount.most_minor
        )

    def _fits_currency(self, wanted: Wanted) -> bool:
        return self.amount is None or self.amount.currency == wanted.currency

    def _fits_card(self, instrument: Instrument | None) -> bool:
        if self.bins is None:
            return True
        return isinstance(instrument, Card) and any(bins.holds(instrument.number) for bins in self.bins)


def _in(wanted: frozenset[T] | None, value: T) -> bool:
    return wanted is None or value in wanted


def _includes(wider: frozenset[T] | None, narrower: frozenset[T] | None) -> bool:
    return wider is None or (narrower is not None and narrower <= wider)


def _bins_cover(wider: tuple[BinRange, ...], narrower: tuple[BinRange, ...] | None) -> bool:
    return narrower is not None and all(any(w.covers(n) for w in wider) for n in narrower)
