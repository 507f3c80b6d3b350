"""Conclusions: what a gateway's answer makes of an operation and its payment. Pure; one commit writes it.

An operation is concluded once. An answer that comes when somebody else has claimed the operation (another lease epoch)
changes nothing; an approval that comes after the operation was concluded otherwise is money that came late, and is
booked apart (`late`).
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from eci_payments.domain.errors import known
from eci_payments.domain.operation import (
    MOVES_MONEY,
    OPEN,
    Operation,
    OperationKind,
    OperationState,
    advanced,
)
from eci_payments.gateways.contract import (
    ActionRequired,
    Approved,
    Cancelled,
    Declined,
    NotSent,
    Outcome,
    Pending,
    Unknown,
    outcome_record,
)
from eci_payments.operations import late
from eci_payments.operations.conclusions.cancel import conclude_cancel
from eci_payments.operations.conclusions.charge import conclude_charge
from eci_payments.operations.conclusions.part import conclude_part
from eci_payments.operations.conclusions.refund import conclude_refund
from eci_payments.operations.draft import Draft

if TYPE_CHECKING:
    from datetime import datetime

    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OperationId
    from eci_payments.operations.commands import Caller
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found


NOT_RECEIVED = Declined(
    "not_received", "The gateway never received the payment; nothing was charged.", retryable=True
)
"""What a charge ends as when the gateway says with authority that it never saw it."""
ENDED_BY_OPERATOR = "ended_by_operator"
WATCHED = frozenset({NOT_RECEIVED.code, ENDED_BY_OPERATOR})


class Source(StrEnum):
    """Where an outcome was learned: from the call itself, from asking about it later, or by a webhook."""

    CALL = "call"
    INQUIRY = "inquiry"
    WEBHOOK = "webhook"


def conclude(
    found: Found,
    caller: Caller,
    operation_id: OperationId,
    epoch: int,
    outcome: Outcome,
    source: Source,
    rules: Rules,
) -> Change:
    """The change that this outcome makes. One without a new payment version and without writes changes nothing."""
    operation = known(found.operation(operation_id), "an outcome of an operation that does not exist")
    draft = Draft(found, caller)
    if not operation.is_open:
        return late.conclude_again(draft, operation, outcome, rules)
    if operation.lease_epoch != epoch:
        return draft.change()
    outcome = _trusted(operation, outcome)
    learned = _as_learned(operation, outcome, source)
    if learned is None or _state_of(learned) is operation.state:
        return ask_again(draft, operation, rules, asked=not isinstance(outcome, NotSent))
    asked = source is Source.INQUIRY and not isinstance(outcome, NotSent)
    after = advance(draft, operation, learned, rules, asked=asked)
    draft.write_operation(after, epoch)
    _conclude_kind(draft, operation, after, learned, rules)
    return draft.change()


def bind(found: Found, caller: Caller, bound: Operation) -> Change:
    """Commit the gateway's id of a charge that is still ours; without writes when it is not."""
    draft = Draft(found, caller)
    current = known(found.operation(bound.operation_id), "an operation that does not exist is bound")
    if current.is_open and current.lease_epoch == bound.lease_epoch:
        named = replace(current, gateway_reference=bound.gateway_reference)
        draft.write_operation(named, bound.lease_epoch)
    return draft.change()


def _trusted(operation: Operation, outcome: Outcome) -> Outcome:
    """An approval of another amount than ours is not believed: a person has to look at it."""
    if not isinstance(outcome, Approved) or operation.kind not in MOVES_MONEY:
        return outcome
    if outcome.amount_minor != operation.amount_minor:
        return Unknown(f"approved for {outcome.amount_minor} minor units instead of {operation.amount_minor}")
    return outcome


def _as_learned(operation: Operation, outcome: Outcome, source: Source) -> Outcome | None:
    """What could not tell teaches nothing, but that a call which never came back is unknown.

    Only the first call itself can say that it was not sent: a later one says nothing about those before it. Nor does it
    teach anything of a charge that waits for its customer that it may be waiting for them.
    """
    if isinstance(outcome, Pending) and outcome.may_await_customer:
        return None if operation.state is OperationState.REQUIRES_ACTION else outcome
    if not isinstance(outcome, Unknown | NotSent):
        return outcome
    if operation.state is not OperationState.STARTED:
        return None
    return outcome if source is Source.CALL else Unknown(outcome.reason)


def _state_of(outcome: Outcome) -> OperationState:
    match outcome:
        case Approved():
            return OperationState.APPROVED
        case Declined():
            return OperationState.DECLINED
        case Cancelled():
            return OperationState.CANCELLED
        case ActionRequired():
            return OperationState.REQUIRES_ACTION
        case Pending():
            return OperationState.PENDING
        case NotSent():
            return OperationState.NOT_SENT
        case Unknown():
            return OperationState.UNKNOWN
        case _:
            assert_never(outcome)


def advance(draft: Draft, operation: Operation, outcome: Outcome, rules: Rules, *, asked: bool) -> Operation:
    """The operation with this outcome, and when it is due to be asked about again."""
    state, now = _state_of(outcome), draft.found.now
    is_open = state in OPEN
    return advanced(
        operation,
        state,
        outcome=outcome_record(outcome),
        gateway_reference=getattr(outcome, "reference", None) or operation.gateway_reference,
        inquired_at=now if asked else operation.inquired_at,
        due_at=now + rules.inquiry_delay(operation.inquiries) if is_open else _watch(outcome, now, rules),
        concluded_at=None if is_open else now,
    )


def _watch(outcome: Outcome, now: datetime, rules: Rules) -> datetime | None:
    """What was ended without the gateway's own word is asked about later, in case its money comes after all."""
    if isinstance(outcome, Declined) and outcome.code in WATCHED:
        return now + rules.watches[0]
    return None


def ask_again(draft: Draft, operation: Operation, rules: Rules, *, asked: bool) -> Change:
    """Nothing new was learned: only the next inquiry is set."""
    inquiries = operation.inquiries + 1
    due_at = draft.found.now + rules.inquiry_delay(inquiries)
    again = advanced(
        operation,
        operation.state,
        inquiries=inquiries,
        inquired_at=draft.found.now if asked else operation.inquired_at,
        due_at=due_at,
    )
    draft.write_operation(again, operation.lease_epoch)
    return draft.change()


def _conclude_kind(draft: Draft, before: Operation, after: Operation, outcome: Outcome, rules: Rules) -> None:
    match after.kind:
        case OperationKind.CHARGE | OperationKind.AUTHORIZE:
            conclude_charge(draft, before, after, outcome, rules)
        case OperationKind.CAPTURE | OperationKind.VOID:
            conclude_part(draft, before, after, outcome, rules)
        case OperationKind.CANCEL_ACTION:
            conclude_cancel(draft, before, after, outcome, rules)
        case OperationKind.REFUND:
            conclude_refund(draft, before, after, outcome, rules)
        case OperationKind.RETURN | OperationKind.RELEASE:
            late.conclude_return(draft, after, outcome)
        case _:
            assert_never(after.kind)
