"""Charge: take an order's money in one request, or only reserve it. Also create, and confirm what was created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus, ProcessingReason
from eci_payments.operations.attempt import begin_taking, expiry, take_order
from eci_payments.operations.draft import Draft

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OperationId
    from eci_payments.operations.commands import Caller, Charge, Confirm, Create
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found

S = PaymentStatus
CREATED = 201


def begin_charge(
    found: Found, caller: Caller, command: Charge, operation_id: OperationId, gateway: str, rules: Rules
) -> Change:
    """The intent: take the order and begin the operation. Refuses an order that is not free."""
    draft = Draft(found, caller)
    take_order(
        draft,
        command,
        S.PROCESSING,
        rules,
        processing_reason=ProcessingReason.IN_FLIGHT,
        gateway=gateway,
        charge_operation_id=operation_id,
        open_operation_id=operation_id,
    )
    begin_taking(draft, operation_id, gateway, rules, described="Charge begun")
    return draft.change()


def register(found: Found, caller: Caller, command: Charge | Create, rules: Rules) -> Change:
    """A payment that waits: created to be confirmed later, or cash on delivery until it is collected."""
    draft = Draft(found, caller)
    take_order(draft, command, S.PENDING, rules, expires_at=expiry(found, command.method, rules))
    cod = command.method is PaymentMethod.COD
    described = "Cash on delivery, to be collected" if cod else "Payment created, not charged yet"
    draft.record(TransactionType.PAYMENT, command.amount_minor, S.PENDING, described)
    draft.tell()
    draft.answer(draft.answer_with_payment(CREATED), caller.claim.name if caller.claim else None, store=True)
    return draft.change()


def begin_confirm(
    found: Found, caller: Caller, command: Confirm, operation_id: OperationId, gateway: str, rules: Rules
) -> Change:
    """The intent of charging a PENDING payment. One that waits for its customer is continued elsewhere."""
    draft = Draft(found, caller)
    payment = draft.payment
    if payment.status is not S.PENDING:
        raise not_confirmable(payment.status, payment.payment_id)
    refuse_cash(command.method or payment.method, payment.payment_id)
    draft.move(
        S.PROCESSING,
        method=command.method or payment.method,
        processing_reason=ProcessingReason.IN_FLIGHT,
        gateway=gateway,
        charge_operation_id=operation_id,
        open_operation_id=operation_id,
        expires_at=None,
        failure=None,
    )
    begin_taking(draft, operation_id, gateway, rules, described="Confirmed, charge begun")
    return draft.change()


def refuse_cash(method: PaymentMethod, payment_id: int) -> None:
    """Cash on delivery is collected by a courier: no gateway is asked for it."""
    if method is PaymentMethod.COD:
        raise Refusal(
            RefusalCode.ILLEGAL_STATE,
            "Cash on delivery is collected, not charged; name another payment_method to charge it.",
            payment_id=payment_id,
        )


def not_confirmable(status: PaymentStatus, payment_id: int) -> Refusal:
    """Why a payment in this state is not confirmed."""
    hint = " Charge the order again instead." if status in {S.FAILED, S.CANCELLED} else ""
    return Refusal(
        RefusalCode.ILLEGAL_STATE,
        f"Only a PENDING payment is confirmed; this one is {status}.{hint}",
        payment_id=payment_id,
    )
