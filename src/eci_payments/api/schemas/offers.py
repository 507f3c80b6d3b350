"""What can be paid with, as it is documented."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eci_payments.api.schemas.responses import Amount, Minor, Shown
from eci_payments.domain.methods import PaymentMethod


class Choice(Shown):
    """A bank or wallet: what `payment_details` names, and what people are shown."""

    code: str
    name: str


class PlaceDocument(Shown):
    """A gateway that takes the method."""

    gateway: str
    details_required: Annotated[bool, Field(description="A charge needs `payment_details`.")]
    partial_capture: bool
    multiple_capture: bool
    banks: Annotated[
        list[Choice] | None,
        Field(description="For NET_BANKING; null where the gateway does not say or cannot be asked now."),
    ]
    wallets: Annotated[list[Choice] | None, Field(description="For WALLET; likewise.")]


class OfferDocument(Shown):
    """One method. Cash on delivery is taken without a gateway."""

    payment_method: PaymentMethod
    gateways: Annotated[list[PlaceDocument], Field(description="First choice first.")]


class PaymentMethods(Shown):
    """What can be paid with in one currency, and how much at once."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    min_amount: Amount
    min_amount_minor: Minor
    max_amount: Amount
    max_amount_minor: Minor
    payment_methods: list[OfferDocument]
