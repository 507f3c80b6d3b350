"""What a merchant has limited, and from which amount a refund needs a second person: data, and what it says.

A limit holds for one currency. Amounts are integers of its minor units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class LimitKind(StrEnum):
    """What is limited."""

    REFUND_APPROVAL = "refund_approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit of a merchant, in one currency."""

    kind: LimitKind
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Limits:
    """All that one merchant has limited, by kind and currency."""

    by_kind: Mapping[tuple[LimitKind, str], Limit] = field(default_factory=dict)

    def of(self, kind: LimitKind, currency: str) -> Limit | None:
        """The limit of this kind in this currency, where there is one."""
        return self.by_kind.get((kind, currency))


NO_LIMITS = Limits()


def limits(each: list[Limit]) -> Limits:
    """These limits, to be asked."""
    return Limits({(limit.kind, limit.currency): limit for limit in each})
