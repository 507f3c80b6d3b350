"""An operation that a gateway lists and we do not know, because it was begun after the backup that was restored.

Its intent is written again under its own key, as it must have stood before the loss; what became of it is then asked of
the gateway like after any crash, and concluded by the same functions. No outcome is taken from the list.

Where the payment cannot take it as its own any more, a charge or refund is written as one that had ended, so that what
the gateway says of it is money that came late (`late`), or a refund that was made after all (`late_refund`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.ids import OrderId, PaymentId, UserId
from eci_payments.domain.operation import Operation, OperationKind, OperationState
from eci_payments.domain.payment import CAPTURED, RETRYABLE, Payment, PaymentStatus, ProcessingReason
from eci_payments.domain.refund import Refund, RefundStatus
from eci_payments.gateways.contract import CallKind
from eci_payments.operations.attempt import CLEAN, type_of
from eci_payments.operations.draft import Draft

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OperationId
    from eci_payments.gateways.contract import Listed
    from eci_payments.operations.commands import Caller
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found

S = PaymentStatus
CHARGING = frozenset({CallKind.CHARGE, CallKind.AUTHORIZE})
MOVING = CHARGING | {CallKind.CAPTURE, CallKind.VOID, CallKind.REFUND}
"""Kinds that are written again. A cancellation moves nothing: the charge's own inquiry tells of it."""
UNKNOWN_USER = UserId("unknown")
"""Whose order it was is told to no gateway."""
METADATA = "rediscovered_at"
"""The metadata by which a payment that was made from a gateway's list is known: the gateway's name."""
REASON = "restore"


def rediscover(
    found: Found, caller: Caller, gateway: str, listed: Listed, operation_id: OperationId, rules: Rules
) -> Change:
    """The lost intent. Raises Refusal for one that is known, that must wait, or that a person has to look at."""
    draft = Draft(found, caller)
    if any(operation.gateway_key == listed.key for operation in found.operations):
        raise Refusal(RefusalCode.POSSIBLE_DUPLICATE, "it is known")
    if found.payment is not None and found.payment.open_operation_id is not None:
        raise Refusal(
            RefusalCode.OPERATION_IN_PROGRESS, "another operation of the payment is not concluded yet"
        )
    operation = _operation(found, caller, gateway, listed, operation_id, rules)
    if listed.kind in CHARGING:
        return _charge(draft, operation, listed)
    return _part(draft, operation, listed)


def _charge(draft: Draft, operation: Operation, listed: Listed) -> Change:
    held: dict[str, Any] = {
        "method": listed.method,
        "currency": listed.currency,
        "amount_minor": listed.amount_minor,
        "capture": listed.kind is CallKind.CHARGE,
        "gateway": operation.gateway,
        "charge_operation_id": operation.operation_id,
        "open_operation_id": operation.operation_id,
        "processing_reason": ProcessingReason.IN_FLIGHT,
    }
    before = draft.found.payment
    if before is None:
        payment = _new_payment(draft, listed, operation)
        draft.create(replace(payment, **held))
    elif before.status in RETRYABLE | {S.PENDING}:
        attempt = before.attempt + (before.status in RETRYABLE)
        draft.move(S.PROCESSING, **{**CLEAN, **held, "attempt": attempt})
    else:
        return _ended(draft, operation)
    return _begun(
        draft, replace(operation, payment_id=draft.payment.payment_id, attempt=draft.payment.attempt)
    )


def _new_payment(draft: Draft, listed: Listed, operation: Operation) -> Payment:
    found = draft.found
    return Payment(
        merchant_id=listed.merchant_id,
        payment_id=found.ids.payment(),
        order_id=OrderId(listed.order_id),
        user_id=UNKNOWN_USER,
        transaction_id=listed.transaction_id,
        status=S.PROCESSING,
        method=listed.method,
        currency=listed.currency,
        amount_minor=listed.amount_minor,
        reference=found.ids.reference(),
        capture=operation.kind is OperationKind.CHARGE,
        metadata={METADATA: operation.gateway},
        created_at=found.now,
        updated_at=found.now,
    )


def _part(draft: Draft, operation: Operation, listed: Listed) -> Change:
    payment = draft.payment
    charge = draft.found.operation(payment.charge_operation_id)
    if charge is None or charge.gateway_key != listed.parent_key:
        raise Refusal(
            RefusalCode.ILLEGAL_STATE, "it belongs to another charge than the payment's present one"
        )
    operation = replace(
        operation,
        payment_id=payment.payment_id,
        attempt=charge.attempt,
        parent_id=charge.operation_id,
        parent_key=charge.gateway_key,
        parent_reference=charge.gateway_reference,
    )
    if operation.kind is OperationKind.REFUND:
        return _refund(draft, operation)
    if payment.status is not S.AUTHORIZED or listed.amount_minor > payment.capturable_minor:
        raise Refusal(RefusalCode.ILLEGAL_STATE, f"the payment is {payment.status}")
    draft.move(
        S.AUTHORIZED, open_operation_id=operation.operation_id, processing_reason=ProcessingReason.IN_FLIGHT
    )
    return _begun(draft, operation)


def _refund(draft: Draft, operation: Operation) -> Change:
    payment, found = draft.payment, draft.found
    if payment.status not in CAPTURED or operation.amount_minor > payment.refundable_minor:
        return _ended(draft, operation)
    refund = Refund(
        merchant_id=payment.merchant_id,
        refund_id=found.ids.refund(),
        payment_id=payment.payment_id,
        operation_id=operation.operation_id,
        amount_minor=operation.amount_minor,
        currency=operation.currency,
        status=RefundStatus.PENDING,
        reason="Rediscovered after a restore",
        created_at=found.now,
    )
    reserved = payment.amount_refund_pending_minor + operation.amount_minor
    draft.move(payment.status, amount_refund_pending_minor=reserved)
    draft.begin_refund(refund)
    return _begun(draft, replace(operation, refund_id=refund.refund_id))


def _begun(draft: Draft, operation: Operation) -> Change:
    draft.begin_operation(operation)
    return _recorded(draft, operation, "Begun before the restore, says the gateway's list")


def _ended(draft: Draft, operation: Operation) -> Change:
    """As one that had ended: whatever the gateway says of it is judged as late."""
    payment, now = draft.payment, draft.found.now
    draft.move(payment.status)
    ended = replace(
        operation,
        payment_id=payment.payment_id,
        attempt=payment.attempt,
        state=OperationState.NOT_SENT,
        concluded_at=now,
    )
    draft.begin_operation(ended)
    return _recorded(draft, ended, "Begun before the restore, says the gateway's list; not wanted any more")


def _recorded(draft: Draft, operation: Operation, described: str) -> Change:
    draft.record(
        type_of(operation),
        operation.amount_minor,
        draft.payment.status,
        described,
        operation=operation.operation_id,
        reason=REASON,
        currency=operation.currency,
    )
    return draft.change()


def _operation(
    found: Found, caller: Caller, gateway: str, listed: Listed, operation_id: OperationId, rules: Rules
) -> Operation:
    payment = found.payment
    return Operation(
        merchant_id=listed.merchant_id,
        operation_id=operation_id,
        payment_id=payment.payment_id if payment else PaymentId(0),  # named when the payment is made
        kind=OperationKind[listed.kind.name],
        state=OperationState.STARTED,
        attempt=payment.attempt if payment else 1,
        amount_minor=listed.amount_minor,
        currency=listed.currency,
        method=listed.method,
        gateway=gateway,
        gateway_key=listed.key,
        gateway_reference=listed.reference,
        parent_key=listed.parent_key,
        parent_reference=listed.parent_reference,
        final=listed.final,
        actor=caller.actor,
        created_at=min(listed.created_at, found.now),
        due_at=found.now + timedelta(seconds=rules.lease_s),
    )
