"""The beginning of an attempt: the payment takes its order, and the operation that will take the money is begun."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.operation import Operation, OperationKind, OperationState
from eci_payments.domain.payment import RETRYABLE, Payment, PaymentStatus, ProcessingReason
from eci_payments.operations.parts import refuse_too_many

if TYPE_CHECKING:
    from eci_payments.domain.ids import OperationId
    from eci_payments.operations.commands import Caller, Charge, Create
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found

S = PaymentStatus
ATTEMPTS_LEAVE_FREE = 0.5
"""Of the operations that a payment takes: attempts at charging leave half for captures and refunds."""


def take_order(
    draft: Draft, command: Charge | Create, to: PaymentStatus, rules: Rules, **fields: object
) -> None:
    """The order's payment in its new state: created, or taken over for a new attempt. Refuses any other."""
    existing = draft.found.payment
    if existing is None:
        draft.create(_new_payment(draft.found, draft.caller, command, to, **fields))
        return
    refuse_taken(existing, command)
    refuse_too_many(draft.found, existing, rules, left_free=ATTEMPTS_LEAVE_FREE)
    draft.move(
        to,
        attempt=existing.attempt + 1,
        method=command.method,
        currency=command.currency,
        amount_minor=command.amount_minor,
        reference=command.reference or existing.reference,
        capture=command.capture,
        return_url=command.return_url,
        metadata=command.metadata,
        **(CLEAN | fields),
    )


CLEAN: dict[str, object] = {
    "amount_authorized_minor": 0,
    "amount_captured_minor": 0,
    "amount_refunded_minor": 0,
    "gateway": None,
    "gateway_response": None,
    "authorization_code": None,
    "charge_operation_id": None,
    "open_operation_id": None,
    "processing_reason": None,
    "failure": None,
    "next_action": None,
    "completed_at": None,
    "captured_at": None,
    "expires_at": None,
}
"""What a new attempt forgets of the one before; operations, audit trail and ledger keep it."""


def _new_payment(
    found: Found, caller: Caller, command: Charge | Create, status: PaymentStatus, **fields: object
) -> Payment:
    return Payment(
        merchant_id=caller.merchant_id,
        payment_id=found.ids.payment(),
        order_id=command.order_id,
        user_id=command.user_id,
        transaction_id=found.ids.transaction(),
        status=status,
        method=command.method,
        currency=command.currency,
        amount_minor=command.amount_minor,
        reference=command.reference or found.ids.reference(),
        capture=command.capture,
        return_url=command.return_url,
        metadata=command.metadata,
        created_at=found.now,
        updated_at=found.now,
        **fields,  # type: ignore[arg-type] # fields of Payment, named by the callers in this room
    )


def refuse_taken(payment: Payment, command: Charge | Create) -> None:
    """Refuse unless the order is free for another attempt by the same user."""
    if payment.status not in RETRYABLE or payment.open_operation_id is not None:
        code, detail = _taken(payment)
        raise Refusal(code, detail, payment_id=payment.payment_id)
    if payment.user_id != command.user_id:
        raise Refusal(
            RefusalCode.USER_MISMATCH,
            "The order's payment belongs to another user.",
            payment_id=payment.payment_id,
        )


def _taken(payment: Payment) -> tuple[RefusalCode, str]:
    name = f"Payment {payment.payment_id} of this order"
    if payment.processing_reason is ProcessingReason.OUTCOME_UNKNOWN:
        return (
            RefusalCode.ORDER_OUTCOME_UNKNOWN,
            f"{name} was sent to the gateway; its outcome is not known yet.",
        )
    if payment.status in {S.COMPLETED, S.PARTIALLY_REFUNDED}:
        return RefusalCode.ORDER_ALREADY_PAID, f"{name} is already paid ({payment.status})."
    if payment.status is S.REFUNDED:
        return RefusalCode.ORDER_REFUNDED, f"{name} was paid and refunded."
    return RefusalCode.ORDER_IN_PROGRESS, f"{name} is {payment.status}."


def begin_taking(
    draft: Draft, operation_id: OperationId, gateway: str, rules: Rules, *, described: str
) -> Operation:
    """The operation that takes, or with the payment's ``capture`` false reserves, the payment's amount."""
    payment, found, caller = draft.payment, draft.found, draft.caller
    operation = Operation(
        merchant_id=payment.merchant_id,
        operation_id=operation_id,
        payment_id=payment.payment_id,
        kind=OperationKind.CHARGE if payment.capture else OperationKind.AUTHORIZE,
        state=OperationState.STARTED,
        attempt=payment.attempt,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        method=payment.method,
        gateway=gateway,
        gateway_key=found.ids.gateway_key(),
        key=caller.claim.name if caller.claim else None,
        actor=caller.actor,
        correlation_id=caller.correlation_id,
        traceparent=caller.traceparent,
        created_at=found.now,
        due_at=found.now + timedelta(seconds=rules.lease_s),
    )
    draft.begin_operation(operation)
    draft.record(type_of(operation), payment.amount_minor, payment.status, described, operation=operation_id)
    return operation


def type_of(operation: Operation) -> TransactionType:
    """How the audit trail calls an operation."""
    return _TYPES[operation.kind]


_TYPES = {
    OperationKind.CHARGE: TransactionType.PAYMENT,
    OperationKind.AUTHORIZE: TransactionType.AUTHORIZATION,
    OperationKind.CAPTURE: TransactionType.CAPTURE,
    OperationKind.VOID: TransactionType.VOID,
    OperationKind.CANCEL_ACTION: TransactionType.VOID,
    OperationKind.REFUND: TransactionType.REFUND,
    OperationKind.RETURN: TransactionType.REFUND,
    OperationKind.RELEASE: TransactionType.VOID,
}


def expiry(found: Found, method: PaymentMethod, rules: Rules) -> object:
    """When a payment that is never charged is given up; cash on delivery waits for its courier instead."""
    if method is PaymentMethod.COD:
        return None
    return found.now + timedelta(minutes=rules.pending_expiry_min)
