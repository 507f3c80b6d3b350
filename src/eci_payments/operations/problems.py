"""Problem details (RFC 9457): every refusal mapped once to its HTTP status and title, and the document itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from eci_payments.domain.errors import FieldError, Refusal, RefusalCode

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of problem: its stable code, HTTP status, title, and what a caller should do about it."""

    code: str
    status: int
    title: str
    advice: str


def _catalogue(*problems: Problem) -> dict[str, Problem]:
    return {problem.code: problem for problem in problems}


R = RefusalCode
CATALOGUE: dict[str, Problem] = _catalogue(
    Problem("malformed_request", 400, "Malformed request", "Send well-formed HTTP/1.1."),
    Problem(
        "malformed_json", 400, "Malformed JSON", "Send one JSON object in UTF-8, without duplicate names."
    ),
    Problem(
        "idempotency_key_missing",
        400,
        "Idempotency-Key missing",
        "Send an Idempotency-Key of your own making.",
    ),
    Problem(
        "idempotency_key_invalid",
        400,
        "Idempotency-Key invalid",
        "Use 1 to 255 printable ASCII characters without quotes, bare or as a quoted string.",
    ),
    Problem(
        "invalid_cursor", 400, "Invalid cursor", "Use next_cursor as it was returned, with the same filters."
    ),
    Problem("unauthorized", 401, "Not authenticated", "Send a valid API key as a bearer token."),
    Problem("forbidden", 403, "Not allowed", "Use a key that has the scope this needs."),
    Problem(
        R.CHARGE_REFUSED,
        403,
        "Charge not accepted",
        "The merchant does not take this charge; its operators find why in the trail.",
    ),
    Problem(
        R.ANOTHER_KEY_NEEDED,
        403,
        "Somebody else has to approve",
        "A refund is approved with another API key than the one that asked for it.",
    ),
    Problem("route_not_found", 404, "No such path", "See /docs for the paths there are."),
    Problem(R.NOT_FOUND, 404, "Not found", "Check the id."),
    Problem("method_not_allowed", 405, "Method not allowed", "Use one of the methods in Allow."),
    Problem(R.ORDER_IN_PROGRESS, 409, "Order has a payment in progress", "Follow the payment that is named."),
    Problem(R.ORDER_ALREADY_PAID, 409, "Order is already paid", "Nothing is left to charge for this order."),
    Problem(
        R.ORDER_OUTCOME_UNKNOWN,
        409,
        "Outcome of the order's charge is unknown",
        "Wait: the service is asking the gateway. Charging again might take the money twice.",
    ),
    Problem(
        R.ORDER_REFUNDED, 409, "Order was refunded", "A refunded order is not charged again; use a new order."
    ),
    Problem(R.USER_MISMATCH, 409, "Another user's order", "A new attempt must come from the same user."),
    Problem(R.ILLEGAL_STATE, 409, "Not possible in this state", "Read the payment's status first."),
    Problem(
        R.OPERATION_IN_PROGRESS, 409, "Something is still in progress", "Wait for it to end, then try again."
    ),
    Problem(
        R.ACTION_PENDING,
        409,
        "The customer's action is pending",
        "Cancel the payment at the gateway (DELETE) before another method is tried.",
    ),
    Problem(
        R.CANCEL_REFUSED,
        409,
        "The gateway did not cancel",
        "Read the payment: it may have been paid meanwhile.",
    ),
    Problem(
        R.POSSIBLE_DUPLICATE,
        409,
        "Possible duplicate",
        "Send an Idempotency-Key to say that this is meant, or use the first one's result.",
    ),
    Problem(R.INQUIRY_REQUIRED, 409, "The gateway could not be asked", "Try again when the gateway answers."),
    Problem(R.USE_REFUND_ENDPOINT, 409, "Use the refund endpoint", "POST /v1/payments/{payment_id}/refund."),
    Problem(
        R.TOO_MANY_OPERATIONS, 409, "Too many operations on one payment", "Refund or capture in larger parts."
    ),
    Problem(
        R.KEY_IN_FLIGHT,
        409,
        "A request with this key is still running",
        "Repeat the same request after a moment.",
    ),
    Problem(
        "refund_not_approved",
        409,
        "The refund was not approved",
        "Nothing moved; see failure: it was rejected, or nobody approved it in time.",
    ),
    Problem("gateway_declined", 409, "Declined by the gateway", "Nothing moved; see failure for the reason."),
    Problem("payload_too_large", 413, "Body too large", "Send at most 64 KiB."),
    Problem("unsupported_media_type", 415, "Not JSON", "Send Content-Type: application/json."),
    Problem("validation_failed", 422, "A field is wrong", "See errors for each field."),
    Problem(
        "card_data_not_allowed",
        422,
        "Card data where none may be",
        "Card numbers belong in payment_details.card.number and nowhere else.",
    ),
    Problem(R.REASON_REQUIRED, 422, "A reason is required", "Say why; it is kept in the audit trail."),
    Problem(R.AMOUNT_EXCEEDS_AUTHORIZED, 422, "More than is authorised", "Capture at most what is left."),
    Problem(R.AMOUNT_EXCEEDS_REFUNDABLE, 422, "More than can be refunded", "Refund at most what is left."),
    Problem(
        R.AMOUNT_ABOVE_LIMIT,
        422,
        "Above the limit",
        "Charge less: it is above MAX_CHARGE_AMOUNT or the merchant's own limit.",
    ),
    Problem(R.METHOD_NOT_SUPPORTED, 422, "No gateway takes this", "Use another method or currency."),
    Problem(
        R.INSTRUMENT_REQUIRED, 422, "payment_details are needed", "Send the details that fit the method."
    ),
    Problem(
        R.PARTIAL_CAPTURE_UNSUPPORTED, 422, "The gateway captures once and whole", "Capture the full amount."
    ),
    Problem(
        R.KEY_REUSED, 422, "Idempotency-Key was used for another request", "Use a new key for a new request."
    ),
    Problem("rate_limited", 429, "Too many requests", "Wait for as long as Retry-After says."),
    Problem("internal_error", 500, "Our fault", "Repeat the request with the same Idempotency-Key."),
    Problem("gateway_unreachable", 502, "Gateway unreachable", "Nothing was charged; try again."),
    Problem(R.BUSY, 503, "At the limit", "Wait for as long as Retry-After says."),
    Problem(
        R.RESTORE_IN_PROGRESS,
        503,
        "Being restored",
        "Wait: the gateways are asked first what happened after the backup.",
    ),
    Problem("draining", 503, "About to end", "Send the request to another replica, or again in a moment."),
    Problem("database_unavailable", 503, "Database unavailable", "Repeat with the same Idempotency-Key."),
)
"""Every problem that this service can answer with; its page is ``/problems/{code}``."""


ABOUT: dict[str, FieldError] = {
    R.REASON_REQUIRED: FieldError("reason", "is required"),
    R.AMOUNT_EXCEEDS_AUTHORIZED: FieldError("amount", "is more than is left"),
    R.AMOUNT_EXCEEDS_REFUNDABLE: FieldError("amount", "is more than is left to refund"),
    R.METHOD_NOT_SUPPORTED: FieldError("payment_method", "is taken by no gateway for this charge"),
    R.INSTRUMENT_REQUIRED: FieldError("payment_details", "are required for this method"),
    R.PARTIAL_CAPTURE_UNSUPPORTED: FieldError("amount", "must be all that is authorized"),
    R.KEY_REUSED: FieldError("Idempotency-Key", "was used for another request"),
}
"""What a 422 is about, where the refusal itself names no field: every 422 has ``errors``."""


def errors_of(refusal: Refusal) -> tuple[FieldError, ...]:
    """The fields that a refusal is about."""
    about = ABOUT.get(refusal.code)
    return refusal.errors if about is None or refusal.errors else (about,)


def of_refusal(refusal: Refusal) -> Problem:
    """The problem that a refusal is."""
    return CATALOGUE[refusal.code]


def problem_document(
    problem: Problem,
    detail: str,
    *,
    base: str = "",
    instance: str | None = None,
    correlation_id: str | None = None,
    errors: Sequence[FieldError] = (),
    **extra: Any,
) -> bytes:
    """The document as bytes. ``base`` stands before ``/problems/{code}``; ``extra`` members are added as they are."""
    document: dict[str, Any] = {
        "type": f"{base}/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": instance,
        "code": problem.code,
        "correlation_id": correlation_id,
    }
    if errors:
        document["errors"] = [{"field": e.field, "message": e.message} for e in errors]
    document |= extra
    return _encode({name: value for name, value in document.items() if value is not None})


_encode = msgspec.json.Encoder(decimal_format="number").encode
