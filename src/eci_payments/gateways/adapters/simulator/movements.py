"""What the gateway moved, for whoever compares its books with ours: approved money only, in minor units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from eci_payments.gateways.adapters.simulator.entry import Entry, State
from eci_payments.gateways.contract import CallKind

if TYPE_CHECKING:
    from collections.abc import Iterable


class MovementKind(StrEnum):
    """TAKEN: charged or captured. VOIDED: released, nothing moved. AUTHORIZED: reserved, nothing moved."""

    TAKEN = "taken"
    REFUNDED = "refunded"
    AUTHORIZED = "authorized"
    VOIDED = "voided"


_KINDS: dict[CallKind, MovementKind] = {
    CallKind.CHARGE: MovementKind.TAKEN,
    CallKind.CAPTURE: MovementKind.TAKEN,
    CallKind.REFUND: MovementKind.REFUNDED,
    CallKind.AUTHORIZE: MovementKind.AUTHORIZED,
    CallKind.VOID: MovementKind.VOIDED,
}


@dataclass(frozen=True, slots=True)
class Movement:
    """One approved operation. ``key`` is our name for it, ``reference`` the gateway's."""

    key: str
    kind: MovementKind
    merchant_id: int
    transaction_id: str
    order_id: str
    amount_minor: int
    currency: str
    reference: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums in minor units; ``takings`` is how many times money was taken."""

    taken_minor: int = 0
    refunded_minor: int = 0
    authorized_minor: int = 0
    voided_minor: int = 0
    takings: int = 0

    @property
    def net_minor(self) -> int:
        """What the gateway owes the shop."""
        return self.taken_minor - self.refunded_minor

    def plus(self, movement: Movement) -> Totals:
        """The sums with this movement in them."""
        name = f"{movement.kind.value}_minor"
        takings = self.takings + (movement.kind is MovementKind.TAKEN)
        return replace(self, takings=takings, **{name: getattr(self, name) + movement.amount_minor})


def movement_of(entry: Entry) -> Movement | None:
    """The movement that an entry stands for; None when it moved nothing."""
    kind = _KINDS.get(entry.kind)
    if kind is None or entry.state is not State.APPROVED:
        return None
    return Movement(
        entry.key,
        kind,
        entry.merchant_id,
        entry.transaction_id,
        entry.order_id,
        entry.moved_minor,
        entry.currency,
        entry.reference,
    )


def summed(movements: Iterable[Movement]) -> Totals:
    """The sums of these movements, which are of one currency."""
    total = Totals()
    for movement in movements:
        total = total.plus(movement)
    return total
