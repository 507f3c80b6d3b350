"""What callers may ask for, in the domain's words, and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from eci_payments.domain.ids import MerchantId, OrderId, PaymentId, RefundId, UserId
from eci_payments.domain.keys import KeyClaim
from eci_payments.domain.methods import Instrument, PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.domain.quick import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, from where, within which trace, and with which idempotency key."""

    merchant_id: MerchantId
    actor: str
    claim: KeyClaim | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    origin: str | None = None
    reason: str | None = None
    """Why, in the caller's words, where an operator has to say so."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Take an order's money, or with ``capture`` false only reserve it. ``amount_minor`` in minor units."""

    order_id: OrderId
    user_id: UserId
    amount_minor: int
    currency: str
    method: PaymentMethod
    reference: str | None = None
    capture: bool = True
    instrument: Instrument | None = field(default=None, repr=False)
    return_url: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Register an order's payment without charging it yet; the rest as in `Charge`."""

    order_id: OrderId
    user_id: UserId
    amount_minor: int
    currency: str
    method: PaymentMethod
    reference: str | None = None
    capture: bool = True
    return_url: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Charge a payment that is PENDING, with another method if one is named."""

    payment_id: PaymentId
    method: PaymentMethod | None = None
    instrument: Instrument | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Take what was authorised: ``amount`` in major units, None for all that is left."""

    payment_id: PaymentId
    amount: int | str | Decimal | None = None
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Give up a payment before its money is taken."""

    payment_id: PaymentId


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPayment:
    """Give money back: ``amount`` in major units, None for all that is left."""

    payment_id: PaymentId
    reason: str
    amount: int | str | Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideApproval:
    """A second person's word on a large refund. ``approval_id`` is the refund's id."""

    approval_id: RefundId
    approves: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Cash was taken at the door (``amount`` in major units, None for all), or the customer ``refused``."""

    payment_id: PaymentId
    collector: str
    amount: int | str | Decimal | None = None
    proof: str | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remit:
    """Collected cash was handed over: ``amount`` in major units, None for all that is in transit."""

    payment_id: PaymentId
    remittance: str
    amount: int | str | Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeStatus:
    """An operator's word on a payment."""

    payment_id: PaymentId
    status: PaymentStatus
    gateway_response: str | None = None
    reason: str | None = None
