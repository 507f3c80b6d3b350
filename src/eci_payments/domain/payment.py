"""A payment: its states, the moves between them as data, and the one doorway that makes a move."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from eci_payments.domain.errors import BrokenInvariant, ensure
from eci_payments.domain.ids import MerchantId, OperationId, OrderId, PaymentId, TransactionId, UserId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.quick import quick, replaced


class PaymentStatus(StrEnum):
    """The seed's six and, beyond them, three that real gateways need."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    AUTHORIZED = "AUTHORIZED"
    COMPLETED = "COMPLETED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class ProcessingReason(StrEnum):
    """Why something on this payment is not finished."""

    IN_FLIGHT = "in_flight"
    GATEWAY_PENDING = "gateway_pending"
    OUTCOME_UNKNOWN = "outcome_unknown"


S = PaymentStatus
MOVES: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    S.PENDING: frozenset({S.PROCESSING, S.COMPLETED, S.FAILED, S.CANCELLED}),
    S.PROCESSING: frozenset({S.REQUIRES_ACTION, S.AUTHORIZED, S.COMPLETED, S.FAILED, S.CANCELLED}),
    S.REQUIRES_ACTION: frozenset({S.PROCESSING, S.AUTHORIZED, S.COMPLETED, S.FAILED, S.CANCELLED}),
    S.AUTHORIZED: frozenset({S.COMPLETED, S.CANCELLED}),
    S.COMPLETED: frozenset({S.PARTIALLY_REFUNDED, S.REFUNDED}),
    S.PARTIALLY_REFUNDED: frozenset({S.REFUNDED}),
    S.REFUNDED: frozenset(),
    S.FAILED: frozenset({S.PENDING, S.PROCESSING, S.COMPLETED}),
    S.CANCELLED: frozenset({S.PENDING, S.PROCESSING, S.COMPLETED}),
}
"""From each state, where a payment may go. Staying is always allowed; everything else is refused.

From FAILED or CANCELLED to COMPLETED leads one way only: money that came late and is accepted (`operations.late`).
"""

RETRYABLE = frozenset({S.FAILED, S.CANCELLED})
"""States in which a new charge of the order is a new attempt on the same payment."""
UNPAID = frozenset({S.FAILED, S.CANCELLED, S.REFUNDED})
"""States in which the order holds no money of the customer: its stock may be released."""
CAPTURED = frozenset({S.COMPLETED, S.PARTIALLY_REFUNDED})
"""States from which money can be refunded."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a payment, a refund or a capture did not happen, in normalised words."""

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class NextAction:
    """What the customer has to do, and until when."""

    type: str
    url: str | None
    upi_uri: str | None
    expires_at: datetime


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One order's payment, over all its attempts. Amounts are integers of minor units of ``currency``.

    ``version`` grows by one with every change. ``open_operation_id`` names the charge, capture or void
    that is not concluded: while it is set nothing else starts (law 2); refunds are counted in
    ``amount_refund_pending_minor`` instead. ``amount_unapplied_minor`` is money that a gateway took although
    the payment did not want it any more; it stands apart until it is returned or accepted.

    What a gateway reports as done is counted, whatever we would have allowed: refunds that were made elsewhere are
    part of ``amount_refunded_minor``, disputes are open (``amount_disputed_minor``) or lost
    (``amount_charged_back_minor``). By how much all that together exceeds what was captured is
    ``amount_exceeding_minor``, which only such facts make grow.
    """

    merchant_id: MerchantId
    payment_id: PaymentId
    order_id: OrderId
    user_id: UserId
    transaction_id: TransactionId
    status: PaymentStatus
    method: PaymentMethod
    currency: str
    amount_minor: int
    reference: str
    capture: bool
    created_at: datetime
    updated_at: datetime
    version: int = 1
    attempt: int = 1
    event_sequence: int = 0
    amount_authorized_minor: int = 0
    amount_captured_minor: int = 0
    amount_refunded_minor: int = 0
    amount_refund_pending_minor: int = 0
    amount_unapplied_minor: int = 0
    amount_refunded_elsewhere_minor: int = 0
    amount_disputed_minor: int = 0
    amount_charged_back_minor: int = 0
    amount_exceeding_minor: int = 0
    dispute_count: int = 0
    gateway: str | None = None
    gateway_response: str | None = None
    authorization_code: str | None = None
    charge_operation_id: OperationId | None = None
    open_operation_id: OperationId | None = None
    processing_reason: ProcessingReason | None = None
    failure: Failure | None = None
    next_action: NextAction | None = None
    return_url: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    completed_at: datetime | None = None
    captured_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def refundable_minor(self) -> int:
        """What may still be refunded, in minor units: what is disputed or was charged back cannot be, as well."""
        return max(0, self.amount_captured_minor - self.gone_minor)

    @property
    def gone_minor(self) -> int:
        """What went back, is going back, is disputed or was charged back."""
        return (
            self.amount_refunded_minor
            + self.amount_refund_pending_minor
            + self.amount_disputed_minor
            + self.amount_charged_back_minor
        )

    @property
    def facts_minor(self) -> int:
        """The part of it that a gateway did without us."""
        return (
            self.amount_refunded_elsewhere_minor + self.amount_disputed_minor + self.amount_charged_back_minor
        )

    @property
    def capturable_minor(self) -> int:
        """What is authorised and not captured yet, in minor units."""
        return self.amount_authorized_minor - self.amount_captured_minor


def moved(payment: Payment, to: PaymentStatus, now: datetime, **fields: Any) -> Payment:
    """The payment after one move: the only doorway to another state or another amount.

    Raises BrokenInvariant for a move that is not in `MOVES` and for amounts that break law 5.
    """
    if to is not payment.status and to not in MOVES[payment.status]:
        raise BrokenInvariant(f"payment {payment.payment_id} cannot move from {payment.status} to {to}")
    after = replaced(
        payment, status=to, version=payment.version + 1, updated_at=max(now, payment.updated_at), **fields
    )
    exceeding = max(0, after.gone_minor - after.amount_captured_minor)
    grew_by_facts = after.facts_minor > payment.facts_minor
    ensure(grew_by_facts or exceeding <= payment.amount_exceeding_minor, "what we start exceeds captured")
    if exceeding != after.amount_exceeding_minor:
        after = replaced(after, amount_exceeding_minor=exceeding)
    check_amounts(after)
    return after


def refunded_status(payment: Payment, refunded_minor: int) -> PaymentStatus:
    """The state of a captured payment of which so much went back."""
    whole = refunded_minor >= payment.amount_captured_minor
    return PaymentStatus.REFUNDED if whole else PaymentStatus.PARTIALLY_REFUNDED


def check_amounts(payment: Payment) -> None:
    """Law 5 over what we start: captured ≤ authorised; refunded and being refunded ≤ captured."""
    own = payment.amount_refunded_minor - payment.amount_refunded_elsewhere_minor
    ensure(
        0 <= payment.amount_captured_minor <= payment.amount_authorized_minor, "captured exceeds authorised"
    )
    ensure(payment.amount_refunded_minor >= 0, "refunded is negative")
    ensure(payment.amount_refund_pending_minor >= 0, "refunds in flight are negative")
    ensure(payment.amount_refunded_elsewhere_minor >= 0, "refunds made elsewhere are negative")
    ensure(
        own >= 0 and own + payment.amount_refund_pending_minor <= payment.amount_captured_minor,
        "refunded and being refunded exceed captured",
    )
    ensure(payment.amount_disputed_minor >= 0, "disputed money is negative")
    ensure(payment.amount_charged_back_minor >= 0, "money charged back is negative")
    ensure(
        payment.amount_exceeding_minor <= payment.facts_minor, "what exceeds is more than what was done to us"
    )
    ensure(payment.amount_unapplied_minor >= 0, "unapplied money is negative")
