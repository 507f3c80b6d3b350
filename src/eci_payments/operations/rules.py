"""The limits and waits that this installation has chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eci_payments.domain.methods import PaymentMethod


class LateSuccessPolicy(StrEnum):
    """What becomes of money that arrives for a payment which no longer wants it."""

    REFUND = "refund"
    ACCEPT = "accept"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Waits in seconds, minutes and hours as their names say; money in major units."""

    max_charge_amount: Decimal = Decimal(100000)
    gateway_timeout_s: float = 10.0
    lease_s: float = 30.0
    pending_expiry_min: float = 60.0
    action_expiry_min: float = 15.0
    approval_expiry_min: float = 1440.0
    authorization_valid_s: Mapping[str, Mapping[PaymentMethod, float]] = field(default_factory=dict)
    """How long an authorization holds, by gateway account and method; what is not here is not watched."""
    authorization_margin_min: float = 60.0
    """How long before its end an authorization that nobody captured is voided."""
    key_window_h: int = 24
    duplicate_window_h: int = 24
    late_success: LateSuccessPolicy = LateSuccessPolicy.REFUND
    inquiry_max_age_s: float = 60.0
    """How fresh an inquiry must be before an operator may end an unknown outcome."""
    key_wait_s: float = 2.0
    """How long a duplicate request waits for the first one's result."""
    problem_base: str = ""
    """What stands before ``/problems/{code}`` in the type of a problem: the service's public address."""
    max_operations: int = 200
    """One payment's operations are read whole under lock; nobody needs more of them, and a loop stops here."""
    watches: tuple[timedelta, ...] = field(
        default=(timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=24))
    )
    """When a charge that was given up as never seen is asked about once more, in case its money comes late."""

    def void_after(self, gateway: str, method: PaymentMethod) -> timedelta | None:
        """How long after its beginning an authorization is voided; never before half of its time. None: never."""
        valid_s = self.authorization_valid_s.get(gateway, {}).get(method)
        if valid_s is None:
            return None
        return timedelta(seconds=max(valid_s - self.authorization_margin_min * 60, valid_s / 2))

    @property
    def failover_within_s(self) -> float:
        """After so long another gateway is not asked any more: its answer must still reach who waits for it."""
        return self.gateway_timeout_s * 2 / 3

    def inquiry_delay(self, inquiries: int) -> timedelta:
        """The wait before the next inquiry: 1 s, doubling to at most 5 minutes."""
        return timedelta(seconds=min(2.0 ** min(inquiries, 9), 300.0))
