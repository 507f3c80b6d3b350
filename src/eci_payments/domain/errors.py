"""Every way the service says no, as one small tree that knows no HTTP.

    Refusal             the request cannot be done as things stand; nothing changed
    BrokenInvariant     something that must never be is: stop, roll back, alarm

The api maps each `RefusalCode` once, in `operations.problems`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class RefusalCode(StrEnum):
    """Stable names of refusals: callers program against them."""

    NOT_FOUND = "not_found"
    ORDER_IN_PROGRESS = "order_in_progress"
    ORDER_ALREADY_PAID = "order_already_paid"
    ORDER_OUTCOME_UNKNOWN = "order_outcome_unknown"
    ORDER_REFUNDED = "order_refunded"
    USER_MISMATCH = "user_mismatch"
    ILLEGAL_STATE = "illegal_state"
    OPERATION_IN_PROGRESS = "operation_in_progress"
    ACTION_PENDING = "action_pending"
    CANCEL_REFUSED = "cancel_refused"
    POSSIBLE_DUPLICATE = "possible_duplicate"
    INQUIRY_REQUIRED = "inquiry_required"
    USE_REFUND_ENDPOINT = "use_refund_endpoint"
    REASON_REQUIRED = "reason_required"
    TOO_MANY_OPERATIONS = "too_many_operations"
    AMOUNT_EXCEEDS_AUTHORIZED = "amount_exceeds_authorized"
    AMOUNT_EXCEEDS_REFUNDABLE = "amount_exceeds_refundable"
    AMOUNT_ABOVE_LIMIT = "amount_above_limit"
    METHOD_NOT_SUPPORTED = "method_not_supported"
    INSTRUMENT_REQUIRED = "instrument_required"
    PARTIAL_CAPTURE_UNSUPPORTED = "partial_capture_unsupported"
    CHARGE_REFUSED = "charge_refused"
    ANOTHER_KEY_NEEDED = "another_key_needed"
    INVALID_FIELD = "validation_failed"
    KEY_REUSED = "idempotency_key_reused"
    KEY_IN_FLIGHT = "idempotency_key_in_flight"
    BUSY = "busy"
    RESTORE_IN_PROGRESS = "restore_in_progress"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: its dotted path in the body, and what it must be. Never the value."""

    field: str
    message: str


class Refusal(Exception):
    """The request cannot be done as things stand, and nothing was changed.

    ``payment_id`` names the payment that stands in the way, where one does.
    """

    def __init__(
        self,
        code: RefusalCode,
        detail: str,
        *,
        payment_id: int | None = None,
        retry_after_s: int | None = None,
        errors: tuple[FieldError, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.payment_id = payment_id
        self.retry_after_s = retry_after_s
        self.errors = errors


class BrokenInvariant(Exception):
    """Something that must never be is. Whoever meets it rolls back, parks the work and alarms."""


def known(value: T | None, what: str) -> T:
    """A value that must be there. Raises BrokenInvariant when it is None."""
    if value is None:
        raise BrokenInvariant(what)
    return value


def ensure(condition: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence: ensure(a <= b, "...")
    """An always-on check of an invariant (Python's ``assert`` vanishes under -O). Raises BrokenInvariant."""
    if not condition:
        raise BrokenInvariant(what)
