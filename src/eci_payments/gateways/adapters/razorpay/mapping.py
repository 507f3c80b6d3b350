"""Razorpay's answers in our words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    CallKind,
    Declined,
    GatewayCall,
    Inquiry,
    Listing,
    NeverSeen,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)
from eci_payments.gateways.recounting import PAGE
from eci_payments.gateways.transport import is_reference

if TYPE_CHECKING:
    from eci_payments.gateways.transport import Reply

_DECLINES: dict[str, str] = {
    "authentication_failed": "authentication_failed",
    "bank_technical_error": "issuer_unavailable",
    "card_declined": "do_not_honor",
    "card_expired": "expired_card",
    "card_not_enrolled": "authentication_failed",
    "gateway_technical_error": "issuer_unavailable",
    "incorrect_card_details": "invalid_card_number",
    "incorrect_cvv": "incorrect_cvc",
    "incorrect_otp": "authentication_failed",
    "incorrect_pin": "authentication_failed",
    "insufficient_funds": "insufficient_funds",
    "payment_cancelled": "cancelled_by_customer",
    "payment_collect_request_expired": "action_expired",
    "payment_risk_check_failed": "suspected_fraud",
    "payment_timed_out": "action_expired",
    "transaction_limit_exceeded": "limit_exceeded",
}
"""Razorpay's error reasons in our normalised codes; any other is `do_not_honor`."""
_RETRYABLE = frozenset({"issuer_unavailable", "cancelled_by_customer", "action_expired"})
_PLAIN = "The payment was declined."

BAD_REQUEST, UNAUTHORISED, FORBIDDEN, NOT_FOUND, RATE_LIMITED = 400, 401, 403, 404, 429
_REFUSED = frozenset({BAD_REQUEST, UNAUTHORISED, FORBIDDEN, NOT_FOUND})
"""Statuses with which Razorpay says that it did not do it; of any other (409, 5xx) it may have."""
_NOT_ITS_OWN = frozenset({"GATEWAY_ERROR", "SERVER_ERROR"})
_DONE_BEFORE = ("already been captured", "operation is in progress", "request is in progress")
"""In a refusal's description, for want of a code: an earlier sending may have done it, or is doing it."""
RELEASED = Declined("already_voided", "What was authorized has been released.", retryable=True)


def declined(reason: str | None, reference: str | None = None) -> Declined:
    """A failure's reason as a decline."""
    code = _DECLINES.get(reason or "", "do_not_honor")
    return Declined(code, _PLAIN, code in _RETRYABLE, reference)


def failed(reply: Reply) -> Declined | NotSent | Unknown | None:
    """What an error answer means; None for success. One without an error object is not Razorpay's word."""
    error = reply.body.get("error")
    if reply.status < BAD_REQUEST and not error:
        return None
    if reply.status == RATE_LIMITED:
        return NotSent("Razorpay answered 429 and did nothing")
    if not isinstance(error, dict) or reply.status not in _REFUSED or _may_be_done(error):
        return Unknown(f"Razorpay answered {reply.status}")
    if reply.status in {UNAUTHORISED, FORBIDDEN, NOT_FOUND}:
        return Declined("gateway_misconfigured", "The gateway refused our credentials.", retryable=True)
    return declined(error.get("reason"), (error.get("metadata") or {}).get("payment_id"))


def _may_be_done(error: dict[str, Any]) -> bool:
    described = str(error.get("description", "")).lower()
    return error.get("code") in _NOT_ITS_OWN or any(words in described for words in _DONE_BEFORE)


def items(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The entities of a collection; None for what is none, of which nothing is to be believed."""
    found = body.get("items")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return None
    return found


def created_outcome(call: GatewayCall, body: dict[str, Any]) -> Outcome:
    """The answer of creating a payment: the customer has to act, or the gateway will decide."""
    reference = body.get("razorpay_payment_id")
    if not isinstance(reference, str) or not is_reference(reference):
        return Unknown("a payment without an id")
    steps = [step for step in body.get("next", []) if isinstance(step, dict)]
    for step in steps:
        if step.get("action") in {"redirect", "otp_generate"} and step.get("url"):
            return ActionRequired(reference, ActionType.REDIRECT, url=str(step["url"]))
        if step.get("action") in {"intent", "upi_intent"} and step.get("url"):
            return ActionRequired(reference, ActionType.UPI_INTENT, upi_uri=str(step["url"]))
    if isinstance(body.get("link"), str):
        return ActionRequired(reference, ActionType.UPI_INTENT, upi_uri=body["link"])
    if getattr(call.instrument, "vpa", None):
        return ActionRequired(reference, ActionType.UPI_COLLECT)
    return Pending(reference)


def payments_outcome(call: GatewayCall, body: dict[str, Any]) -> Inquiry:
    """The payments of one order as the outcome of the charge: the best of them counts."""
    payments = items(body)
    if payments is None or any(payment.get("order_id") != call.reference for payment in payments):
        return Unknown("an answer that is no list of the order's payments")
    if not payments:
        return NeverSeen()
    ranked = sorted(payments, key=lambda p: _RANK.get(str(p.get("status")), 0))
    return payment_outcome(call, ranked[-1])


_RANK = {"failed": 1, "created": 2, "authorized": 3, "refunded": 4, "captured": 5}


def payment_outcome(call: GatewayCall, payment: dict[str, Any]) -> Inquiry:
    """One payment as the outcome of the charge, authorization or capture."""
    reference, status = str(payment.get("id")), payment.get("status")
    amount, code = payment.get("amount"), (payment.get("acquirer_data") or {}).get("auth_code")
    if payment.get("currency") != call.currency or not isinstance(amount, int):
        return Unknown("a payment with another currency or without an amount")
    match status:
        case "refunded" if payment.get("captured") is False:
            return RELEASED
        case "captured" | "refunded":
            return Approved(reference, amount, authorization_code=code)
        case "authorized" if call.kind is CallKind.AUTHORIZE:
            return Approved(reference, amount, authorization_code=code)
        case "authorized":
            return NeverSeen() if call.kind is CallKind.CAPTURE else Pending(reference)
        case "created":
            return Pending(reference, may_await_customer=True)
        case "failed":
            return declined(payment.get("error_reason"), reference)
        case _:
            return Unknown("a payment in a state that is not known")


def refund_outcome(refund: dict[str, Any]) -> Outcome:
    """One refund."""
    reference, status = str(refund.get("id")), refund.get("status")
    match status:
        case "processed":
            return Approved(reference, int(refund.get("amount", 0)))
        case "pending":
            return Pending(reference)
        case "failed":
            return Declined(
                "refund_failed", "The gateway could not refund.", retryable=True, reference=reference
            )
        case _:
            return Unknown("a refund in a state that is not known")


def found_refund(call: GatewayCall, body: dict[str, Any]) -> Inquiry:
    """Our refund among those of a payment, by the receipt that it carries."""
    refunds = items(body)
    if refunds is None:
        return Unknown("an answer that is no list of refunds")
    for refund in refunds:
        if refund.get("receipt") == call.key:
            return refund_outcome(refund)
    return NeverSeen() if len(refunds) < PAGE else Unknown("more refunds than one page")


def listed(reply: Reply) -> Listing | NotSent | Unknown:
    """What the account's methods say: switches by method, banks with their names, wallets with a switch each."""
    if reply.status >= BAD_REQUEST or reply.body.get("entity") != "methods":
        return Unknown(f"status {reply.status} without a list of methods")
    banks = {code: str(name) for code, name in _object(reply.body, "netbanking").items()}
    wallets = {code: code for code, is_on in _object(reply.body, "wallet").items() if is_on}
    is_on = {
        PaymentMethod.CREDIT_CARD: reply.body.get("credit_card", reply.body.get("card")),
        PaymentMethod.DEBIT_CARD: reply.body.get("debit_card", reply.body.get("card")),
        PaymentMethod.UPI: reply.body.get("upi"),
        PaymentMethod.NET_BANKING: banks,
        PaymentMethod.WALLET: wallets,
    }
    return Listing(banks, wallets, frozenset(method for method, on in is_on.items() if on))


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object; Razorpay writes an empty one as an empty list."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}
