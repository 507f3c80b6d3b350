"""Refund: give money back, whole or in parts, never more than was taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.events import EventType
from eci_payments.domain.ledger import EXTERNAL, Movement
from eci_payments.domain.limits import NO_LIMITS, LimitKind
from eci_payments.domain.operation import OperationKind
from eci_payments.domain.payment import CAPTURED, refunded_status
from eci_payments.domain.refund import Refund, RefundStatus
from eci_payments.operations.draft import Draft
from eci_payments.operations.parts import (
    begin_part,
    part_amount,
    refuse_illegal,
    refuse_too_many,
    refuse_while_open,
    spelt,
)

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OperationId, RefundId
    from eci_payments.domain.limits import Limits
    from eci_payments.domain.payment import Failure
    from eci_payments.operations.commands import Caller, RefundPayment
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found


ACCEPTED = 202
AWAITED_RETRY_S = 60
"""When to look again at a refund that waits for a person."""


def begin_refund(
    found: Found,
    caller: Caller,
    command: RefundPayment,
    operation_id: OperationId,
    rules: Rules,
    limits: Limits = NO_LIMITS,
) -> Change:
    """The intent: the amount is reserved, so that refunds together never exceed what was captured."""
    draft = Draft(found, caller)
    amount_minor = _amount(draft, command, rules)
    payment = draft.payment
    refund = Refund(
        merchant_id=payment.merchant_id,
        refund_id=found.ids.refund(),
        payment_id=payment.payment_id,
        operation_id=None,
        amount_minor=amount_minor,
        currency=payment.currency,
        status=RefundStatus.PENDING,
        reason=command.reason,
        created_at=found.now,
    )
    draft.move(payment.status, amount_refund_pending_minor=payment.amount_refund_pending_minor + amount_minor)
    if _needs_approval(found, refund, limits):
        return _await_approval(draft, refund, rules)
    return send_refund(draft, refund, operation_id, rules)


def send_refund(
    draft: Draft, refund: Refund, operation_id: OperationId, rules: Rules, *, reason: str | None = None
) -> Change:
    """The operation that makes a PENDING refund; where no gateway took the money, it waits for a payout by hand.

    A refund that was approved is written over the one that awaited it, for the ``reason`` that was given.
    """
    approved = refund.approval is not None
    by_hand = draft.payment.charge_operation_id is None
    sent = refund if by_hand else replace(refund, operation_id=operation_id)
    if approved:
        draft.write_refund(sent, RefundStatus.AWAITING_APPROVAL)
    else:
        draft.begin_refund(sent)
    if by_hand:
        return _await_payout(draft, sent, reason)
    begin_part(draft, OperationKind.REFUND, operation_id, sent.amount_minor, rules, refund_id=sent.refund_id)
    draft.record(
        TransactionType.REFUND,
        sent.amount_minor,
        RefundStatus.PENDING,
        "Refund approved and begun" if approved else "Refund begun",
        operation=operation_id,
        reason=reason or sent.reason,
    )
    draft.hold(sent.key, operation_id)
    return draft.change()


def _needs_approval(found: Found, refund: Refund, limits: Limits) -> bool:
    """Whether what is refunded of this payment without a second word would exceed the merchant's threshold.

    Refunds together: else a large one is made as several small ones. What was approved does not count again.
    """
    limit = limits.of(LimitKind.REFUND_APPROVAL, refund.currency)
    if limit is None or limit.amount_minor is None:
        return False
    unapproved_minor = sum(
        r.amount_minor for r in found.refunds if r.status is not RefundStatus.FAILED and r.approval is None
    )
    return unapproved_minor + refund.amount_minor > limit.amount_minor


def _await_approval(draft: Draft, refund: Refund, rules: Rules) -> Change:
    """The amount is reserved, nothing is begun, and the request's key is kept for how it ends."""
    caller, now = draft.caller, draft.found.now
    key = caller.claim.name if caller.claim else None
    awaiting = replace(
        refund,
        status=RefundStatus.AWAITING_APPROVAL,
        requested_by=caller.actor,
        approval_expires_at=now + timedelta(minutes=rules.approval_expiry_min),
        key=key,
    )
    draft.begin_refund(awaiting)
    draft.record(
        TransactionType.REFUND,
        refund.amount_minor,
        RefundStatus.AWAITING_APPROVAL,
        "Refund awaits another key's approval",
        reason=refund.reason,
    )
    draft.tell(EventType.REFUND_AWAITING, reason=refund.reason)
    draft.answer(draft.answer_with_payment(ACCEPTED, AWAITED_RETRY_S), store=False)
    draft.hold(key)
    return draft.change()


def _amount(draft: Draft, command: RefundPayment, rules: Rules) -> int:
    payment = draft.payment
    refuse_while_open(payment)
    _refuse_likely_repeat(draft, command, rules)
    if payment.status not in CAPTURED:
        raise refuse_illegal(payment, "refunded")
    left_minor = payment.refundable_minor
    amount_minor = part_amount(command.amount, left_minor, payment)
    if amount_minor > left_minor or left_minor == 0:
        raise Refusal(
            RefusalCode.AMOUNT_EXCEEDS_REFUNDABLE,
            f"Left to refund: {spelt(left_minor, payment)}"
            f" (being refunded: {spelt(payment.amount_refund_pending_minor, payment)}; disputed or charged back:"
            f" {spelt(payment.amount_disputed_minor + payment.amount_charged_back_minor, payment)}).",
            payment_id=payment.payment_id,
        )
    refuse_too_many(draft.found, payment, rules)
    return amount_minor


def _await_payout(draft: Draft, refund: Refund, reason: str | None) -> Change:
    """Money that no gateway took is paid back by hand: the refund waits until somebody says that it was."""
    caller = draft.caller
    draft.record(
        TransactionType.REFUND,
        refund.amount_minor,
        RefundStatus.PENDING,
        "Refund to be paid out by hand",
        reason=reason or refund.reason,
    )
    own = caller.claim.name if caller.claim else None
    draft.answer(draft.answer_with_payment(200), own, refund.key, store=True)
    return draft.change()


def pay_out(found: Found, caller: Caller, refund_id: RefundId) -> Change:
    """A refund that waited for a payout by hand was paid: the money has left."""
    draft = Draft(found, caller)
    refund = next((r for r in found.refunds if r.refund_id == refund_id), None)
    if refund is None:
        raise Refusal(RefusalCode.NOT_FOUND, "There is no such refund.")
    if refund.operation_id is not None or refund.status is not RefundStatus.PENDING:
        made = refund.status if refund.operation_id is None else f"{refund.status} at its gateway"
        raise Refusal(
            RefusalCode.ILLEGAL_STATE,
            f"Only a PENDING refund that is paid by hand can be marked as paid; this one is {made}.",
            payment_id=refund.payment_id,
        )
    settle_refund(draft, refund)
    draft.post(Movement.REFUNDED, EXTERNAL, refund.amount_minor, None)
    draft.record(
        TransactionType.REFUND, refund.amount_minor, RefundStatus.SUCCEEDED, "Refund paid out by hand"
    )
    draft.tell(EventType.REFUNDED, reason=refund.reason)
    draft.answer(draft.answer_with_payment(200), caller.claim.name if caller.claim else None, store=True)
    return draft.change()


def settle_refund(draft: Draft, refund: Refund) -> None:
    """The refund's amount has gone back: the payment's amounts and state say so."""
    payment, now = draft.payment, draft.found.now
    refunded = payment.amount_refunded_minor + refund.amount_minor
    draft.move(
        refunded_status(payment, refunded),
        amount_refunded_minor=refunded,
        amount_refund_pending_minor=payment.amount_refund_pending_minor - refund.amount_minor,
    )
    draft.write_refund(replace(refund, status=RefundStatus.SUCCEEDED, completed_at=now))


def give_back_reservation(draft: Draft, refund: Refund, failure: Failure) -> None:
    """The refund did not happen: its amount can be refunded again."""
    payment, now = draft.payment, draft.found.now
    expected = refund.status
    draft.move(
        payment.status, amount_refund_pending_minor=payment.amount_refund_pending_minor - refund.amount_minor
    )
    draft.write_refund(
        replace(refund, status=RefundStatus.FAILED, failure=failure, completed_at=now), expected
    )


def _refuse_likely_repeat(draft: Draft, command: RefundPayment, rules: Rules) -> None:
    """Without a key, a refund equal to a recent one of the payment is taken for a repeat of it.

    So is one of all that is left after the one that left nothing.
    """
    payment, since = draft.payment, draft.found.now - timedelta(hours=rules.duplicate_window_h)
    happened = [
        r for r in draft.found.refunds if r.status is not RefundStatus.FAILED and r.created_at > since
    ]
    if draft.caller.claim is not None or not happened:
        return
    newest = max(happened, key=attrgetter("created_at"))
    is_disputed = payment.amount_disputed_minor or payment.amount_charged_back_minor
    left_minor = payment.refundable_minor or (0 if is_disputed else newest.amount_minor)
    amount_minor = part_amount(command.amount, left_minor, payment)
    equal = next((r for r in happened if r.amount_minor == amount_minor), None)
    if equal is not None:
        raise Refusal(
            RefusalCode.POSSIBLE_DUPLICATE,
            f"An equal refund of this payment was begun at {equal.created_at:%Y-%m-%dT%H:%M:%SZ}"
            f" (refund {equal.refund_id}).",
            payment_id=equal.payment_id,
        )
