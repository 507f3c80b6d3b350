"""Our calls as the sandbox's JSON, and its JSON as outcomes. What does not fit our call is no answer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from eci_payments.domain.methods import Bank, Card, Instrument, Upi, Wallet
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    Cancelled,
    Declined,
    Listing,
    NeverSeen,
    Pending,
    Unknown,
)

if TYPE_CHECKING:
    from eci_payments.gateways.contract import GatewayCall
    from eci_payments.gateways.transport import Reply

Known = Approved | Declined | ActionRequired | Pending | Cancelled | Unknown
OK, NOT_FOUND = 200, 404
REFUSED = frozenset({401, 403, 405, 415, 422})
"""Statuses with which the sandbox turns a request away before it looks at the operation."""


def request_json(call: GatewayCall) -> dict[str, Any]:
    """The body of ``POST /v1/operations/{kind}``."""
    body = {
        "key": call.key,
        "merchant_id": call.merchant_id,
        "transaction_id": call.transaction_id,
        "order_id": call.order_id,
        "amount_minor": call.amount_minor,
        "currency": call.currency,
        "method": call.method.value,
        "instrument": _instrument(call.instrument),
        "parent_key": call.parent_key,
        "parent_reference": call.parent_reference,
        "final": call.final,
        "return_url": call.return_url,
    }
    return {name: value for name, value in body.items() if value is not None}


def _instrument(instrument: Instrument | None) -> dict[str, Any] | None:
    match instrument:
        case None:
            return None
        case Card():
            card = {
                "number": instrument.number,
                "exp_month": instrument.exp_month,
                "exp_year": instrument.exp_year,
                "cvc": instrument.cvc,
                "holder": instrument.holder,
            }
            return {"type": "card", "card": card}
        case Upi():
            return {"type": "upi", "vpa": instrument.vpa}
        case Bank():
            return {"type": "bank", "code": instrument.code}
        case Wallet():
            return {"type": "wallet", "code": instrument.code}
        case _:
            assert_never(instrument)


def performed(call: GatewayCall, reply: Reply) -> Known:
    """What came of a call. An error, or an answer to something else, tells nothing."""
    if reply.status in REFUSED and "error" in reply.body:
        return Declined("gateway_rejected", "The gateway did not take the request.", retryable=False)
    if reply.status != OK:
        return Unknown(f"status {reply.status}")
    outcome = _outcome(call, reply.body)
    return Unknown("an answer that makes no sense") if isinstance(outcome, NeverSeen) else outcome


def inquired(call: GatewayCall, reply: Reply) -> Known | NeverSeen:
    """What the gateway knows of our key. A 404 counts only when it names the key itself."""
    if (
        reply.status == NOT_FOUND
        and reply.body.get("state") == "never_seen"
        and reply.body.get("key") == call.key
    ):
        return NeverSeen()
    if reply.status != OK:
        return Unknown(f"status {reply.status}")
    return _outcome(call, reply.body)


def _outcome(call: GatewayCall, body: dict[str, Any]) -> Known | NeverSeen:
    if body.get("key") != call.key or body.get("kind") != call.kind.value:
        return Unknown("the answer is to another request")
    try:
        return read_outcome(body)
    except (KeyError, TypeError, ValueError) as error:
        return Unknown(f"an answer that makes no sense: {type(error).__name__}")


def read_outcome(
    body: dict[str, Any],
) -> Known | NeverSeen:
    """The outcome in an answer or event. Raises KeyError, TypeError or ValueError for one that makes no sense."""
    match body["state"]:
        case "approved":
            amount = body["amount_minor"]
            if not isinstance(amount, int) or isinstance(amount, bool):
                raise TypeError("amount_minor")
            code, message, brand = (_text(body, n) for n in ("authorization_code", "message", "card_brand"))
            return Approved(str(body["reference"]), amount, code, message, brand)
        case "declined":
            return Declined(
                str(body["code"]), str(body["message"]), bool(body["retryable"]), _text(body, "reference")
            )
        case "action_required":
            return _action(body)
        case "pending":
            return Pending(str(body["reference"]), _text(body, "message"))
        case "cancelled":
            return Cancelled(_text(body, "reference"))
        case "never_seen":
            return NeverSeen()
        case _:
            return Unknown("the gateway does not know")


def listed(reply: Reply) -> Listing | Unknown:
    """The banks and wallets of ``GET /v1/methods``."""
    banks, wallets = reply.body.get("banks"), reply.body.get("wallets")
    if reply.status != OK or not isinstance(banks, dict) or not isinstance(wallets, dict):
        return Unknown(f"status {reply.status} without a list of banks and wallets")
    return Listing(_names(banks), _names(wallets))


def _names(given: dict[str, Any]) -> dict[str, str]:
    return {code: str(name) for code, name in given.items()}


def _action(body: dict[str, Any]) -> ActionRequired:
    action = body["action"]
    expires_in_s = action.get("expires_in_s")
    return ActionRequired(
        str(body["reference"]),
        ActionType(action["type"]),
        _text(action, "url"),
        _text(action, "upi_uri"),
        None if expires_in_s is None else int(expires_in_s),
    )


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    return None if value is None else str(value)
