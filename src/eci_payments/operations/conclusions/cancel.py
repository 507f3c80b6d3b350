"""The cancellation of a charge that waits for its customer, concluded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import known
from eci_payments.domain.operation import OperationKind, OperationState, advanced
from eci_payments.domain.payment import Failure, PaymentStatus
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
from eci_payments.operations.conclusions.reply import reply_with_payment, reply_with_problem

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.rules import Rules

S = PaymentStatus
CANCEL_AGAIN, CANCEL_AGAIN_MAX = timedelta(minutes=1), timedelta(days=1)
"""How long an abandoned payment is left alone after its gateway could not or would not cancel it: doubling, so that
a gateway which never will does not fill the payment with attempts."""


def conclude_cancel(
    draft: Draft, before: Operation, after: Operation, outcome: Outcome, rules: Rules
) -> None:
    """Only the gateway's confirmation makes the payment CANCELLED; a refusal leaves it waiting."""
    match outcome:
        case Cancelled() | Approved():
            _confirmed(draft, after, rules)
            reply_with_payment(draft, before, after)
        case Declined():
            failure = Failure("cancel_refused", outcome.message, outcome.retryable)
            _still_waiting(draft, after, "DECLINED", f"The gateway did not cancel: {outcome.message}")
            _ask_charge(draft, after)
            reply_with_problem(draft, before, after, failure.code, failure, rules)
        case NotSent():
            failure = Failure(
                "gateway_unreachable", "The gateway could not be reached; nothing changed.", retryable=True
            )
            _still_waiting(draft, after, "NOT_SENT", f"Not sent: {outcome.reason}")
            reply_with_problem(draft, before, after, failure.code, failure, rules)
        case Pending() | ActionRequired():
            _unchanged(draft, after, "PENDING", "Cancellation accepted by the gateway, to be decided")
            reply_with_payment(draft, before, after)
        case Unknown():
            _unchanged(draft, after, "UNKNOWN", f"Outcome unknown: {outcome.reason}")
            reply_with_payment(draft, before, after)
        case _:
            assert_never(outcome)


def _charge_of(draft: Draft, operation: Operation) -> Operation:
    """The charge that was to be cancelled: of an earlier attempt perhaps, never that of a later one."""
    return known(draft.found.operation(operation.parent_id), "a cancellation without its charge")


def _confirmed(draft: Draft, operation: Operation, rules: Rules) -> None:
    """The charge ends with its cancellation, in one commit, and is watched like whatever did not end by its own word.

    Where it ended before, only the record is left.
    """
    charge = _charge_of(draft, operation)
    if not charge.is_open:
        _unchanged(draft, operation, "CANCELLED", "Cancelled at the gateway after the charge had ended")
        return
    ended = advanced(
        charge,
        OperationState.CANCELLED,
        due_at=draft.found.now + rules.watches[0],
        concluded_at=draft.found.now,
        lease_epoch=charge.lease_epoch + 1,
    )
    draft.write_operation(ended, charge.lease_epoch)
    draft.move(S.CANCELLED, open_operation_id=None, processing_reason=None, next_action=None, expires_at=None)
    _record(draft, operation, "CANCELLED", "Cancelled at the gateway")
    draft.tell(reason="cancelled")


def _ask_charge(draft: Draft, operation: Operation) -> None:
    """A refused cancellation usually means that the customer has just acted: ask about the charge now."""
    charge = _charge_of(draft, operation)
    if charge.is_open:
        draft.write_operation(advanced(charge, charge.state, due_at=draft.found.now), charge.lease_epoch)


def _still_waiting(draft: Draft, operation: Operation, status: str, described: str) -> None:
    """The customer may still act, in the time they were given; whoever gives payments up tries again after it."""
    payment = draft.payment
    waits = payment.status is S.REQUIRES_ACTION and payment.charge_operation_id == operation.parent_id
    draft.move(payment.status, expires_at=_tried_again_at(draft, operation) if waits else payment.expires_at)
    _record(draft, operation, status, described)


def _tried_again_at(draft: Draft, operation: Operation) -> datetime:
    tries = sum(
        o.kind is OperationKind.CANCEL_ACTION and o.parent_id == operation.parent_id
        for o in draft.found.operations
    )
    doublings = min(max(tries - 1, 0), 11)
    again_at = draft.found.now + min(CANCEL_AGAIN * (1 << doublings), CANCEL_AGAIN_MAX)
    action = draft.payment.next_action
    return max(again_at, action.expires_at) if action else again_at


def _unchanged(draft: Draft, operation: Operation, status: str, described: str) -> None:
    draft.move(draft.payment.status)
    _record(draft, operation, status, described)


def _record(draft: Draft, operation: Operation, status: str, described: str) -> None:
    draft.record(
        TransactionType.VOID, operation.amount_minor, status, described, operation=operation.operation_id
    )
