"""A refund, concluded."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import known
from eci_payments.domain.events import EventType
from eci_payments.domain.ledger import Movement, gateway_account
from eci_payments.domain.operation import OperationState
from eci_payments.domain.payment import Failure, ProcessingReason
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
from eci_payments.operations.conclusions.reply import failure_of, reply_with_payment, reply_with_problem
from eci_payments.operations.refund import give_back_reservation, settle_refund

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.domain.refund import Refund
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.rules import Rules


def conclude_refund(
    draft: Draft, before: Operation, after: Operation, outcome: Outcome, rules: Rules
) -> None:
    """Give the money back in our books too, or free the amount that was reserved for it."""
    refund = _refund_of(draft, after)
    match outcome:
        case Approved():
            settle_refund(draft, refund)
            draft.post(
                Movement.REFUNDED, gateway_account(after.gateway), after.amount_minor, after.operation_id
            )
            _record(draft, after, "SUCCEEDED", "Refunded", refund.reason)
            draft.tell(EventType.REFUNDED, reason=refund.reason)
            reply_with_payment(draft, before, after, refund.key)
        case Declined() | Cancelled():
            _failed(draft, before, after, refund, failure_of(outcome), rules)
        case NotSent():
            failure = Failure(
                "gateway_unreachable",
                "The gateway could not be reached; nothing was refunded.",
                retryable=True,
            )
            _failed(draft, before, after, refund, failure, rules)
        case Pending() | ActionRequired():
            _waiting(draft, after, "Accepted by the gateway, to be decided")
            reply_with_payment(draft, before, after, refund.key)
        case Unknown():
            _waiting(draft, after, f"Outcome unknown: {outcome.reason}", ProcessingReason.OUTCOME_UNKNOWN)
            reply_with_payment(draft, before, after, refund.key)
        case _:
            assert_never(outcome)


def _refund_of(draft: Draft, operation: Operation) -> Refund:
    refund = next((r for r in draft.found.refunds if r.refund_id == operation.refund_id), None)
    return known(refund, "a refund operation without its refund")


def _failed(
    draft: Draft, before: Operation, after: Operation, refund: Refund, failure: Failure, rules: Rules
) -> None:
    give_back_reservation(draft, refund, failure)
    _record(draft, after, "FAILED", failure.message, failure.code)
    draft.tell(EventType.REFUND_FAILED, reason=failure.code)
    code = failure.code if after.state is OperationState.NOT_SENT else "gateway_declined"
    reply_with_problem(draft, before, after, code, failure, rules, also=refund.key)


def _waiting(draft: Draft, operation: Operation, described: str, reason: str | None = None) -> None:
    draft.move(draft.payment.status)
    _record(draft, operation, "PENDING", described, reason)


def _record(draft: Draft, operation: Operation, status: str, described: str, reason: str | None) -> None:
    draft.record(
        TransactionType.REFUND,
        operation.amount_minor,
        status,
        described,
        operation=operation.operation_id,
        reason=reason,
    )
