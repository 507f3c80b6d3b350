"""The caller's answer to a conclusion, and whether it is the one that is stored with the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.operation import OperationState
from eci_payments.domain.payment import Failure
from eci_payments.gateways.contract import Cancelled, Declined
from eci_payments.operations.answers import problem_answer

if TYPE_CHECKING:
    from eci_payments.domain.keys import KeyName
    from eci_payments.domain.operation import Operation
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.rules import Rules

CHARGE_SCOPE = "POST /v1/payments/charge"
OK, CREATED, ACCEPTED = 200, 201, 202
_UNANSWERED = frozenset({OperationState.STARTED, OperationState.UNKNOWN})
"""States in which the operation's key, if it has one, still waits for its answer."""


def failure_of(outcome: Declined | Cancelled) -> Failure:
    """Why a capture, void or refund moved nothing."""
    if isinstance(outcome, Cancelled):
        return Failure(
            "cancelled_at_gateway", "It was cancelled at the gateway; nothing moved.", retryable=True
        )
    return Failure(outcome.code, outcome.message, outcome.retryable)


def reply_with_payment(
    draft: Draft, before: Operation, after: Operation, also: KeyName | None = None
) -> None:
    """The payment: 201 for the charge endpoint, else 200; 202 and not stored while the outcome is unknown.

    ``also`` is the key of another request that waits for the same answer.
    """
    if after.state is OperationState.UNKNOWN:
        draft.answer(draft.answer_with_payment(ACCEPTED), after.key, store=False)
        return
    created = after.key is not None and after.key.scope == CHARGE_SCOPE
    answer = draft.answer_with_payment(CREATED if created else OK)
    draft.answer(answer, after.key, also, store=before.state in _UNANSWERED)


def reply_with_problem(
    draft: Draft,
    before: Operation,
    after: Operation,
    code: str,
    failure: Failure,
    rules: Rules,
    *,
    also: KeyName | None = None,
) -> None:
    """A problem: stored when the gateway declined; the key is released when nothing was ever sent."""
    answer = problem_answer(
        code,
        failure.message,
        base=rules.problem_base,
        correlation_id=after.correlation_id,
        payment_id=draft.payment.payment_id,
        failure=failure,
    )
    sent = after.state is not OperationState.NOT_SENT
    draft.answer(answer, after.key, also, store=sent and before.state in _UNANSWERED)
    if not sent and before.state in _UNANSWERED:
        draft.release(after.key, also)
