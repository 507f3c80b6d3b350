"""What capture, void, refund and cancellation have in common: they act on money that a charge took or reserved."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from eci_payments.domain.errors import FieldError, Refusal, RefusalCode, known
from eci_payments.domain.money import InvalidMoney, currency, major_units, minor_units
from eci_payments.domain.operation import Operation, OperationKind, OperationState

if TYPE_CHECKING:
    from decimal import Decimal

    from eci_payments.domain.ids import OperationId
    from eci_payments.domain.payment import Payment
    from eci_payments.operations.draft import Draft
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found


def begin_part(
    draft: Draft,
    kind: OperationKind,
    operation_id: OperationId,
    amount_minor: int,
    rules: Rules,
    **fields: Any,
) -> Operation:
    """An operation on the payment's present charge, at the gateway that holds it."""
    charge, found, caller = charge_of(draft.found), draft.found, draft.caller
    operation = Operation(
        merchant_id=charge.merchant_id,
        operation_id=operation_id,
        payment_id=charge.payment_id,
        kind=kind,
        state=OperationState.STARTED,
        attempt=charge.attempt,
        amount_minor=amount_minor,
        currency=charge.currency,
        method=charge.method,
        gateway=charge.gateway,
        gateway_key=found.ids.gateway_key(),
        parent_id=charge.operation_id,
        parent_key=charge.gateway_key,
        parent_reference=charge.gateway_reference,
        key=caller.claim.name if caller.claim else None,
        actor=caller.actor,
        correlation_id=caller.correlation_id,
        traceparent=caller.traceparent,
        created_at=found.now,
        due_at=found.now + timedelta(seconds=rules.lease_s),
        **fields,
    )
    draft.begin_operation(operation)
    return operation


def charge_of(found: Found) -> Operation:
    """The operation that took or reserved the payment's present money."""
    charge = found.operation(found.payment.charge_operation_id) if found.payment else None
    return known(charge, "a payment with money but without its charge")


def refuse_while_open(payment: Payment) -> None:
    """While a charge, capture or void is not concluded, nothing else starts on its payment (law 2)."""
    if payment.open_operation_id is not None:
        raise Refusal(
            RefusalCode.OPERATION_IN_PROGRESS,
            f"Payment {payment.payment_id} has an operation whose outcome is not known yet.",
            payment_id=payment.payment_id,
            retry_after_s=2,
        )


def refuse_too_many(found: Found, payment: Payment, rules: Rules, *, left_free: float = 0) -> None:
    """A bound on what one payment can grow to. Who takes money leaves a share of it free for giving it back.

    Refunds that have no operation count too: an approval, or a payout by hand, has its place beforehand.
    """
    bound = int(rules.max_operations * (1 - left_free))
    never_sent = sum(r.operation_id is None for r in found.refunds)
    if len(found.operations) + never_sent >= bound:
        raise Refusal(
            RefusalCode.TOO_MANY_OPERATIONS,
            f"One payment takes at most {bound} operations before this.",
            payment_id=payment.payment_id,
        )


def refuse_illegal(payment: Payment, wanted: str) -> Refusal:
    """What was asked is not possible in the payment's state."""
    return Refusal(
        RefusalCode.ILLEGAL_STATE,
        f"A payment that is {payment.status} cannot be {wanted}.",
        payment_id=payment.payment_id,
    )


def refuse_likely_repeat(draft: Draft, kind: OperationKind, amount_minor: int, rules: Rules) -> None:
    """Without a key, an operation equal to a recent one of the payment is taken for a repeat of it."""
    if draft.caller.claim is not None:
        return
    since, attempt = draft.found.now - timedelta(hours=rules.duplicate_window_h), draft.payment.attempt
    for earlier in draft.found.operations:
        same = (earlier.kind, earlier.amount_minor, earlier.attempt) == (kind, amount_minor, attempt)
        if same and earlier.state not in _WITHOUT_EFFECT and earlier.created_at > since:
            raise Refusal(
                RefusalCode.POSSIBLE_DUPLICATE,
                f"An equal {kind.lower()} of this payment was begun at {earlier.created_at:%Y-%m-%dT%H:%M:%SZ}"
                f" (operation {earlier.operation_id}).",
                payment_id=draft.payment.payment_id,
            )


_WITHOUT_EFFECT = frozenset({OperationState.DECLINED, OperationState.CANCELLED, OperationState.NOT_SENT})


def spelt(amount_minor: int, payment: Payment) -> str:
    """An amount of the payment's currency as people write it: 149.50 INR."""
    return f"{major_units(amount_minor, currency(payment.currency)):f} {payment.currency}"


def part_amount(amount: int | str | Decimal | None, left_minor: int, payment: Payment) -> int:
    """An amount of the payment's currency in minor units; all that is left when none is named."""
    if amount is None:
        return left_minor
    try:
        return minor_units(amount, currency(payment.currency))
    except InvalidMoney as wrong:
        raise Refusal(
            RefusalCode.INVALID_FIELD,
            "A field is wrong.",
            payment_id=payment.payment_id,
            errors=(FieldError("amount", str(wrong)),),
        ) from None
