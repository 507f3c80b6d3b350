"""Large refunds need a second person: who asked for one never approves it.

Such a refund reserves its amount like any other and begins nothing at the gateway. Another API key approves it, and
then it goes the way of every refund; or it is rejected, or its time runs out, and the amount is free again. The request
that asked for it has its answer when the refund has ended; until then repeats of its key get the state of the moment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import FieldError, Refusal, RefusalCode, known
from eci_payments.domain.events import EventType
from eci_payments.domain.payment import Failure
from eci_payments.domain.refund import EXPIRED, REJECTED, Refund, RefundStatus
from eci_payments.operations.answers import problem_answer
from eci_payments.operations.draft import Draft
from eci_payments.operations.parts import refuse_while_open, spelt
from eci_payments.operations.refund import give_back_reservation, send_refund

if TYPE_CHECKING:
    from datetime import datetime

    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OperationId, RefundId
    from eci_payments.domain.payment import Payment
    from eci_payments.operations.commands import Caller, DecideApproval
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found

OK = 200


def approve(
    found: Found, caller: Caller, command: DecideApproval, operation_id: OperationId, rules: Rules
) -> Change:
    """The intent of the refund, by somebody else's word. The next step is the gateway's, as for any refund."""
    draft = Draft(found, caller)
    refund = _awaiting(found, command.approval_id)
    if found.now >= known(refund.approval_expires_at, "an approval without an end"):
        raise _no_longer(refund, "its time has run out")
    if caller.actor == refund.requested_by:
        raise Refusal(
            RefusalCode.ANOTHER_KEY_NEEDED,
            "This key asked for the refund itself; another one has to approve it.",
            payment_id=refund.payment_id,
        )
    refuse_while_open(draft.payment)
    _refuse_taken_otherwise(draft.payment)
    decided = _decided(refund, caller, command.reason, found.now)
    draft.move(draft.payment.status)
    return send_refund(
        draft, replace(decided, status=RefundStatus.PENDING), operation_id, rules, reason=command.reason
    )


def _refuse_taken_otherwise(payment: Payment) -> None:
    """What was disputed, or refunded at the gateway, since it was asked for is not given back a second time."""
    if payment.amount_exceeding_minor:
        raise Refusal(
            RefusalCode.AMOUNT_EXCEEDS_REFUNDABLE,
            f"{spelt(payment.amount_exceeding_minor, payment)} of it went another way meanwhile.",
            payment_id=payment.payment_id,
            errors=(FieldError("decision", "cannot be approve: a part of the amount is no longer there"),),
        )


def reject(found: Found, caller: Caller, command: DecideApproval, rules: Rules) -> Change:
    """Not to be made. Who asked for it may take it back this way."""
    draft = Draft(found, caller)
    refund = _decided(_awaiting(found, command.approval_id), caller, command.reason, found.now)
    failure = Failure(REJECTED, "The refund was rejected; nothing was refunded.", retryable=False)
    _give_up(draft, refund, failure, rules, command.reason)
    draft.answer(draft.answer_with_payment(OK), caller.claim.name if caller.claim else None, store=True)
    return draft.change()


def expire(found: Found, caller: Caller, refund_id: RefundId, rules: Rules) -> Change:
    """Nobody decided in time."""
    draft = Draft(found, caller)
    refund = _awaiting(found, refund_id)
    if found.now < known(refund.approval_expires_at, "an approval without an end"):
        raise _no_longer(refund, "its time has not run out yet")
    failure = Failure(EXPIRED, "Nobody approved the refund in time; nothing was refunded.", retryable=True)
    _give_up(draft, _decided(refund, caller, None, found.now), failure, rules, None)
    draft.answer(draft.answer_with_payment(OK), None, store=False)
    return draft.change()


def _awaiting(found: Found, refund_id: RefundId) -> Refund:
    refund = next((r for r in found.refunds if r.refund_id == refund_id and r.approval), None)
    if refund is None:
        raise Refusal(RefusalCode.NOT_FOUND, "There is no such approval.")
    if refund.status is not RefundStatus.AWAITING_APPROVAL:
        raise _no_longer(refund, f"it is {refund.approval}")
    return refund


def _no_longer(refund: Refund, why: str) -> Refusal:
    return Refusal(
        RefusalCode.ILLEGAL_STATE,
        f"Refund {refund.refund_id} cannot be decided about: {why}.",
        payment_id=refund.payment_id,
    )


def _decided(refund: Refund, caller: Caller, reason: str | None, now: datetime) -> Refund:
    return replace(refund, decided_by=caller.actor, decided_at=now, decision_reason=reason)


def _give_up(draft: Draft, refund: Refund, failure: Failure, rules: Rules, reason: str | None) -> None:
    give_back_reservation(draft, refund, failure)
    draft.record(
        TransactionType.REFUND,
        refund.amount_minor,
        RefundStatus.FAILED,
        failure.message,
        reason=reason or failure.code,
    )
    draft.tell(EventType.REFUND_FAILED, reason=failure.code)
    answer = problem_answer(
        "refund_not_approved",
        failure.message,
        base=rules.problem_base,
        correlation_id=draft.caller.correlation_id,
        payment_id=refund.payment_id,
        failure=failure,
    )
    draft.store_answer(answer, refund.key)
