"""A refund that went through although it had been given up: the money has left, whatever the books said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.events import EventType
from eci_payments.domain.ledger import Movement, gateway_account
from eci_payments.domain.payment import CAPTURED, refunded_status
from eci_payments.domain.refund import Refund, RefundStatus

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.operations.draft import Draft

REASON = "late_success"


def refunded_after_all(draft: Draft, operation: Operation) -> None:
    """Count it as a refund where it fits what is left; else book it as overpaid, for a person to look at."""
    payment = draft.payment
    fits = payment.status in CAPTURED and operation.late_amount_minor <= payment.refundable_minor
    if fits:
        _counted(draft, operation)
    else:
        draft.move(payment.status)
    draft.post(
        Movement.REFUNDED if fits else Movement.OVERPAID,
        gateway_account(operation.gateway),
        operation.late_amount_minor,
        operation.operation_id,
        currency=operation.currency,
    )
    draft.record(
        TransactionType.REFUND,
        operation.late_amount_minor,
        "LATE_SUCCESS",
        f"Refunded after the refund had ended as {operation.state}"
        + ("" if fits else "; more than was left to refund"),
        operation=operation.operation_id,
        reason=REASON,
        currency=operation.currency,
    )
    draft.tell(EventType.REFUNDED if fits else EventType.LATE_REFUND, reason=REASON)


def _counted(draft: Draft, operation: Operation) -> None:
    """A refund of its own: the one that failed stays as it was told."""
    payment, now = draft.payment, draft.found.now
    refunded = payment.amount_refunded_minor + operation.late_amount_minor
    draft.move(refunded_status(payment, refunded), amount_refunded_minor=refunded)
    first = next((r for r in draft.found.refunds if r.refund_id == operation.refund_id), None)
    draft.begin_refund(
        Refund(
            merchant_id=payment.merchant_id,
            refund_id=draft.found.ids.refund(),
            payment_id=payment.payment_id,
            operation_id=None,
            amount_minor=operation.late_amount_minor,
            currency=operation.currency,
            status=RefundStatus.SUCCEEDED,
            reason=first.reason if first else REASON,
            created_at=now,
            completed_at=now,
        )
    )
