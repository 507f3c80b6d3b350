"""The charge that a refund or dispute is about: whether its money is the payment's, so that it can be booked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.events import EventType
from eci_payments.domain.operation import TAKES_MONEY, Operation, OperationState
from eci_payments.operations.ingest.verdict import CHARGE_PATIENCE_S

if TYPE_CHECKING:
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.ingest.verdict import Case, Verdict

EXCEEDS = "exceeds_captured"


def charge_at(case: Case, operation: Operation) -> Operation:
    """The charge that this operation belongs to; itself, for a charge."""
    parent = case.found.operation(operation.parent_id)
    return operation if operation.kind in TAKES_MONEY or parent is None else parent


def not_bookable(case: Case, charge: Operation, currency: str, amount_minor: int) -> Verdict | None:
    """Why nothing can be booked on this charge, or not yet; None when it can.

    The gateway says that its money moved: where we do not know that yet, the gateway is asked, and the event waits.
    """
    payment = case.found.payment
    if currency != charge.currency:
        return case.mismatch(charge, amount_minor, f"in {currency}, and the charge is in {charge.currency}")
    if charge.is_open:
        why = f"the {charge.kind} is not decided yet"
        return case.wait(why, case.asked(charge), CHARGE_PATIENCE_S)
    approved = charge.state is OperationState.APPROVED or charge.late_amount_minor
    if not approved:
        return case.wait(f"the {charge.kind} ended as {charge.state}", case.asked(charge))
    if payment is None or payment.charge_operation_id != charge.operation_id:
        return case.parked("about an earlier attempt, whose money the payment does not count")
    if charge.late_amount_minor and not payment.amount_captured_minor:
        return case.parked("about money that came late and was not accepted")
    return None


def tell_if_exceeds(draft: Draft, before_minor: int) -> None:
    """An event of its own where more has gone than was captured, and more than before."""
    if draft.payment.amount_exceeding_minor > before_minor:
        draft.tell(EventType.EXCEEDED, reason=EXCEEDS)
