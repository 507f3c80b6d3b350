"""Cancel: give a payment up before its money is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.operation import OperationKind
from eci_payments.domain.payment import PaymentStatus, ProcessingReason
from eci_payments.operations.draft import Draft
from eci_payments.operations.parts import begin_part, refuse_illegal, refuse_too_many, refuse_while_open

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OperationId
    from eci_payments.operations.commands import Caller
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found

S = PaymentStatus
EXPIRY = "expiry"
"""Who ends what has run out of time: an actor, by whose name a void is known to be for an authorization's end."""


def begin_cancel(found: Found, caller: Caller, operation_id: OperationId, rules: Rules) -> Change:
    """End a PENDING payment at once; begin a void of an authorization or the cancellation of a waiting action."""
    draft = Draft(found, caller)
    match draft.payment.status:
        case S.PENDING:
            return give_up(draft, "Cancelled before it was charged", "cancelled")
        case S.AUTHORIZED:
            return _begin_void(draft, operation_id, rules)
        case S.REQUIRES_ACTION:
            return _begin_cancel_action(draft, operation_id, rules)
        case _:
            raise refuse_illegal(draft.payment, "cancelled")


def begin_expiry(found: Found, caller: Caller, operation_id: OperationId, rules: Rules) -> Change:
    """End a payment whose time has run out. Refuses one whose time has been moved meanwhile."""
    draft = Draft(found, caller)
    payment = draft.payment
    if payment.expires_at is None or payment.expires_at > found.now:
        raise refuse_illegal(payment, "expired before its time")
    if payment.status is S.REQUIRES_ACTION:
        return _begin_cancel_action(draft, operation_id, rules)
    if payment.status is S.AUTHORIZED:
        return _begin_void(draft, operation_id, rules, "The authorization is about to end: void begun")
    if payment.status is not S.PENDING:
        raise refuse_illegal(payment, "expired")
    return give_up(draft, "Never charged in time", "expired")


def give_up(draft: Draft, described: str, reason: str) -> Change:
    """A payment of which nothing was ever sent to a gateway ends CANCELLED in one commit."""
    caller = draft.caller
    draft.move(S.CANCELLED, expires_at=None)
    draft.record(TransactionType.VOID, draft.payment.amount_minor, S.CANCELLED, described, reason=reason)
    draft.tell(reason=reason)
    draft.answer(draft.answer_with_payment(200), caller.claim.name if caller.claim else None, store=True)
    return draft.change()


def _begin_void(
    draft: Draft, operation_id: OperationId, rules: Rules, described: str = "Void begun"
) -> Change:
    payment = draft.payment
    refuse_while_open(payment)
    refuse_too_many(draft.found, payment, rules)
    draft.move(S.AUTHORIZED, open_operation_id=operation_id, processing_reason=ProcessingReason.IN_FLIGHT)
    begin_part(draft, OperationKind.VOID, operation_id, payment.capturable_minor, rules)
    draft.record(
        TransactionType.VOID, payment.capturable_minor, payment.status, described, operation=operation_id
    )
    return draft.change()


def _begin_cancel_action(draft: Draft, operation_id: OperationId, rules: Rules) -> Change:
    payment = draft.payment
    refuse_too_many(draft.found, payment, rules)
    charge_id = payment.charge_operation_id
    if any(
        o.is_open and o.kind is OperationKind.CANCEL_ACTION and o.parent_id == charge_id
        for o in draft.found.operations
    ):
        raise Refusal(
            RefusalCode.OPERATION_IN_PROGRESS,
            "The gateway has already been asked to cancel.",
            payment_id=payment.payment_id,
            retry_after_s=2,
        )
    draft.move(S.REQUIRES_ACTION, expires_at=None)
    begin_part(draft, OperationKind.CANCEL_ACTION, operation_id, payment.amount_minor, rules)
    draft.record(
        TransactionType.VOID,
        payment.amount_minor,
        payment.status,
        "Cancellation asked of the gateway",
        operation=operation_id,
    )
    return draft.change()
