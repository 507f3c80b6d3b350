"""An entry of the record: one operation as the gateway knows it, and how it turns with time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.quick import quick
from eci_payments.gateways.adapters.simulator.declines import DeclineCode
from eci_payments.gateways.contract import ActionType, CallKind


class State(StrEnum):
    """Where an operation stands at the gateway."""

    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    ACTION = "action"
    """The customer has to act."""
    PENDING = "pending"
    ABSENT = "absent"
    """It was sent, but has not arrived: the gateway does not know it (yet)."""


CHARGING = frozenset({CallKind.CHARGE, CallKind.AUTHORIZE})
"""Kinds that begin something; all others act on one of these."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row. Amounts are in minor units of ``currency``, times in seconds since 1970 by the record's clock.

    ``root_key`` is our key of the charge it belongs to (its own, for a charge), ``parent_key`` the one that the call
    named. ``moved_minor`` is what it moves or reserves when approved. ``turns_into`` is what it becomes by itself at
    ``turns_at_s``. ``capture_code`` is the decline that a capture of it will meet. No card number and no security
    code is ever part of it.
    """

    key: str
    kind: CallKind
    root_key: str
    parent_key: str | None
    merchant_id: int
    transaction_id: str
    order_id: str
    amount_minor: int
    moved_minor: int
    currency: str
    method: PaymentMethod
    reference: str
    state: State
    created_at_s: float
    final: bool = True
    code: DeclineCode | None = None
    silent_left: int = 0
    turns_at_s: float | None = None
    turns_into: State | None = None
    turn_code: DeclineCode | None = None
    action: ActionType | None = None
    return_url: str | None = None
    capture_code: DeclineCode | None = None
    card_brand: str | None = None

    @property
    def may_yet(self) -> bool:
        """Whether it is not done, but may become done by itself: its amount is held meanwhile."""
        return self.state is State.PENDING or (self.state is State.ABSENT and self.turns_into is not None)


def at(entry: Entry, now_s: float) -> Entry:
    """The entry as it stands at this time."""
    if entry.turns_at_s is None or entry.turns_into is None or now_s < entry.turns_at_s:
        return entry
    return replace(
        entry,
        state=entry.turns_into,
        code=entry.turn_code,
        turns_at_s=None,
        turns_into=None,
        turn_code=None,
    )
