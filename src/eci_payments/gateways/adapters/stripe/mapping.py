"""Stripe's answers in our words: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.gateways.adapters.stripe.amounts import from_stripe
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    Cancelled,
    Declined,
    NeverSeen,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)

if TYPE_CHECKING:
    from eci_payments.gateways.transport import Reply

_DECLINES: dict[str, str] = {
    "authentication_required": "authentication_required",
    "payment_intent_authentication_failure": "authentication_failed",
    "card_declined": "do_not_honor",
    "card_velocity_exceeded": "limit_exceeded",
    "withdrawal_count_limit_exceeded": "limit_exceeded",
    "expired_card": "expired_card",
    "fraudulent": "suspected_fraud",
    "incorrect_cvc": "incorrect_cvc",
    "invalid_cvc": "incorrect_cvc",
    "incorrect_number": "invalid_card_number",
    "invalid_number": "invalid_card_number",
    "insufficient_funds": "insufficient_funds",
    "lost_card": "lost_or_stolen",
    "stolen_card": "lost_or_stolen",
    "processing_error": "processing_error",
    "issuer_not_available": "issuer_unavailable",
}
"""Stripe's decline and error codes in our normalised ones; any other is `do_not_honor`."""
_RETRYABLE = frozenset({"processing_error", "issuer_unavailable"})
_STANDS_OTHERWISE = frozenset({"payment_intent_unexpected_state", "charge_already_captured"})
"""What was asked for does not fit how the PaymentIntent stands: an earlier sending, the customer or the dashboard was
quicker."""
_DONE_BEFORE = _STANDS_OTHERWISE | {"idempotency_key_in_use"}
"""Errors that may mean that an earlier sending took effect: to be asked about."""
_REUSED = "idempotency_error"
"""The type of the error for a key that came with another request before: that one may have taken effect."""
_PLAIN = "The payment was declined."
"""What a payer is told of every decline: lost, stolen and suspected cards are not named to them."""

BAD_REQUEST, UNAUTHORISED, DECLINED, FORBIDDEN, NOT_FOUND, RATE_LIMITED = 400, 401, 402, 403, 404, 429
_REFUSED = frozenset({BAD_REQUEST, UNAUTHORISED, DECLINED, FORBIDDEN, NOT_FOUND})
"""Statuses with which Stripe says that it did not do it; of any other (409, 424, 5xx) it may have."""
_NO_ACCESS = Declined("gateway_misconfigured", "The gateway refused our credentials.", retryable=True)


def declined(error: dict[str, Any], reference: str | None = None) -> Declined:
    """An error object of Stripe's as a decline."""
    named = str(error.get("decline_code") or error.get("code") or "")
    code = _DECLINES.get(named) or _DECLINES.get(str(error.get("code")), "do_not_honor")
    return Declined(code, _PLAIN, code in _RETRYABLE, reference)


def failed(reply: Reply) -> Declined | NotSent | Unknown | None:
    """What an error answer means; None for success.

    Stripe answers 4xx before, or instead of, doing anything. One without an error object is not Stripe's word.
    """
    error = reply.body.get("error")
    if reply.status < BAD_REQUEST and not error:
        return None
    if reply.status == RATE_LIMITED:
        return NotSent("Stripe answered 429 and did nothing")
    if not isinstance(error, dict) or reply.status not in _REFUSED or _may_be_done(error):
        return Unknown(f"Stripe answered {reply.status}")
    if reply.status in {UNAUTHORISED, FORBIDDEN} or error.get("code") == "resource_missing":
        return _NO_ACCESS
    if reply.status == DECLINED or error.get("type") == "card_error" or error.get("code") in _DECLINES:
        return declined(error)
    return Declined("gateway_refused", "The gateway refused the request.", retryable=False)


def _may_be_done(error: dict[str, Any]) -> bool:
    return error.get("code") in _DONE_BEFORE or error.get("type") == _REUSED


def standing(reply: Reply) -> dict[str, Any] | None:
    """The PaymentIntent in a refusal that is for how it stands."""
    error = reply.body.get("error")
    if not isinstance(error, dict) or error.get("code") not in _STANDS_OTHERWISE:
        return None
    intent = error.get("payment_intent")
    return intent if isinstance(intent, dict) else None


def listed(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The objects of a page of a list; None for what is none, of which nothing is to be believed."""
    data = body.get("data")
    if not isinstance(data, list) or not all(isinstance(each, dict) for each in data):
        return None
    return data


def intent_outcome(intent: dict[str, Any], currency: str) -> Outcome | NeverSeen:
    """A PaymentIntent as the outcome of the charge or authorization that it stands for."""
    reference, status = str(intent.get("id")), intent.get("status")
    match status:
        case "succeeded" | "requires_capture":
            return _approved(intent, currency)
        case "requires_action":
            return ActionRequired(reference, ActionType.REDIRECT, url=_redirect(intent))
        case "processing":
            return Pending(reference)
        case "canceled":
            return Cancelled(reference)
        case "requires_payment_method":
            error = intent.get("last_payment_error")
            return declined(error, reference) if isinstance(error, dict) else NeverSeen()
        case "requires_confirmation":
            return NeverSeen()
        case _:
            return Unknown("a PaymentIntent in a state that is not known")


def _approved(intent: dict[str, Any], currency: str) -> Outcome:
    taken = intent.get("amount")
    if not isinstance(taken, int) or str(intent.get("currency", "")).upper() != currency:
        return Unknown("a PaymentIntent with another currency or without an amount")
    return Approved(str(intent.get("id")), from_stripe(taken, currency), authorization_code=_code(intent))


def _code(intent: dict[str, Any]) -> str | None:
    charge = intent.get("latest_charge")
    return charge if isinstance(charge, str) else (charge or {}).get("id")


def _redirect(intent: dict[str, Any]) -> str | None:
    action = intent.get("next_action") or {}
    return (action.get("redirect_to_url") or {}).get("url")


def refund_outcome(refund: dict[str, Any], currency: str) -> Outcome:
    """One refund, of a charge in this currency."""
    reference, status = str(refund.get("id")), refund.get("status")
    match status:
        case "succeeded":
            return Approved(reference, from_stripe(int(refund["amount"]), currency))
        case "pending" | "requires_action":
            return Pending(reference)
        case "failed" | "canceled":
            return Declined(
                "refund_failed", "The gateway could not refund.", retryable=True, reference=reference
            )
        case _:
            return Unknown("a refund in a state that is not known")
