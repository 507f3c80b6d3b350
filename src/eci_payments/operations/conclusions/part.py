"""A capture or a void, concluded: what becomes of an authorization."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_never

from eci_payments.domain.events import EventType
from eci_payments.domain.ledger import Movement, gateway_account
from eci_payments.domain.operation import OperationKind
from eci_payments.domain.payment import Failure, PaymentStatus, ProcessingReason
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
from eci_payments.operations.cancel import EXPIRY
from eci_payments.operations.conclusions.reply import failure_of, reply_with_payment, reply_with_problem

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.rules import Rules

S = PaymentStatus
AGAIN, AGAIN_MAX = timedelta(minutes=1), timedelta(days=1)
"""The wait before an authorization is voided again that its gateway would not void: doubling."""
_ENDED: dict[str, Any] = {"open_operation_id": None, "processing_reason": None}


def conclude_part(draft: Draft, before: Operation, after: Operation, outcome: Outcome, rules: Rules) -> None:
    """Move the payment as the outcome says. Declined and never sent leave the authorization as it was.

    A void that is declined because nothing is there any more has the gateway's word that the authorization is gone.
    """
    match outcome:
        case Approved():
            _captured(draft, after) if after.kind is OperationKind.CAPTURE else _voided(draft, after)
            reply_with_payment(draft, before, after)
        case Cancelled() if after.kind is OperationKind.VOID:
            _voided(draft, after)
            reply_with_payment(draft, before, after)
        case Declined(code="already_voided") if after.kind is OperationKind.VOID:
            _voided(draft, after)
            reply_with_payment(draft, before, after)
        case Declined() | Cancelled():
            failure = failure_of(outcome)
            draft.move(draft.payment.status, **_ENDED, expires_at=_tried_again_at(draft, after))
            _record(draft, after, "DECLINED", "Declined by the gateway", failure.code)
            reply_with_problem(draft, before, after, "gateway_declined", failure, rules)
        case NotSent():
            failure = Failure(
                "gateway_unreachable", "The gateway could not be reached; nothing changed.", retryable=True
            )
            draft.move(draft.payment.status, **_ENDED, expires_at=_tried_again_at(draft, after))
            _record(draft, after, "NOT_SENT", f"Not sent: {outcome.reason}", failure.code)
            reply_with_problem(draft, before, after, failure.code, failure, rules)
        case Pending() | ActionRequired():
            _waiting(draft, after, ProcessingReason.GATEWAY_PENDING, "Accepted by the gateway, to be decided")
            reply_with_payment(draft, before, after)
        case Unknown():
            _waiting(draft, after, ProcessingReason.OUTCOME_UNKNOWN, f"Outcome unknown: {outcome.reason}")
            reply_with_payment(draft, before, after)
        case _:
            assert_never(outcome)


def _captured(draft: Draft, operation: Operation) -> None:
    payment, now = draft.payment, draft.found.now
    captured = payment.amount_captured_minor + operation.amount_minor
    done = operation.final or captured == payment.amount_authorized_minor
    draft.move(
        S.COMPLETED if done else S.AUTHORIZED,
        **_ENDED,
        amount_captured_minor=captured,
        captured_at=now,
        completed_at=now if done else None,
        expires_at=None if done else payment.expires_at,
    )
    draft.post(
        Movement.CAPTURED, gateway_account(operation.gateway), operation.amount_minor, operation.operation_id
    )
    _record(
        draft, operation, "CAPTURED", "Captured; what was left is released" if done else "Captured in part"
    )
    draft.tell(None if done else EventType.CAPTURED)


def _voided(draft: Draft, operation: Operation) -> None:
    """Nothing captured: the payment is CANCELLED. Something captured: what was left is released, COMPLETED."""
    now = draft.found.now
    if draft.payment.amount_captured_minor:
        draft.move(S.COMPLETED, **_ENDED, expires_at=None, completed_at=now)
    else:
        draft.move(S.CANCELLED, **_ENDED, expires_at=None)
    reason = "authorization_expired" if operation.actor == EXPIRY else None
    _record(draft, operation, "VOIDED", "The rest of the authorization was released", reason)
    draft.tell(reason=reason or ("cancelled" if draft.payment.status is S.CANCELLED else None))


def _tried_again_at(draft: Draft, operation: Operation) -> datetime | None:
    """When an authorization whose end is near is to be voided again: where its gateway refused, later each time."""
    until = draft.payment.expires_at
    if operation.actor != EXPIRY or operation.kind is not OperationKind.VOID:
        return until
    tries = sum(o.kind is OperationKind.VOID and o.actor == EXPIRY for o in draft.found.operations)
    return draft.found.now + min(AGAIN * (1 << min(max(tries - 1, 0), 11)), AGAIN_MAX)


def _waiting(draft: Draft, operation: Operation, reason: ProcessingReason, described: str) -> None:
    draft.move(draft.payment.status, open_operation_id=operation.operation_id, processing_reason=reason)
    _record(draft, operation, draft.payment.status, described, reason)


def _record(
    draft: Draft, operation: Operation, status: str, described: str, reason: str | None = None
) -> None:
    draft.record(
        type_of(operation),
        operation.amount_minor,
        status,
        described,
        operation=operation.operation_id,
        reason=reason,
    )
