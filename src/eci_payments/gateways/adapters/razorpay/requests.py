"""What Razorpay is asked: verbs, paths and bodies. Pure.

Held in a test against the requests that Razorpay's own SDK makes for the same things.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from eci_payments.domain.methods import Bank, Card, Instrument, PaymentMethod, Upi, Wallet
from eci_payments.domain.money import currency
from eci_payments.gateways.contract import CallKind, GatewayCall
from eci_payments.gateways.recounting import PAGE, told_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Request:
    """One request: verb, path below the base address, and a JSON body for POST."""

    verb: str
    path: str
    body: dict[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class UnpayableAmount(ValueError):
    """An exact amount that Razorpay cannot take; it is refused, never rounded."""


def amount_of(call: GatewayCall) -> int:
    """The amount in Razorpay's sub-units: ISO 4217's, whose third decimal must be zero. Raises UnpayableAmount."""
    three_decimals = 3
    if currency(call.currency).digits == three_decimals and call.amount_minor % 10:
        raise UnpayableAmount(f"the last digit of {call.currency} must be zero at this gateway")
    return call.amount_minor


def create_order(call: GatewayCall) -> Request:
    """The order that stands for a charge; our key is its receipt. Moves no money."""
    body = {
        "amount": amount_of(call),
        "currency": call.currency,
        "receipt": call.key,
        "payment": {"capture": "manual" if call.kind is CallKind.AUTHORIZE else "automatic"},
        "notes": told_of(call),
    }
    return Request("POST", "/v1/orders", body)


def create_payment(call: GatewayCall, *, email: str, contact: str) -> Request:
    """The payment of an order, with the instrument, from server to server."""
    body: dict[str, Any] = {
        "amount": amount_of(call),
        "currency": call.currency,
        "order_id": call.reference,
        "email": email,
        "contact": contact,
        "notes": {"transaction_id": call.transaction_id},
    }
    if call.return_url:
        body["callback_url"] = call.return_url
    path = "/v1/payments/create/upi" if call.method is PaymentMethod.UPI else "/v1/payments/create/json"
    return Request("POST", path, body | _instrument(call.instrument))


def _instrument(instrument: Instrument | None) -> dict[str, Any]:
    match instrument:
        case Card():
            card = {
                "number": instrument.number,
                "name": instrument.holder or "",
                "expiry_month": f"{instrument.exp_month:02}",
                "expiry_year": f"{instrument.exp_year % 100:02}",
                "cvv": instrument.cvc,
            }
            return {"method": "card", "card": card}
        case Upi(vpa=None):
            return {"method": "upi", "upi": {"flow": "intent"}}
        case Upi():
            return {"method": "upi", "upi": {"flow": "collect", "vpa": instrument.vpa, "expiry_time": 5}}
        case Bank():
            return {"method": "netbanking", "bank": instrument.code}
        case Wallet():
            return {"method": "wallet", "wallet": instrument.code}
        case None:
            return {}
        case _:
            assert_never(instrument)


def capture(call: GatewayCall) -> Request:
    """Take an authorised payment, whole."""
    return Request(
        "POST",
        f"/v1/payments/{call.parent_reference}/capture",
        {"amount": amount_of(call), "currency": call.currency},
    )


def refund(call: GatewayCall) -> Request:
    """Give money back, once for our key; it is the receipt, too, by which the refund is found again.

    Source: Razorpay's documentation, "Create a Normal Refund (Idempotent Request)".
    """
    body = {"amount": amount_of(call), "speed": "normal", "receipt": call.key, "notes": told_of(call)}
    path = f"/v1/payments/{call.parent_reference}/refund"
    return Request("POST", path, body, headers={"X-Refund-Idempotency": call.key})


def payments_of_order(order_id: str) -> Request:
    """Every payment that was tried for an order."""
    return Request("GET", f"/v1/orders/{order_id}/payments")


def payment(payment_id: str) -> Request:
    """One payment."""
    return Request("GET", f"/v1/payments/{payment_id}")


def refunds_of_payment(payment_id: str) -> Request:
    """The refunds of a payment, at most a page."""
    return Request("GET", f"/v1/payments/{payment_id}/refunds", query={"count": str(PAGE)})


def orders_since(since_s: int, skip: int) -> Request:
    """A page of the account's orders since a time, newest first."""
    return _page("/v1/orders", since_s, skip)


def refunds_since(since_s: int, skip: int) -> Request:
    """A page of the account's refunds since a time, newest first."""
    return _page("/v1/refunds", since_s, skip)


def _page(path: str, since_s: int, skip: int) -> Request:
    return Request("GET", path, query={"from": str(since_s), "count": str(PAGE), "skip": str(skip)})


def methods() -> Request:
    """What is switched on for the account."""
    return Request("GET", "/v1/methods")
