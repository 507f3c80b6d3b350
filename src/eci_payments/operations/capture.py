"""Capture: take what an authorization reserved, whole or in parts."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import FieldError, Refusal, RefusalCode
from eci_payments.domain.operation import OperationKind, OperationState
from eci_payments.domain.payment import PaymentStatus, ProcessingReason
from eci_payments.operations.draft import Draft
from eci_payments.operations.parts import (
    begin_part,
    part_amount,
    refuse_illegal,
    refuse_likely_repeat,
    refuse_too_many,
    refuse_while_open,
    spelt,
)

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OperationId
    from eci_payments.domain.payment import Payment
    from eci_payments.gateways.contract import Capabilities
    from eci_payments.operations.commands import Caller, Capture
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found

S = PaymentStatus
CAPTURES_LEAVE_FREE = 0.25
"""Of the operations that a payment takes: captures leave some for refunds."""


def begin_capture(
    found: Found,
    caller: Caller,
    command: Capture,
    operation_id: OperationId,
    capabilities: Capabilities | None,
    rules: Rules,
) -> Change:
    """The intent: the amount is bound to this operation until the gateway has answered."""
    draft = Draft(found, caller)
    payment = draft.payment
    refuse_while_open(payment)
    if payment.status is not S.AUTHORIZED:
        _refuse_repeat(draft, command, rules)
        raise refuse_illegal(payment, "captured")
    amount_minor = part_amount(command.amount, payment.capturable_minor, payment)
    refuse_likely_repeat(draft, OperationKind.CAPTURE, amount_minor, rules)
    if amount_minor > payment.capturable_minor:
        raise Refusal(
            RefusalCode.AMOUNT_EXCEEDS_AUTHORIZED,
            f"Left to capture: {spelt(payment.capturable_minor, payment)}.",
            payment_id=payment.payment_id,
        )
    refuse_too_many(found, payment, rules, left_free=CAPTURES_LEAVE_FREE)
    _refuse_unable(payment, amount_minor, command, capabilities)
    draft.move(S.AUTHORIZED, open_operation_id=operation_id, processing_reason=ProcessingReason.IN_FLIGHT)
    begin_part(draft, OperationKind.CAPTURE, operation_id, amount_minor, rules, final=command.final)
    draft.record(
        TransactionType.CAPTURE, amount_minor, payment.status, "Capture begun", operation=operation_id
    )
    return draft.change()


def _refuse_repeat(draft: Draft, command: Capture, rules: Rules) -> None:
    """A repeat of the capture that completed the payment is named as such rather than as an illegal state.

    One of all that is left is equal to that one, whatever it took.
    """
    payment = draft.payment
    if payment.amount_captured_minor:
        amount_minor = part_amount(command.amount, _last_captured_minor(draft), payment)
        refuse_likely_repeat(draft, OperationKind.CAPTURE, amount_minor, rules)


def _last_captured_minor(draft: Draft) -> int:
    attempt = draft.payment.attempt
    captures = [o for o in draft.found.operations if o.kind is OperationKind.CAPTURE and o.attempt == attempt]
    done = [o for o in captures if o.state is OperationState.APPROVED]
    return max(done, key=attrgetter("created_at")).amount_minor if done else 0


def _refuse_unable(
    payment: Payment, amount_minor: int, command: Capture, capabilities: Capabilities | None
) -> None:
    if capabilities is None:
        return  # an account that is no longer configured: the call itself will say so
    partial = amount_minor < payment.amount_authorized_minor
    if (partial and not capabilities.partial_capture) or (
        not command.final and not capabilities.multiple_capture
    ):
        raise Refusal(
            RefusalCode.PARTIAL_CAPTURE_UNSUPPORTED,
            "The gateway that holds this authorization captures "
            + ("once." if capabilities.partial_capture else "once and the whole amount."),
            payment_id=payment.payment_id,
            errors=() if command.final else (FieldError("final", "must be true at this gateway"),),
        )
