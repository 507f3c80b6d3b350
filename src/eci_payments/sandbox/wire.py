"""The sandbox's JSON: a request in, an outcome out."""

from __future__ import annotations

from typing import Annotated, Any, Literal, assert_never

import msgspec

from eci_payments.domain.ids import MAX_SAFE_INTEGER, GatewayKey, MerchantId, TransactionId
from eci_payments.domain.methods import Bank, Card, Instrument, PaymentMethod, Upi, Wallet
from eci_payments.domain.money import InvalidMoney, currency
from eci_payments.gateways.contract import (
    ActionRequired,
    Approved,
    CallKind,
    Cancelled,
    Declined,
    GatewayCall,
    Inquiry,
    NeverSeen,
    NotSent,
    Pending,
    Unknown,
)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+\Z")]
Url = Annotated[str, msgspec.Meta(max_length=2048)]
Minor = Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)]


class CardJson(msgspec.Struct, forbid_unknown_fields=True):
    """A card; it is judged and forgotten."""

    number: Annotated[str, msgspec.Meta(max_length=32)]
    exp_month: Annotated[int, msgspec.Meta(ge=1, le=12)]
    exp_year: Annotated[int, msgspec.Meta(ge=0, le=9999)]
    cvc: Annotated[str, msgspec.Meta(max_length=4)]
    holder: Annotated[str, msgspec.Meta(max_length=128)] | None = None


class InstrumentJson(msgspec.Struct, forbid_unknown_fields=True):
    """What the customer pays with. Of ``upi``, ``vpa`` null asks for a link."""

    type: Literal["card", "upi", "bank", "wallet"]
    card: CardJson | None = None
    vpa: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    code: Annotated[str, msgspec.Meta(max_length=32)] = ""


class OperationJson(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/operations/{kind}``. Amounts are in minor units."""

    key: Name
    transaction_id: Name
    amount_minor: Minor
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]
    method: PaymentMethod
    merchant_id: Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER)] = 1
    order_id: Annotated[str, msgspec.Meta(max_length=128)] = ""
    instrument: InstrumentJson | None = None
    parent_key: Name | None = None
    parent_reference: Name | None = None
    final: bool = True
    return_url: Url | None = None


class WrongRequest(Exception):
    """The request makes no sense; the message says why and never repeats a value."""


_DECODER = msgspec.json.Decoder(OperationJson)


def read_call(kind: CallKind, body: bytes) -> GatewayCall:
    """The call that a body asks for. Raises WrongRequest."""
    try:
        asked = _DECODER.decode(body)
        currency(asked.currency)
    except (msgspec.DecodeError, InvalidMoney, UnicodeDecodeError) as error:
        raise WrongRequest(str(error)) from None
    if (
        kind in {CallKind.CHARGE, CallKind.AUTHORIZE, CallKind.CAPTURE, CallKind.REFUND}
        and not asked.amount_minor
    ):
        raise WrongRequest("amount_minor must be greater than zero")
    return GatewayCall(
        kind=kind,
        key=GatewayKey(asked.key),
        merchant_id=MerchantId(asked.merchant_id),
        transaction_id=TransactionId(asked.transaction_id),
        amount_minor=asked.amount_minor,
        currency=asked.currency,
        method=asked.method,
        instrument=_instrument(asked.instrument),
        parent_key=GatewayKey(asked.parent_key) if asked.parent_key else None,
        parent_reference=asked.parent_reference,
        final=asked.final,
        return_url=asked.return_url,
        order_id=asked.order_id,
    )


def _instrument(asked: InstrumentJson | None) -> Instrument | None:
    if asked is None:
        return None
    match asked.type:
        case "card":
            if asked.card is None:
                raise WrongRequest("instrument of type card needs card")
            card = asked.card
            return Card(card.number, card.exp_month, card.exp_year, card.cvc, card.holder)
        case "upi":
            return Upi(asked.vpa)
        case "bank":
            return Bank(asked.code)
        case "wallet":
            return Wallet(asked.code)
        case _:
            assert_never(asked.type)


def outcome_json(outcome: Inquiry) -> dict[str, Any]:
    """An outcome: ``state`` and what belongs to it."""
    match outcome:
        case Approved():
            return {
                "state": "approved",
                "reference": outcome.reference,
                "amount_minor": outcome.amount_minor,
                "authorization_code": outcome.authorization_code,
                "card_brand": outcome.card_brand,
                "message": outcome.message,
            }
        case Declined():
            return {
                "state": "declined",
                "reference": outcome.reference,
                "code": outcome.code,
                "message": outcome.message,
                "retryable": outcome.retryable,
            }
        case ActionRequired():
            return _action_json(outcome)
        case Pending():
            return {"state": "pending", "reference": outcome.reference, "message": outcome.message}
        case Cancelled():
            return {"state": "cancelled", "reference": outcome.reference}
        case NeverSeen():
            return {"state": "never_seen"}
        case NotSent() | Unknown():
            return {"state": "unknown", "message": outcome.reason}
        case _:
            assert_never(outcome)


def _action_json(outcome: ActionRequired) -> dict[str, Any]:
    action = {
        "type": outcome.action.value,
        "url": outcome.url,
        "upi_uri": outcome.upi_uri,
        "expires_in_s": outcome.expires_in_s,
    }
    return {"state": "action_required", "reference": outcome.reference, "action": action}
