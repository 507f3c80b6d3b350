"""An operation: one thing asked of a gateway, its states, and the moves between them as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from eci_payments.domain.errors import BrokenInvariant
from eci_payments.domain.ids import GatewayKey, MerchantId, OperationId, PaymentId, RefundId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.quick import quick, replaced

if TYPE_CHECKING:
    from datetime import datetime

    from eci_payments.domain.keys import KeyName


class OperationKind(StrEnum):
    """What is asked. RETURN gives back money that came late, RELEASE voids an authorization that did."""

    CHARGE = "CHARGE"
    AUTHORIZE = "AUTHORIZE"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"
    CANCEL_ACTION = "CANCEL_ACTION"
    RETURN = "RETURN"
    RELEASE = "RELEASE"


class OperationState(StrEnum):
    """Where it stands. STARTED: committed, perhaps on its way. The next three are open too."""

    STARTED = "STARTED"
    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    UNKNOWN = "UNKNOWN"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    NOT_SENT = "NOT_SENT"


S = OperationState
OPEN = frozenset({S.STARTED, S.PENDING, S.REQUIRES_ACTION, S.UNKNOWN})
CONCLUDED = frozenset({S.APPROVED, S.DECLINED, S.CANCELLED, S.NOT_SENT})
"""States that nothing leaves: an outcome, once known, is never known differently."""

TAKES_MONEY = frozenset({OperationKind.CHARGE, OperationKind.AUTHORIZE})
"""Kinds that recovery never sends again: the customer has gone, and the card with them."""


RETURNS = frozenset({OperationKind.RETURN, OperationKind.RELEASE})
"""Kinds that a late success begins and recovery alone sends."""
MOVES_MONEY = TAKES_MONEY | {OperationKind.CAPTURE, OperationKind.REFUND, OperationKind.RETURN}
"""Kinds in which the gateway must say the same amount as we do. What is given up moves none."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One logical operation with one effect at the gateway, named there by ``gateway_key``.

    ``lease_epoch`` fences: a write names the epoch it was claimed with. ``due_at`` is when a worker must look at it
    (end of the lease, next inquiry), None when never. ``parent_*`` name the charge that it belongs to: its row, our key
    of it, and the gateway's own id of it. ``amount_minor`` is in minor units of ``currency``.
    """

    merchant_id: MerchantId
    operation_id: OperationId
    payment_id: PaymentId
    kind: OperationKind
    state: OperationState
    attempt: int
    amount_minor: int
    currency: str
    method: PaymentMethod
    gateway: str
    gateway_key: GatewayKey
    created_at: datetime
    lease_epoch: int = 1
    due_at: datetime | None = None
    parent_id: OperationId | None = None
    parent_key: GatewayKey | None = None
    parent_reference: str | None = None
    refund_id: RefundId | None = None
    final: bool = True
    gateway_reference: str | None = None
    inquiries: int = 0
    inquired_at: datetime | None = None
    key: KeyName | None = None
    outcome: dict[str, Any] | None = None
    card_fingerprint: str | None = None
    late_amount_minor: int = 0
    actor: str = ""
    correlation_id: str | None = None
    traceparent: str | None = None
    concluded_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether its outcome is not known yet."""
        return self.state in OPEN


def advanced(operation: Operation, to: OperationState, **fields: Any) -> Operation:
    """The operation in another state: the only doorway. Raises BrokenInvariant for leaving a conclusion."""
    if operation.state in CONCLUDED and to is not operation.state:
        raise BrokenInvariant(f"operation {operation.operation_id} is concluded as {operation.state}")
    return replaced(operation, state=to, **fields)
