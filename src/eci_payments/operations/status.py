"""What an operator may say of a payment: end an unknown outcome, or book money that was taken outside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.change import Change, Complete
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.ledger import COD_IN_TRANSIT, EXTERNAL, Movement
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.operation import RETURNS, TAKES_MONEY, Operation, OperationKind, OperationState
from eci_payments.domain.payment import CAPTURED, Failure, PaymentStatus
from eci_payments.gateways.contract import Approved, Declined, Outcome
from eci_payments.operations.answers import payment_answer
from eci_payments.operations.conclude import ENDED_BY_OPERATOR, Source, conclude
from eci_payments.operations.draft import Draft
from eci_payments.operations.parts import refuse_illegal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eci_payments.domain.payment import Payment
    from eci_payments.operations.commands import Caller, ChangeStatus
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found

S = PaymentStatus
OPERATOR_REFERENCE = "operator"


def change_status(found: Found, caller: Caller, command: ChangeStatus, rules: Rules) -> Change:
    """The operator's move, or a refusal that names what to do instead."""
    draft = Draft(found, caller)
    payment = draft.payment
    unknown = unknown_operation(found.operations)
    if unknown is not None:
        return _end_unknown(draft, command, unknown, rules)
    if payment.status in CAPTURED and command.status in {S.REFUNDED, S.PARTIALLY_REFUNDED}:
        raise Refusal(
            RefusalCode.USE_REFUND_ENDPOINT,
            f"Money goes back by POST /v1/payments/{payment.payment_id}/refund.",
            payment_id=payment.payment_id,
        )
    if payment.status is not S.PENDING or command.status not in {S.COMPLETED, S.FAILED}:
        raise refuse_illegal(payment, f"set to {command.status} by hand")
    if command.status is S.COMPLETED:
        _book_outside_money(draft, command)
    else:
        _fail(draft, command)
    draft.answer(draft.answer_with_payment(200), caller.claim.name if caller.claim else None, store=True)
    return draft.change()


def _book_outside_money(draft: Draft, command: ChangeStatus) -> None:
    payment, now = draft.payment, draft.found.now
    amount = payment.amount_minor
    draft.move(
        S.COMPLETED,
        amount_authorized_minor=amount,
        amount_captured_minor=amount,
        captured_at=now,
        completed_at=now,
        expires_at=None,
        gateway_response=command.gateway_response,
    )
    holder = COD_IN_TRANSIT if payment.method is PaymentMethod.COD else EXTERNAL
    draft.post(Movement.CAPTURED, holder, amount, None)
    draft.record(
        TransactionType.PAYMENT, amount, S.COMPLETED, "Taken outside, booked by hand", reason=command.reason
    )
    draft.tell(reason=command.reason)


def _fail(draft: Draft, command: ChangeStatus) -> None:
    failure = Failure("failed_by_operator", command.reason or "Ended by an operator.", retryable=True)
    draft.move(S.FAILED, expires_at=None, failure=failure, gateway_response=command.gateway_response)
    draft.record(
        TransactionType.PAYMENT, draft.payment.amount_minor, S.FAILED, "Failed by hand", reason=command.reason
    )
    draft.tell(reason=failure.code)


def unknown_operation(operations: Sequence[Operation]) -> Operation | None:
    """The operation whose unknown outcome an operator may end: what holds the payment up, else the one there is.

    None when there is none, or when several refunds are unknown. The return of late money is recovery's alone.
    """
    unknown = [o for o in operations if o.state is OperationState.UNKNOWN and o.kind not in RETURNS]
    holding = [o for o in unknown if o.kind in _HOLD_UP]
    chosen = holding or unknown
    return chosen[0] if len(chosen) == 1 else None


_HOLD_UP = TAKES_MONEY | {OperationKind.CAPTURE, OperationKind.VOID}


def _end_unknown(draft: Draft, command: ChangeStatus, operation: Operation, rules: Rules) -> Change:
    found, caller, payment = draft.found, draft.caller, draft.payment
    if not command.reason:
        raise Refusal(
            RefusalCode.REASON_REQUIRED, "To end an unknown outcome, say in `reason` how you know it."
        )
    outcome = _said(payment, operation, command)
    if not is_fresh(operation, found.now, rules):
        raise Refusal(
            RefusalCode.INQUIRY_REQUIRED,
            "The gateway could not be asked about this operation just now.",
            payment_id=operation.payment_id,
            retry_after_s=5,
        )
    spoken = replace(caller, reason=command.reason)
    change = conclude(
        found, spoken, operation.operation_id, operation.lease_epoch, outcome, Source.CALL, rules
    )
    return _answered(found, caller, _fenced(change, operation))


def is_fresh(operation: Operation, now: datetime, rules: Rules) -> bool:
    """Whether the gateway was asked about the operation lately enough for a person to decide."""
    asked = operation.inquired_at
    return asked is not None and (now - asked).total_seconds() <= rules.inquiry_max_age_s


_ENDS_AS: dict[OperationKind, dict[PaymentStatus, bool]] = {
    OperationKind.CHARGE: {S.COMPLETED: True, S.FAILED: False},
    OperationKind.AUTHORIZE: {S.AUTHORIZED: True, S.FAILED: False},
    OperationKind.CAPTURE: {S.COMPLETED: True, S.AUTHORIZED: False},
    OperationKind.CANCEL_ACTION: {S.CANCELLED: True, S.REQUIRES_ACTION: False},
}
"""For each kind of unknown operation: the status an operator names, and whether it says that it happened."""


def ends_as(payment: Payment, operation: Operation) -> dict[PaymentStatus, bool]:
    """The same where it depends on the payment: only a status that the payment would then have can be named.

    COMPLETED says of a refund that it did not happen, also where an earlier one did.
    """
    if operation.kind is OperationKind.VOID:
        return {S.COMPLETED if payment.amount_captured_minor else S.CANCELLED: True, S.AUTHORIZED: False}
    if operation.kind is OperationKind.REFUND:
        refunded = payment.amount_refunded_minor + operation.amount_minor
        if refunded < payment.amount_captured_minor:
            return {S.PARTIALLY_REFUNDED: True, S.COMPLETED: False}
        return {payment.status: False, S.COMPLETED: False, S.REFUNDED: True}
    return _ENDS_AS[operation.kind]


def _said(payment: Payment, operation: Operation, command: ChangeStatus) -> Outcome:
    ends = ends_as(payment, operation)
    happened = ends.get(command.status)
    if happened is None:
        names = " or ".join(ends)
        raise Refusal(
            RefusalCode.ILLEGAL_STATE,
            f"The unknown {operation.kind.lower()} can be ended as {names}.",
            payment_id=operation.payment_id,
        )
    said = command.gateway_response or command.reason or "Ended by an operator"
    if happened:
        reference = operation.gateway_reference or OPERATOR_REFERENCE
        return Approved(reference, operation.amount_minor, message=said)
    return Declined(ENDED_BY_OPERATOR, said, retryable=True)


def _fenced(change: Change, operation: Operation) -> Change:
    """Raise the epoch: whoever still works on the operation with the old one can no longer write."""
    writes = tuple(
        replace(w, operation=replace(w.operation, lease_epoch=operation.lease_epoch + 1))
        if w.operation.operation_id == operation.operation_id
        else w
        for w in change.operations
    )
    return replace(change, operations=writes)


def _answered(found: Found, caller: Caller, change: Change) -> Change:
    """The operator gets the payment; the caller who began the operation gets its own answer by its key."""
    refunds = {r.refund_id: r for r in found.refunds} | {w.refund.refund_id: w.refund for w in change.refunds}
    audit = [*found.audit, *change.audit]
    answer = payment_answer(200, change.payment, list(refunds.values()), audit, found.disputes)
    own = (Complete(caller.claim.name, answer),) if caller.claim else ()
    return replace(change, answer=answer, keys=(*change.keys, *own))
