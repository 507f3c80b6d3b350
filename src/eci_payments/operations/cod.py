"""Cash on delivery: collected at the door or refused there, then remitted by whoever carried it.

No gateway takes part, so every step is one commit. Collected money is in transit until it is remitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.ledger import COD_IN_TRANSIT, Movement
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.cancel import give_up
from eci_payments.operations.draft import Draft
from eci_payments.operations.parts import part_amount, refuse_illegal, spelt

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.payment import Payment
    from eci_payments.operations.commands import Caller, Collect, Remit
    from eci_payments.store.units import Found

S = PaymentStatus
REMITTED = "REMITTED"


def collect(found: Found, caller: Caller, command: Collect) -> Change:
    """The courier's word: the money was taken, whole or in part, or the customer refused the goods."""
    draft = Draft(found, caller)
    payment = draft.payment
    if payment.method is not PaymentMethod.COD or payment.status is not S.PENDING:
        raise refuse_illegal(payment, f"collected as cash (its method is {payment.method})")
    if command.refused:
        return give_up(draft, f"Refused at the door, says {command.collector}", "refused_at_the_door")
    amount_minor = part_amount(command.amount, payment.amount_minor, payment)
    if amount_minor > payment.amount_minor:
        raise _too_much(payment, payment.amount_minor, "collect")
    now = found.now
    draft.move(
        S.COMPLETED,
        amount_authorized_minor=amount_minor,
        amount_captured_minor=amount_minor,
        captured_at=now,
        completed_at=now,
        gateway_response=command.proof,
    )
    draft.post(Movement.CAPTURED, COD_IN_TRANSIT, amount_minor, None)
    draft.record(
        TransactionType.CAPTURE,
        amount_minor,
        S.COMPLETED,
        f"Collected by {command.collector}",
        reason=command.proof,
    )
    draft.tell()
    return _answered(draft)


def remit(found: Found, caller: Caller, command: Remit) -> Change:
    """The carrier hands over what was collected: it is no longer in transit."""
    draft = Draft(found, caller)
    payment = draft.payment
    left_minor = payment.amount_captured_minor - _remitted_minor(found, payment)
    if payment.method is not PaymentMethod.COD or payment.charge_operation_id is not None or not left_minor:
        raise refuse_illegal(payment, "remitted: no cash of it is in transit")
    amount_minor = part_amount(command.amount, left_minor, payment)
    if amount_minor > left_minor:
        raise _too_much(payment, left_minor, "remit")
    draft.move(payment.status)
    draft.post(Movement.REMITTED, COD_IN_TRANSIT, amount_minor, None)
    draft.record(
        TransactionType.SETTLEMENT,
        amount_minor,
        REMITTED,
        "Cash was remitted",
        reason=command.remittance,
    )
    return _answered(draft)


def _remitted_minor(found: Found, payment: Payment) -> int:
    """What was remitted of the present attempt, as the audit trail says it, which is read under the payment's lock."""
    return sum(
        entry.amount_minor
        for entry in found.audit
        if entry.type is TransactionType.SETTLEMENT and entry.after["attempt"] == payment.attempt
    )


def _too_much(payment: Payment, left_minor: int, verb: str) -> Refusal:
    return Refusal(
        RefusalCode.AMOUNT_EXCEEDS_AUTHORIZED,
        f"Left to {verb}: {spelt(left_minor, payment)}.",
        payment_id=payment.payment_id,
    )


def _answered(draft: Draft) -> Change:
    claim = draft.caller.claim
    draft.answer(draft.answer_with_payment(200), claim.name if claim else None, store=True)
    return draft.change()
