"""Decline codes that the simulator gives: normalised ones of ISO 8583, field 39, and refusals of the impossible."""

from __future__ import annotations

from enum import StrEnum


class DeclineCode(StrEnum):
    """Why it was declined. The second group is what a gateway says to a request that cannot be done."""

    DO_NOT_HONOR = "do_not_honor"
    INVALID_CARD_NUMBER = "invalid_card_number"
    LOST_OR_STOLEN = "lost_or_stolen"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    AUTHENTICATION_FAILED = "authentication_failed"
    SUSPECTED_FRAUD = "suspected_fraud"
    LIMIT_EXCEEDED = "limit_exceeded"
    INCORRECT_CVC = "incorrect_cvc"
    AUTHENTICATION_REQUIRED = "authentication_required"
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    PROCESSING_ERROR = "processing_error"

    KEY_REUSED = "key_reused"
    UNKNOWN_CHARGE = "unknown_charge"
    CURRENCY_MISMATCH = "currency_mismatch"
    CURRENCY_NOT_SUPPORTED = "currency_not_supported"
    NOT_AUTHORIZED = "not_authorized"
    ALREADY_CAPTURED = "already_captured"
    ALREADY_VOIDED = "already_voided"
    ALREADY_COMPLETED = "already_completed"
    ALREADY_FAILED = "already_failed"
    AMOUNT_EXCEEDS_AUTHORIZED = "amount_exceeds_authorized"
    AMOUNT_EXCEEDS_CAPTURED = "amount_exceeds_captured"


C = DeclineCode
RETRYABLE = frozenset({C.ISSUER_UNAVAILABLE, C.PROCESSING_ERROR})
"""What may go better next time with nothing changed."""

_PLAIN = "The payment was declined."
MESSAGES: dict[DeclineCode, str] = {
    C.DO_NOT_HONOR: _PLAIN,
    C.LOST_OR_STOLEN: _PLAIN,
    C.SUSPECTED_FRAUD: _PLAIN,
    C.INVALID_CARD_NUMBER: "The card number is not valid.",
    C.INSUFFICIENT_FUNDS: "There is not enough money in the account.",
    C.EXPIRED_CARD: "The card has expired.",
    C.AUTHENTICATION_FAILED: "The customer could not be authenticated.",
    C.LIMIT_EXCEEDED: "The limit of the card or account is exceeded.",
    C.INCORRECT_CVC: "The security code is wrong.",
    C.AUTHENTICATION_REQUIRED: "The bank asks for the customer's authentication.",
    C.ISSUER_UNAVAILABLE: "The customer's bank cannot be reached.",
    C.PROCESSING_ERROR: "An error occurred while processing the payment.",
    C.KEY_REUSED: "This key was used for another operation.",
    C.UNKNOWN_CHARGE: "There is no such charge.",
    C.CURRENCY_MISMATCH: "The charge is in another currency.",
    C.CURRENCY_NOT_SUPPORTED: "UPI pays in INR only.",
    C.NOT_AUTHORIZED: "Nothing is authorized that this could act on.",
    C.ALREADY_CAPTURED: "It has been captured already.",
    C.ALREADY_VOIDED: "It has been voided already.",
    C.ALREADY_COMPLETED: "It has been completed already.",
    C.ALREADY_FAILED: "It has failed already.",
    C.AMOUNT_EXCEEDS_AUTHORIZED: "That is more than what is left of the authorization.",
    C.AMOUNT_EXCEEDS_CAPTURED: "That is more than what is left of the captured amount.",
}
"""What people read. Lost, stolen and fraud read like any decline, so that a thief learns nothing."""
