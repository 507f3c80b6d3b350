"""What a charge is held against before it begins: the merchant's limits and its block list. Pure.

Counted are charges that were begun and have not failed: of their present attempt, neither FAILED nor CANCELLED. So an
unknown outcome counts, a declined charge is given free by its own conclusion, and money that was refunded still counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.domain.errors import FieldError, Refusal, RefusalCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eci_payments.domain.ids import MerchantId, PaymentId
    from eci_payments.domain.limits import Limit
    from eci_payments.domain.payment import Payment


@dataclass(frozen=True, slots=True)
class Window:
    """A limit over time, and whose charges count towards it: one subject, or a card under each of its fingerprints."""

    limit: Limit
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One charge, as it is screened. ``counts`` are the subjects for which it counts if it begins.

    ``payment_id`` is the payment that is charged, where it is known: what it has counted itself is left out.
    """

    merchant_id: MerchantId
    currency: str
    actor: str
    about: str
    origin: str | None = None
    correlation_id: str | None = None
    payment_id: PaymentId | None = None
    most: Limit | None = None
    windows: tuple[Window, ...] = ()
    blocked: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """That a charge counts for a subject."""

    merchant_id: MerchantId
    subject: str
    payment_id: PaymentId
    attempt: int
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Total:
    """What counts in a window: an amount in minor units, and a number of charges."""

    amount_minor: int = 0
    charges: int = 0

    def __add__(self, other: Total) -> Total:
        return Total(self.amount_minor + other.amount_minor, self.charges + other.charges)


NOTHING = Total()
Place = tuple[int, str, str, int, int]
"""Merchant, subject, currency, seconds of the window, and the payment that is left out (0: none)."""


def place(screen: Screen, window: Window, subject: str) -> Place:
    """Under what a window's total of a subject is kept."""
    return (
        screen.merchant_id, subject, screen.currency, window.limit.window_s or 0, screen.payment_id or 0,
    )  # fmt: skip


def uses(screen: Screen, payment: Payment) -> tuple[Use, ...]:
    """What a charge that begins counts for."""
    return tuple(
        Use(
            payment.merchant_id,
            subject,
            payment.payment_id,
            payment.attempt,
            payment.currency,
            payment.amount_minor,
        )
        for subject in screen.counts
    )


def why_not(
    screen: Screen,
    amount_minor: int,
    totals: Mapping[Place, Total],
    beside: Sequence[Use],
    blocked: frozenset[tuple[int, str]],
) -> str | None:
    """Why this charge may not begin, in words for the trail; None when it may. ``beside`` begin in the same commit."""
    if screen.most is not None and amount_minor > (screen.most.amount_minor or 0):
        return ABOVE_ONE
    for subject in screen.blocked:
        if (screen.merchant_id, subject) in blocked:
            return f"blocked {subject.partition(':')[0]}"
    for window in screen.windows:
        if _exceeds(window.limit, _total(screen, window, totals, beside) + Total(amount_minor, 1)):
            return f"{window.limit.kind} limit"
    return None


ABOVE_ONE = "charge limit"


def _exceeds(limit: Limit, total: Total) -> bool:
    return (limit.amount_minor is not None and total.amount_minor > limit.amount_minor) or (
        limit.charges is not None and total.charges > limit.charges
    )


def _total(screen: Screen, window: Window, totals: Mapping[Place, Total], beside: Sequence[Use]) -> Total:
    total = NOTHING
    for subject in window.subjects:
        total += totals.get(place(screen, window, subject), NOTHING)
    for use in beside:
        same = use.merchant_id == screen.merchant_id and use.currency == screen.currency
        if same and use.subject in window.subjects:
            total += Total(use.amount_minor, 1)
    return total


def refusal(why: str) -> Refusal:
    """What the caller is told: of a limit over time or a block nothing more than that it is so."""
    if why == ABOVE_ONE:
        return Refusal(
            RefusalCode.AMOUNT_ABOVE_LIMIT,
            "The amount is above the limit of one charge.",
            errors=(FieldError("amount", "is above the limit of one charge"),),
        )
    return Refusal(RefusalCode.CHARGE_REFUSED, "This charge is not accepted.")
