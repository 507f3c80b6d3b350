"""How fast things happen at the simulator."""

from __future__ import annotations

from dataclasses import dataclass

from eci_payments.gateways.adapters.simulator.steering import After


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Waits in seconds. The defaults suit a person who watches; tests pass shorter ones.

    ``late_s`` has to be longer than the gateway's ``never_seen_after_s``, or late money would come in time.
    """

    settle_s: float = 3.0
    """Pending until it is approved or declined."""
    deemed_s: float = 60.0
    """UPI's deemed, until it is settled."""
    late_s: float = 45.0
    """Late money: long after it was called never seen, and before the first look at whether it came after all."""
    action_s: float = 900.0
    """The customer's time to act; after it the gateway cancels."""
    silent_inquiries: int = 3
    """How many inquiries learn nothing, for the amounts that ask for it."""

    def wait(self, after: After) -> float:
        """The seconds that this turn takes."""
        waits = {After.SETTLEMENT: self.settle_s, After.DEEMED: self.deemed_s, After.LATE: self.late_s}
        return waits[after]
