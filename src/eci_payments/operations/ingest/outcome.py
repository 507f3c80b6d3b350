"""An operation's outcome, told by webhook: it concludes what is open, as an inquiry's answer does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from eci_payments.domain.errors import known
from eci_payments.domain.operation import MOVES_MONEY, Operation, OperationKind, OperationState
from eci_payments.gateways.contract import ActionRequired, Approved, Cancelled, Declined, Pending
from eci_payments.gateways.hooks import OperationTold
from eci_payments.operations.conclude import Source, conclude

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OperationId
    from eci_payments.gateways.contract import Outcome
    from eci_payments.operations.ingest.verdict import Case, Verdict

_STATES: dict[type[Outcome], OperationState] = {
    Pending: OperationState.PENDING,
    ActionRequired: OperationState.REQUIRES_ACTION,
}
_DONE = frozenset({OperationState.APPROVED, OperationState.CANCELLED})
_GIVES_BACK = frozenset({OperationKind.REFUND, OperationKind.RETURN})


def operation_told(case: Case, told: OperationTold, operation_id: OperationId) -> Verdict:
    """Conclude the operation, or say why not."""
    named = known(case.found.operation(operation_id), "an event about an operation that does not exist")
    if named.kind is OperationKind.CHARGE and told.reserves and isinstance(told.outcome, Approved):
        return outcome_told(case, replace(told, outcome=Pending(told.outcome.reference)), named)
    if named.kind is not OperationKind.AUTHORIZE:
        return outcome_told(case, told, named)
    if told.captures:
        return _of_part(case, told, named, OperationKind.CAPTURE, "captured at the gateway, and not by us")
    if isinstance(told.outcome, Cancelled) and named.state is OperationState.APPROVED:
        return _of_part(case, told, named, OperationKind.VOID, "released at the gateway, and not by us")
    return outcome_told(case, told, named)


def _of_part(
    case: Case, told: OperationTold, charge: Operation, kind: OperationKind, without: str
) -> Verdict:
    """What is told of an authorization as a whole is the outcome of the newest capture or void of it."""
    parts = [
        operation
        for operation in case.found.operations
        if operation.kind is kind
        and operation.parent_id == charge.operation_id
        and (operation.is_open or operation.state in _DONE)
    ]
    if parts:
        return outcome_told(case, replace(told, amount_minor=None), parts[-1])
    return case.mismatch(charge, charge.amount_minor, without)


def outcome_told(case: Case, told: OperationTold, operation: Operation) -> Verdict:
    """The same for an operation that was found."""
    wrong = _misfit(operation, told)
    if wrong is not None:
        amount = told.outcome.amount_minor if isinstance(told.outcome, Approved) else told.amount_minor
        return case.mismatch(operation, amount or operation.amount_minor, wrong)
    if not operation.is_open:
        return _after_conclusion(case, told, operation)
    if isinstance(told.outcome, Approved | Declined | Cancelled):
        return case.applied(f"{operation.kind} concluded", _concluded(case, told, operation))
    return _undecided(case, told, operation)


def _misfit(operation: Operation, told: OperationTold) -> str | None:
    """What the event says otherwise than we: then nothing of it is believed."""
    if told.currency != operation.currency:
        return f"in {told.currency}, and ours is in {operation.currency}"
    if operation.kind not in MOVES_MONEY:
        return None
    moved = told.outcome.amount_minor if isinstance(told.outcome, Approved) else None
    for said in (told.amount_minor, moved):
        if said is not None and said != operation.amount_minor:
            return f"of {said} minor units, and ours is of {operation.amount_minor}"
    return None


def _concluded(case: Case, told: OperationTold, operation: Operation) -> Change:
    return conclude(
        case.found,
        case.caller,
        operation.operation_id,
        operation.lease_epoch,
        told.outcome,
        Source.WEBHOOK,
        case.rules,
    )


def _after_conclusion(case: Case, told: OperationTold, operation: Operation) -> Verdict:
    """Money that contradicts the conclusion came late; a refund that failed after it was done is for a person."""
    if isinstance(told.outcome, Approved):
        change = _concluded(case, told, operation)
        if change.payment is not case.found.payment:
            return case.applied("it came late", change)
    elif (
        isinstance(told.outcome, Declined | Cancelled)
        and operation.state is OperationState.APPROVED
        and operation.kind in _GIVES_BACK
    ):
        return case.mismatch(
            operation, operation.amount_minor, "failed at the gateway after it had been done"
        )
    return case.ignored(f"{operation.kind} was concluded as {operation.state} before")


def _undecided(case: Case, told: OperationTold, operation: Operation) -> Verdict:
    """Of what is not decided the newest word counts, and events come in any order: the gateway is asked."""
    if operation.state is OperationState.STARTED:
        return case.ignored(f"{operation.kind} is under way; its own answer is awaited")
    if operation.state is _STATES.get(type(told.outcome)):
        return case.ignored(f"{operation.kind} was {operation.state} before")
    return case.applied(f"the gateway is asked about the {operation.kind}", case.asked(operation))
