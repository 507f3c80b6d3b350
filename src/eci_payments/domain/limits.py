"""What a merchant has limited, whom it does not take money from, and which refunds need a second person: data.

A limit holds for one currency. Amounts are integers of its minor units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class LimitKind(StrEnum):
    """What is limited: one charge, what a user or a card is charged in a window, what is refunded by one key alone."""

    CHARGE = "charge"
    USER = "user"
    CARD = "card"
    REFUND_APPROVAL = "refund_approval"


IN_A_WINDOW = (LimitKind.USER, LimitKind.CARD)
"""Kinds that count over time."""
WINDOW_MAX_S = 31 * 24 * 3600
"""The longest window; what is older is forgotten."""


class BlockKind(StrEnum):
    """Who or what can be on the block list. ``bin`` is a card number's first six digits."""

    USER = "user"
    CARD = "card"
    BIN = "bin"
    UPI = "upi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit of a merchant, in one currency: an amount, a number of charges, or both, in ``window_s`` seconds."""

    kind: LimitKind
    currency: str
    amount_minor: int | None = None
    charges: int | None = None
    window_s: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """All that one merchant has limited, by kind and currency, and of which kinds its block list has entries."""

    by_kind: Mapping[tuple[LimitKind, str], Limit] = field(default_factory=dict)
    blocked: frozenset[BlockKind] = frozenset()

    def of(self, kind: LimitKind, currency: str) -> Limit | None:
        """The limit of this kind in this currency, where there is one."""
        return self.by_kind.get((kind, currency))

    def screens(self, currency: str) -> bool:
        """Whether a charge in this currency has to be looked at."""
        if not self.by_kind:
            return bool(self.blocked)
        return bool(self.blocked) or any((kind, currency) in self.by_kind for kind in _SCREENED)


_SCREENED = (LimitKind.CHARGE, *IN_A_WINDOW)
NO_LIMITS = Limits()


def limits(each: list[Limit], blocked: frozenset[BlockKind] = frozenset()) -> Limits:
    """These limits, to be asked."""
    return Limits({(limit.kind, limit.currency): limit for limit in each}, blocked)
