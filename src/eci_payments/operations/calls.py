"""An operation as its gateway is asked to do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.operation import Operation, OperationKind
from eci_payments.gateways.contract import CallKind, GatewayCall

if TYPE_CHECKING:
    from eci_payments.domain.methods import Instrument
    from eci_payments.domain.payment import Payment

_KINDS: dict[OperationKind, CallKind] = {
    OperationKind.CHARGE: CallKind.CHARGE,
    OperationKind.AUTHORIZE: CallKind.AUTHORIZE,
    OperationKind.CAPTURE: CallKind.CAPTURE,
    OperationKind.VOID: CallKind.VOID,
    OperationKind.REFUND: CallKind.REFUND,
    OperationKind.CANCEL_ACTION: CallKind.CANCEL_ACTION,
    OperationKind.RETURN: CallKind.REFUND,
    OperationKind.RELEASE: CallKind.VOID,
}


def call_of(payment: Payment, operation: Operation, instrument: Instrument | None = None) -> GatewayCall:
    """What the gateway is asked.

    A call that recovery builds has no instrument: it can ask, and repeat what needs none, but not charge.
    """
    return GatewayCall(
        kind=_KINDS[operation.kind],
        key=operation.gateway_key,
        merchant_id=operation.merchant_id,
        transaction_id=payment.transaction_id,
        amount_minor=operation.amount_minor,
        currency=operation.currency,
        method=operation.method,
        instrument=instrument,
        reference=operation.gateway_reference,
        parent_key=operation.parent_key,
        parent_reference=operation.parent_reference,
        final=operation.final,
        return_url=payment.return_url,
        order_id=payment.order_id,
    )
