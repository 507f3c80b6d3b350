"""Giving money back, and what an operator says of a payment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.api import examples
from eci_payments.api.documented import mutation, success
from eci_payments.api.edge import Mutation
from eci_payments.api.paths import PaymentIdPath, RefundIdPath
from eci_payments.api.routes.charging import ACTING, UNREACHABLE
from eci_payments.api.schemas.requests import RefundBody, StatusBody
from eci_payments.api.schemas.responses import PaymentDocument
from eci_payments.domain.ids import PaymentId, RefundId
from eci_payments.operations.commands import Caller, ChangeStatus, RefundPayment
from eci_payments.operations.service import Payments

if TYPE_CHECKING:
    from eci_payments.domain.change import Answer

_REPLAYED = "Idempotent-Replayed"


@dataclass(frozen=True, slots=True)
class PayOut:
    """Note that a refund which waited for a payout by hand was paid."""

    payment_id: PaymentId
    refund_id: RefundId


def refund(payment_id: PaymentIdPath, body: RefundBody) -> RefundPayment:
    """Give money back, all that is left or a part.

    Refunds done and in flight never exceed what was captured. Without an Idempotency-Key, a refund equal to one of the
    same payment within 24 hours is 409 `possible_duplicate`; a key means it. Above the merchant's threshold the answer
    is 202 and the refund AWAITING_APPROVAL: its amount is reserved, and another key has to approve it.
    """
    return RefundPayment(payment_id=payment_id, reason=body.reason, amount=body.amount)


def mark_refund_paid(payment_id: PaymentIdPath, refund_id: RefundIdPath) -> PayOut:
    """Note that a refund was paid out by hand: of cash on delivery, or of money that was taken outside."""
    return PayOut(payment_id, refund_id)


def change_status(payment_id: PaymentIdPath, body: StatusBody) -> ChangeStatus:
    """What an operator may do: end an unknown outcome (needs `reason`; the gateway is asked first), book money taken
    outside (PENDING to COMPLETED), or fail a PENDING payment. All else is 409.
    """  # noqa: D205 - one sentence
    return ChangeStatus(
        payment_id=payment_id,
        status=body.status,
        gateway_response=body.gateway_response,
        reason=body.reason,
    )


async def _pay_out(payments: Payments, caller: Caller, command: PayOut) -> Answer:
    return await payments.pay_out(caller, command.payment_id, command.refund_id)


MUTATIONS = (
    Mutation(
        method="POST",
        path="/v1/payments/{payment_id}/refund",
        endpoint=refund,
        does=Payments.refund,
        body_model=RefundBody,
        documented=mutation(
            "Refund a payment",
            PaymentDocument,
            *ACTING,
            "possible_duplicate",
            "gateway_declined",
            "refund_not_approved",
            "amount_exceeds_refundable",
            "card_data_not_allowed",
            UNREACHABLE,
            bodies=examples.REFUND_BODIES,
            answers={
                200: success("The payment with the refund", examples.REFUNDED, _REPLAYED),
                202: success(
                    "The refund awaits another key's approval, or its outcome is not known yet",
                    examples.AWAITING,
                    "Retry-After",
                    _REPLAYED,
                )
                | {"model": PaymentDocument},
            },
        ),
    ),
    Mutation(
        method="POST",
        path="/v1/payments/{payment_id}/refunds/{refund_id}/paid",
        endpoint=mark_refund_paid,
        does=_pay_out,
        documented=mutation(
            "Mark a refund as paid by hand",
            PaymentDocument,
            "not_found",
            "illegal_state",
            answers={200: success("The payment with the refund", examples.REFUNDED, _REPLAYED)},
        ),
    ),
    Mutation(
        method="PATCH",
        path="/v1/payments/{payment_id}/status",
        endpoint=change_status,
        does=Payments.change_status,
        body_model=StatusBody,
        documented=mutation(
            "Say how a payment stands",
            PaymentDocument,
            "not_found",
            "illegal_state",
            "use_refund_endpoint",
            "inquiry_required",
            "reason_required",
            "card_data_not_allowed",
            bodies=examples.STATUS_BODIES,
            answers={200: success("The payment as it stands now", examples.PAYMENT, _REPLAYED)},
        ),
    ),
)
