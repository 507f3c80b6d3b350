"""Late success: what a gateway did for an operation which had already ended otherwise.

Money that came in is booked to that operation and to the `unapplied` account, never to the payment's captured amount;
then the policy of the installation acts: give it back (the default), accept it for a payment that still could have
wanted it, or hold it for a person. An authorization that comes late reserves money without moving it: nothing is
booked, and it is voided. Money that went out after all is `late_refund`'s.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.events import EventType
from eci_payments.domain.ids import MAX_SAFE_INTEGER
from eci_payments.domain.ledger import Movement, gateway_account
from eci_payments.domain.operation import Operation, OperationKind, OperationState
from eci_payments.domain.payment import RETRYABLE, PaymentStatus
from eci_payments.gateways.contract import (
    Approved,
    Cancelled,
    Declined,
    NotSent,
    Outcome,
    Unknown,
    outcome_record,
)
from eci_payments.operations.late_refund import refunded_after_all
from eci_payments.operations.rules import LateSuccessPolicy

if TYPE_CHECKING:
    from datetime import datetime

    from eci_payments.domain.change import Change
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.rules import Rules

_MOVES_MONEY_IN = frozenset({OperationKind.CHARGE, OperationKind.CAPTURE})
_BOOKED_LATE = _MOVES_MONEY_IN | {OperationKind.AUTHORIZE, OperationKind.REFUND}
WATCH_AGAIN = timedelta(minutes=5)
"""The wait after a watch whose question was not answered: it counts as not made."""


def conclude_again(draft: Draft, operation: Operation, outcome: Outcome, rules: Rules) -> Change:
    """An outcome of an operation that is concluded. Only money that contradicts the conclusion changes anything."""
    if isinstance(outcome, Approved) and _contradicts(operation, outcome):
        booked = _booked(draft, operation, outcome)
        if operation.kind is OperationKind.REFUND:
            refunded_after_all(draft, booked)
        else:
            _arrived(draft, booked, outcome, rules)
    elif operation.due_at is not None:
        watched = replace(operation, due_at=_next_watch(draft, operation, outcome, rules))
        draft.write_operation(watched, operation.lease_epoch)
    return draft.change()


def _contradicts(operation: Operation, outcome: Approved) -> bool:
    ended_otherwise = operation.state is not OperationState.APPROVED and not operation.late_amount_minor
    is_money = 0 < outcome.amount_minor <= MAX_SAFE_INTEGER
    return operation.kind in _BOOKED_LATE and ended_otherwise and is_money


def _next_watch(draft: Draft, operation: Operation, outcome: Outcome, rules: Rules) -> datetime | None:
    now, ended = draft.found.now, operation.concluded_at or draft.found.now
    if isinstance(outcome, Unknown | NotSent) and now < ended + 2 * rules.watches[-1]:
        return now + WATCH_AGAIN
    return next((ended + wait for wait in rules.watches if ended + wait > now), None)


def _booked(draft: Draft, operation: Operation, outcome: Approved) -> Operation:
    """The operation with what the gateway says it moved, whatever we had asked for."""
    booked = replace(
        operation,
        late_amount_minor=outcome.amount_minor,
        due_at=None,
        outcome=outcome_record(outcome),
        gateway_reference=outcome.reference or operation.gateway_reference,
        lease_epoch=operation.lease_epoch + 1,
    )
    draft.write_operation(booked, operation.lease_epoch)
    return booked


def _arrived(draft: Draft, operation: Operation, outcome: Approved, rules: Rules) -> None:
    accepted = rules.late_success is LateSuccessPolicy.ACCEPT and _still_fits(draft, operation)
    if accepted:
        _accept(draft, operation, outcome)
    else:
        _set_apart(draft, operation)
    draft.record(
        TransactionType.PAYMENT,
        operation.late_amount_minor,
        "LATE_SUCCESS",
        f"Money came after the operation had ended as {operation.state}; "
        + ("accepted" if accepted else f"policy: {rules.late_success}"),
        operation=operation.operation_id,
        reason="late_success",
        currency=operation.currency,
    )
    draft.tell(None if accepted else EventType.LATE_SUCCESS, reason="late_success")
    if not accepted and rules.late_success is not LateSuccessPolicy.HOLD:
        _begin_return(draft, operation, rules)


def _still_fits(draft: Draft, operation: Operation) -> bool:
    """Whether the payment could take this money as its own: of its present attempt, and nothing else is going on."""
    payment = draft.payment
    return (
        operation.kind is OperationKind.CHARGE
        and payment.status in RETRYABLE
        and payment.charge_operation_id == operation.operation_id
        and (payment.amount_minor, payment.currency) == (operation.late_amount_minor, operation.currency)
        and not any(other.is_open for other in draft.found.operations)
    )


def _accept(draft: Draft, operation: Operation, outcome: Approved) -> None:
    """It passes through `unapplied`, so that the ledger tells how it came, and is the payment's in the same commit."""
    amount, now = operation.late_amount_minor, draft.found.now
    draft.move(
        PaymentStatus.COMPLETED,
        amount_authorized_minor=amount,
        amount_captured_minor=amount,
        authorization_code=outcome.authorization_code,
        gateway_response=outcome.message,
        failure=None,
        captured_at=now,
        completed_at=now,
    )
    holder = gateway_account(operation.gateway)
    draft.post(Movement.ARRIVED_LATE, holder, amount, operation.operation_id)
    draft.post(Movement.APPLIED, holder, amount, operation.operation_id)


def _set_apart(draft: Draft, operation: Operation) -> None:
    """Booked to `unapplied`; a late authorization moves nothing."""
    payment = draft.payment
    arrived = operation.late_amount_minor if operation.kind in _MOVES_MONEY_IN else 0
    draft.move(payment.status, amount_unapplied_minor=payment.amount_unapplied_minor + arrived)
    if arrived:
        draft.post(
            Movement.ARRIVED_LATE,
            gateway_account(operation.gateway),
            arrived,
            operation.operation_id,
            currency=operation.currency,
        )


def _begin_return(draft: Draft, operation: Operation, rules: Rules) -> None:
    """The intent of giving it back; recovery finds it due and sends it."""
    found = draft.found
    back = Operation(
        merchant_id=operation.merchant_id,
        operation_id=found.ids.operation(),
        payment_id=operation.payment_id,
        kind=OperationKind.RELEASE if operation.kind is OperationKind.AUTHORIZE else OperationKind.RETURN,
        state=OperationState.STARTED,
        attempt=operation.attempt,
        amount_minor=operation.late_amount_minor,
        currency=operation.currency,
        method=operation.method,
        gateway=operation.gateway,
        gateway_key=found.ids.gateway_key(),
        parent_id=operation.operation_id,
        parent_key=operation.parent_key or operation.gateway_key,
        parent_reference=operation.parent_reference or operation.gateway_reference,
        actor=draft.caller.actor,
        correlation_id=operation.correlation_id,
        traceparent=operation.traceparent,
        created_at=found.now,
        due_at=found.now + timedelta(seconds=min(1.0, rules.lease_s)),
    )
    draft.begin_operation(back)


def conclude_return(draft: Draft, operation: Operation, outcome: Outcome) -> None:
    """Late money went back, or could not: then it stays in `unapplied`, where a person finds it."""
    payment, amount = draft.payment, operation.amount_minor
    released = isinstance(outcome, Cancelled) and operation.kind is OperationKind.RELEASE
    if isinstance(outcome, Approved) or released:
        taken = amount if operation.kind is OperationKind.RETURN else 0
        draft.move(payment.status, amount_unapplied_minor=payment.amount_unapplied_minor - taken)
        if taken:
            draft.post(
                Movement.RETURNED,
                gateway_account(operation.gateway),
                taken,
                operation.operation_id,
                currency=operation.currency,
            )
        status, described = "SUCCEEDED", "Late money was returned"
        draft.tell(EventType.LATE_RETURNED, reason="late_success")
    else:
        draft.move(payment.status)
        status = "FAILED" if isinstance(outcome, Declined | Cancelled) else "PENDING"
        described = f"Late money was not returned: {outcome_record(outcome)}"
    draft.record(
        TransactionType.REFUND,
        amount,
        status,
        described,
        operation=operation.operation_id,
        reason="late_success",
        currency=operation.currency,
    )
