"""What can be paid with, for a page that lets its customer choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query
from starlette.responses import Response

from eci_payments.api import examples
from eci_payments.api.documented import read, success
from eci_payments.api.edge import Read
from eci_payments.api.schemas.fields import CURRENCY_CODES
from eci_payments.api.schemas.offers import PaymentMethods
from eci_payments.api.validation import refused
from eci_payments.domain.errors import FieldError
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.money import InvalidMoney, currency, major_units, minor_units
from eci_payments.operations.answers import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eci_payments.api.services import Principal, Services
    from eci_payments.domain.money import Currency
    from eci_payments.operations.offers import Offer, Place

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Choosing:
    """A customer is about to choose how to pay ``amount`` (major units, as text)."""

    currency: str | None
    amount: str | None


def payment_methods(
    *,
    currency: Annotated[
        str | None,
        Query(json_schema_extra={"enum": CURRENCY_CODES}, description="DEFAULT_CURRENCY where absent."),
    ] = None,
    amount: Annotated[
        str | None,
        Query(
            json_schema_extra={"pattern": r"^(?=[0-9.]*[1-9])0{0,4}[0-9]{1,16}(\.[0-9]{1,20})?$"},
            description="Only what takes this amount.",
        ),
    ] = None,
) -> Choosing:
    """What can be paid with: methods, where each is taken (first choice first), banks and wallets, limits.

    Lists of banks and wallets come from the gateways and are at most a quarter of an hour old.
    """
    return Choosing(currency, amount)


def _currency(text: str) -> str:
    return currency(text).code


async def _methods(services: Services, who: Principal, asked: Choosing) -> Response:
    unit = currency(asked.currency or services.settings.default_currency)
    offers = services.payments.offers
    found = await offers.of(who.merchant_id, unit, _amount_minor(asked.amount, unit))
    most_minor = offers.most_minor(unit)
    body = {
        "currency": unit.code,
        "min_amount": major_units(1, unit),
        "min_amount_minor": 1,
        "max_amount": major_units(most_minor, unit),
        "max_amount_minor": most_minor,
        "payment_methods": [_offer(offer) for offer in found],
    }
    return Response(encode(body), media_type=JSON)


def _amount_minor(text: str | None, unit: Currency) -> int | None:
    try:
        return None if text is None else minor_units(text, unit)
    except InvalidMoney as wrong:
        raise refused([FieldError("amount", str(wrong))]) from None


def _offer(offer: Offer) -> dict[str, Any]:
    return {
        "payment_method": offer.method,
        "gateways": [_place(place, offer.method) for place in offer.places],
    }


def _place(place: Place, method: PaymentMethod) -> dict[str, Any]:
    able, listing = place.gateway.capabilities, place.listing
    banks = listing and method is PaymentMethod.NET_BANKING and listing.banks
    wallets = listing and method is PaymentMethod.WALLET and listing.wallets
    return {
        "gateway": place.gateway.name,
        "details_required": method in able.instrument_required,
        "partial_capture": able.partial_capture,
        "multiple_capture": able.multiple_capture,
        "banks": _choices(banks or None),
        "wallets": _choices(wallets or None),
    }


def _choices(names: Mapping[str, str] | None) -> list[dict[str, str]] | None:
    return names and [  # type: ignore[return-value] # an empty list is told as none: nobody can choose from it
        {"code": code, "name": name} for code, name in sorted(names.items(), key=lambda each: each[1].lower())
    ]


READS = (
    Read(
        path="/v1/payment-methods",
        endpoint=payment_methods,
        answer=_methods,
        query={"currency": _currency, "amount": str},
        documented=read(
            "List the ways to pay",
            PaymentMethods,
            answers={200: success("What can be paid with", examples.METHODS)},
        ),
    ),
)
