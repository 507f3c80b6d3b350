"""A dispute, told by webhook: always recorded, with its money in accounts of its own.

Whatever order its events come in, the end is the same: one that is won or lost before it was heard of is opened and
ended at once, and of two ends the later one by the gateway's time counts (lost, where both are of one second).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.dispute import Dispute, DisputeState
from eci_payments.domain.errors import known
from eci_payments.domain.events import EventType
from eci_payments.domain.ledger import Movement, gateway_account
from eci_payments.operations.ingest.charge import charge_at, not_bookable, tell_if_exceeds

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.domain.payment import Payment
    from eci_payments.gateways.hooks import DisputeTold
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.ingest.verdict import Case, Verdict
    from eci_payments.store.inbox import Target

D = DisputeState
_POSTINGS: dict[tuple[DisputeState | None, DisputeState], tuple[Movement, ...]] = {
    (None, D.OPEN): (Movement.DISPUTE_OPENED,),
    (None, D.WON): (Movement.DISPUTE_OPENED, Movement.DISPUTE_WON),
    (None, D.LOST): (Movement.DISPUTE_OPENED, Movement.DISPUTE_LOST),
    (D.OPEN, D.WON): (Movement.DISPUTE_WON,),
    (D.OPEN, D.LOST): (Movement.DISPUTE_LOST,),
    (D.LOST, D.WON): (Movement.DISPUTE_REINSTATED,),
    (D.WON, D.LOST): (Movement.DISPUTE_WITHDRAWN,),
}
"""From one state to another: what moves. A dispute that is decided is not opened again."""
_EVENTS = {
    D.OPEN: EventType.DISPUTE_OPENED,
    D.WON: EventType.DISPUTE_WON,
    D.LOST: EventType.DISPUTE_LOST,
}
_WORDS = {D.OPEN: "opened", D.WON: "won", D.LOST: "lost"}


def dispute_told(case: Case, told: DisputeTold, target: Target) -> Verdict:
    """Record what became of it, or say why not."""
    named = known(
        case.found.operation(target.operation_id), "an event about an operation that does not exist"
    )
    charge = charge_at(case, named)
    before = next((d for d in case.found.disputes if d.reference == told.reference), None)
    refused = not_bookable(case, charge, told.currency, told.amount_minor)
    if refused is not None:
        return refused
    if before is not None and before.amount_minor != told.amount_minor:
        why = f"a dispute of {told.amount_minor} minor units, and it was of {before.amount_minor}"
        return case.mismatch(charge, told.amount_minor, why)
    if before is not None and not _is_newer(case, told, before):
        return case.ignored(f"the dispute was {_WORDS[before.state]} before")
    return _recorded(case, told, charge, before)


def _is_newer(case: Case, told: DisputeTold, before: Dispute) -> bool:
    if (before.state, told.state) not in _POSTINGS:
        return False
    last = (before.told_at, before.state is D.LOST)
    return before.is_open or (case.row.occurred_at, told.state is D.LOST) > last


def _recorded(case: Case, told: DisputeTold, charge: Operation, before: Dispute | None) -> Verdict:
    draft = case.draft()
    payment, now = draft.payment, case.found.now
    first = before or _new(case, told, charge)
    after = replace(
        first,
        state=told.state,
        told_at=case.row.occurred_at,
        closed_at=None if told.state is D.OPEN else now,
    )
    draft.move(payment.status, **_amounts(payment, before, after))
    draft.write_dispute(after, before.state if before else None)
    for movement in _POSTINGS[before.state if before else None, told.state]:
        draft.post(movement, gateway_account(charge.gateway), told.amount_minor, None)
    _tell(draft, after, charge)
    tell_if_exceeds(draft, payment.amount_exceeding_minor)
    return case.applied(f"the dispute was {_WORDS[told.state]}", draft.change())


def _new(case: Case, told: DisputeTold, charge: Operation) -> Dispute:
    return Dispute(
        merchant_id=charge.merchant_id,
        gateway=charge.gateway,
        reference=told.reference,
        payment_id=charge.payment_id,
        operation_id=charge.operation_id,
        state=told.state,
        amount_minor=told.amount_minor,
        currency=told.currency,
        reason=told.reason,
        told_at=case.row.occurred_at,
        created_at=case.found.now,
    )


def _amounts(payment: Payment, before: Dispute | None, after: Dispute) -> dict[str, Any]:
    """The payment's sums over its disputes, with this one as it now is."""

    def of(dispute: Dispute | None, state: DisputeState) -> int:
        return dispute.amount_minor if dispute is not None and dispute.state is state else 0

    return {
        "amount_disputed_minor": payment.amount_disputed_minor - of(before, D.OPEN) + of(after, D.OPEN),
        "amount_charged_back_minor": payment.amount_charged_back_minor
        - of(before, D.LOST)
        + of(after, D.LOST),
        "dispute_count": payment.dispute_count + (before is None),
    }


def _tell(draft: Draft, dispute: Dispute, charge: Operation) -> None:
    draft.record(
        TransactionType.CHARGEBACK,
        dispute.amount_minor,
        dispute.state,
        f"Dispute {dispute.reference} was {_WORDS[dispute.state]}: {dispute.reason}",
        operation=charge.operation_id,
        reason=dispute.reason,
    )
    draft.tell(_EVENTS[dispute.state], reason=dispute.reason)
