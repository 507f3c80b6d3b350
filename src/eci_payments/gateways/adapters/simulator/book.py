"""A book: one charge with everything that was done to it, summed as it stands now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.gateways.adapters.simulator.entry import Entry, State
from eci_payments.gateways.contract import CallKind

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Book:
    """A charge and what followed, every entry as it stands at one moment. Amounts are in minor units."""

    root: Entry
    parts: tuple[Entry, ...]

    @property
    def state(self) -> State:
        """The charge's state: one that waited for the customer may have been cancelled by us."""
        waits = self.root.state is State.ACTION
        return State.CANCELLED if waits and self._done(CallKind.CANCEL_ACTION) else self.root.state

    @property
    def captured_minor(self) -> int:
        """What was taken."""
        at_once = self.root.kind is CallKind.CHARGE and self.state is State.APPROVED
        return (self.root.moved_minor if at_once else 0) + _moved(self._done(CallKind.CAPTURE))

    @property
    def capturable_minor(self) -> int:
        """What is left of the authorization, less what is being captured; zero once it is closed."""
        held = sum(e.amount_minor for e in self._under_way(CallKind.CAPTURE))
        return 0 if self.is_closed else self.root.moved_minor - self.captured_minor - held

    @property
    def refundable_minor(self) -> int:
        """What was taken, less what went back or is going back."""
        held = sum(e.amount_minor for e in self._under_way(CallKind.REFUND))
        return self.captured_minor - _moved(self._done(CallKind.REFUND)) - held

    @property
    def is_voided(self) -> bool:
        """Whether what was left has been released, or is being released."""
        return bool(self._done(CallKind.VOID) or self._under_way(CallKind.VOID))

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be captured: a final capture or a void is done or under way."""
        captures = self._done(CallKind.CAPTURE) + self._under_way(CallKind.CAPTURE)
        return self.is_voided or any(capture.final for capture in captures)

    def _done(self, kind: CallKind) -> list[Entry]:
        ends = {State.APPROVED, State.CANCELLED}
        return [e for e in self.parts if e.kind is kind and e.state in ends]

    def _under_way(self, kind: CallKind) -> list[Entry]:
        return [e for e in self.parts if e.kind is kind and e.may_yet]


def _moved(entries: Iterable[Entry]) -> int:
    return sum(entry.moved_minor for entry in entries)
