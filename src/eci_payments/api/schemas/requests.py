"""What callers send, one model per body."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core.core_schema import ValidationInfo

from eci_payments.api.schemas.closed import Closed
from eci_payments.api.schemas.details import PaymentDetails
from eci_payments.api.schemas.fields import (
    AmountMinor,
    CurrencyCode,
    ExternalId,
    Metadata,
    Method,
    Name,
    PartAmount,
    Reason,
    Reference,
    Remark,
)
from eci_payments.api.schemas.return_url import ReturnUrl
from eci_payments.domain.methods import INSTRUMENT_OF, PaymentMethod
from eci_payments.domain.payment import PaymentStatus


def _fitting(details: PaymentDetails | None, info: ValidationInfo) -> PaymentDetails | None:
    """The details must fit the method that was checked before them; without a method the payment's own decides."""
    method: PaymentMethod | None = info.data.get("payment_method")
    instrument = details.instrument() if details else None
    if instrument is None or method is None:
        return details
    fitting = INSTRUMENT_OF[method]
    if fitting is None or not isinstance(instrument, fitting):
        raise ValueError(f"does not fit {method}")
    return details


FittingDetails = Annotated[PaymentDetails | None, AfterValidator(_fitting)]
_MEANT = Field(description="Absent or true: take the money at once. False: only reserve it (authorize).")


class CreateBody(Closed):
    """An order's payment, to be charged later."""

    order_id: ExternalId
    user_id: ExternalId
    currency: Annotated[CurrencyCode, Field(validate_default=True)] = None  # type: ignore[assignment] # filled in
    amount_minor: Annotated[AmountMinor, Field(alias="amount")]
    payment_method: Method
    reference: Reference | None = None
    capture: Annotated[bool, _MEANT] = True
    return_url: ReturnUrl | None = None
    metadata: Metadata | None = None


class ChargeBody(CreateBody):
    """An order's payment, charged now."""

    payment_details: FittingDetails = None


class ConfirmBody(Closed):
    """How a PENDING payment is charged; absent, as it was created."""

    payment_method: Method | None = None
    payment_details: FittingDetails = None


class CaptureBody(Closed):
    """What to take of an authorization."""

    amount: PartAmount = None
    final: Annotated[bool, Field(description="Release what is left of the authorization.")] = True


class RefundBody(Closed):
    """What to give back, and why."""

    amount: PartAmount = None
    reason: Reason


class ApprovalBody(Closed):
    """What was decided about a large refund, and why."""

    decision: Annotated[Literal["approve", "reject"], Field(description="What becomes of it.")]
    reason: Reason


def _collects_nothing(refused: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it so
    """Whoever refuses the goods pays nothing: an amount beside it says that one of the two is a mistake."""
    if refused and info.data.get("amount") is not None:
        raise ValueError("must not be true beside an amount: nothing is collected then")
    return refused


class CollectBody(Closed):
    """What the courier did at the door."""

    collector: Annotated[Name, Field(description="Who collected: a courier, a shop.")]
    amount: PartAmount = None
    proof: Annotated[Remark | None, Field(description="A receipt number, a delivery code.")] = None
    refused: Annotated[
        bool,
        AfterValidator(_collects_nothing),
        Field(description="The customer refused the goods: nothing was collected, so there is no amount."),
    ] = False


class RemitBody(Closed):
    """Cash that was collected is handed over."""

    remittance: Annotated[Reference, Field(description="The carrier's own number of the hand-over.")]
    amount: PartAmount = None


class StatusBody(Closed):
    """What an operator says of a payment."""

    status: Annotated[PaymentStatus, Field(strict=False)]
    gateway_response: Remark | None = None
    reason: Reason | None = None


class NothingBody(Closed):
    """A body that holds nothing: an empty object."""
