"""A refund, told by webhook: ours by its key, or one that was made at the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.errors import known
from eci_payments.domain.operation import OperationKind
from eci_payments.gateways.hooks import OperationTold, RefundTold
from eci_payments.operations.ingest.outcome import outcome_told

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.operations.ingest.verdict import Case, Verdict
    from eci_payments.store.inbox import Target

_OURS = frozenset({OperationKind.REFUND, OperationKind.RETURN})


def refund_told(case: Case, told: RefundTold, target: Target) -> Verdict:
    """Conclude our own refund; one that was made elsewhere is for a person."""
    named = known(
        case.found.operation(target.operation_id), "an event about an operation that does not exist"
    )
    own = named if named.kind in _OURS else _known_by_reference(case, told)
    if own is None:
        return case.parked("a refund that we did not begin")
    return outcome_told(case, _as_outcome(told), own)


def _known_by_reference(case: Case, told: RefundTold) -> Operation | None:
    """Our refund that has this id at the gateway, where the event does not carry our key."""
    return next(
        (o for o in case.found.operations if o.kind in _OURS and o.gateway_reference == told.reference), None
    )


def _as_outcome(told: RefundTold) -> OperationTold:
    return OperationTold(
        about=told.about, currency=told.currency, outcome=told.outcome, amount_minor=told.amount_minor
    )
