"""A charge or an authorization, concluded."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, assert_never

from eci_payments.domain.ledger import Movement, gateway_account
from eci_payments.domain.operation import OperationKind
from eci_payments.domain.payment import Failure, NextAction, PaymentStatus, ProcessingReason
from eci_payments.gateways.contract import (
    ActionRequired,
    Approved,
    Cancelled,
    Declined,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)
from eci_payments.operations.attempt import type_of
from eci_payments.operations.conclusions.reply import reply_with_payment, reply_with_problem

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.rules import Rules

S = PaymentStatus
UNREACHABLE = "gateway_unreachable"


def conclude_charge(
    draft: Draft, before: Operation, after: Operation, outcome: Outcome, rules: Rules
) -> None:
    """Move the payment as the outcome says, with its audit entry, postings and event."""
    match outcome:
        case Approved():
            _approved(draft, after, outcome, rules)
        case Declined():
            failure = Failure(outcome.code, outcome.message, outcome.retryable)
            _failed(draft, after, failure, "Declined by the gateway")
        case Cancelled():
            _given_up(draft, after)
        case ActionRequired():
            _action_required(draft, after, outcome, rules)
        case Pending():
            _waiting(draft, after, ProcessingReason.GATEWAY_PENDING, "Accepted by the gateway, to be decided")
        case Unknown():
            _waiting(draft, after, ProcessingReason.OUTCOME_UNKNOWN, f"Outcome unknown: {outcome.reason}")
        case NotSent():
            _not_sent(draft, before, after, outcome, rules)
            return
        case _:
            assert_never(outcome)
    reply_with_payment(draft, before, after)


_ENDED: dict[str, Any] = {
    "open_operation_id": None,
    "processing_reason": None,
    "next_action": None,
    "expires_at": None,
}
"""What no longer holds once the charge is concluded."""


def _approved(draft: Draft, operation: Operation, outcome: Approved, rules: Rules) -> None:
    amount, now = operation.amount_minor, draft.found.now
    shared = _ENDED | {
        "amount_authorized_minor": amount,
        "authorization_code": outcome.authorization_code,
        "gateway_response": outcome.message,
        "failure": None,
    }
    if operation.kind is OperationKind.CHARGE:
        draft.move(S.COMPLETED, **shared, amount_captured_minor=amount, captured_at=now, completed_at=now)
        draft.post(Movement.CAPTURED, gateway_account(operation.gateway), amount, operation.operation_id)
        _record(draft, operation, "Charged")
    else:
        wait = rules.void_after(operation.gateway, operation.method)
        draft.move(S.AUTHORIZED, **(shared | {"expires_at": wait and operation.created_at + wait}))
        _record(draft, operation, "Authorized")
    draft.tell()


def _failed(draft: Draft, operation: Operation, failure: Failure, described: str) -> None:
    draft.move(S.FAILED, **_ENDED, failure=failure, gateway_response=failure.message)
    _record(draft, operation, described, reason=failure.code)
    draft.tell(reason=failure.code)


def _given_up(draft: Draft, operation: Operation) -> None:
    """The gateway says that the charge was cancelled there: by us, by the customer, or because it expired."""
    if draft.payment.status is S.REQUIRES_ACTION:
        draft.move(S.CANCELLED, **_ENDED)
        _record(draft, operation, "Cancelled at the gateway")
        draft.tell(reason="cancelled_at_gateway")
    else:
        failure = Failure("cancelled_at_gateway", "The payment was cancelled at the gateway.", retryable=True)
        _failed(draft, operation, failure, "Cancelled at the gateway")


def _action_required(draft: Draft, operation: Operation, outcome: ActionRequired, rules: Rules) -> None:
    limit_s = rules.action_expiry_min * 60
    until = draft.found.now + timedelta(seconds=min(limit_s, outcome.expires_in_s or limit_s))
    action = NextAction(outcome.action.value, outcome.url, outcome.upi_uri, until)
    draft.move(
        S.REQUIRES_ACTION,
        open_operation_id=operation.operation_id,
        processing_reason=None,
        next_action=action,
        expires_at=until,
    )
    _record(draft, operation, "The customer has to act")
    draft.tell()


def _waiting(draft: Draft, operation: Operation, reason: ProcessingReason, described: str) -> None:
    draft.move(
        S.PROCESSING,
        open_operation_id=operation.operation_id,
        processing_reason=reason,
        next_action=None,
        expires_at=None,
    )
    _record(draft, operation, described, reason=reason)
    draft.tell(reason=reason)


def _not_sent(draft: Draft, before: Operation, after: Operation, outcome: NotSent, rules: Rules) -> None:
    failure = Failure(UNREACHABLE, "The gateway could not be reached; nothing was charged.", retryable=True)
    _failed(draft, after, failure, f"Not sent: {outcome.reason}")
    reply_with_problem(draft, before, after, UNREACHABLE, failure, rules)


def _record(draft: Draft, operation: Operation, described: str, reason: str | None = None) -> None:
    draft.record(
        type_of(operation),
        operation.amount_minor,
        draft.payment.status,
        described,
        operation=operation.operation_id,
        reason=reason,
    )
