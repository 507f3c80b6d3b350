"""Cash on delivery: what happens at the door, and after."""

from __future__ import annotations

from eci_payments.api import examples
from eci_payments.api.documented import mutation, success
from eci_payments.api.edge import Mutation
from eci_payments.api.paths import PaymentIdPath
from eci_payments.api.schemas.requests import CollectBody, RemitBody
from eci_payments.api.schemas.responses import PaymentDocument
from eci_payments.operations.commands import Collect, Remit
from eci_payments.operations.service import Payments

_REPLAYED = "Idempotent-Replayed"
_REFUSALS = ("not_found", "illegal_state", "amount_exceeds_authorized", "card_data_not_allowed")


def collect(payment_id: PaymentIdPath, body: CollectBody) -> Collect:
    """Note that cash on delivery was collected, in whole or in part, or that the customer refused the goods.

    Collected: COMPLETED, with what was collected as captured. Refused: CANCELLED, and the stock is released.
    """
    return Collect(
        payment_id=payment_id,
        collector=body.collector,
        amount=body.amount,
        proof=body.proof,
        refused=body.refused,
    )


def remit(payment_id: PaymentIdPath, body: RemitBody) -> Remit:
    """Note that the carrier handed over what was collected: in the ledger it is no longer in transit."""
    return Remit(payment_id=payment_id, remittance=body.remittance, amount=body.amount)


MUTATIONS = (
    Mutation(
        method="POST",
        path="/v1/payments/{payment_id}/collect",
        endpoint=collect,
        does=Payments.collect,
        body_model=CollectBody,
        documented=mutation(
            "Collect cash on delivery",
            PaymentDocument,
            *_REFUSALS,
            bodies=examples.COLLECT_BODIES,
            answers={200: success("The payment, collected or cancelled", examples.PAYMENT, _REPLAYED)},
        ),
    ),
    Mutation(
        method="POST",
        path="/v1/payments/{payment_id}/remit",
        endpoint=remit,
        does=Payments.remit,
        body_model=RemitBody,
        documented=mutation(
            "Remit collected cash",
            PaymentDocument,
            *_REFUSALS,
            bodies=examples.REMIT_BODIES,
            answers={200: success("The payment", examples.PAYMENT, _REPLAYED)},
        ),
    ),
)
