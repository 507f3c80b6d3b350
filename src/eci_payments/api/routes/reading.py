"""Reading payments: by each of their ids, their refunds, and lists. Nothing here waits for a gateway."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from starlette.responses import Response

from eci_payments.api import examples
from eci_payments.api.documented import read, success
from eci_payments.api.edge import Read
from eci_payments.api.paths import OrderIdPath, PaymentIdPath, TransactionIdPath
from eci_payments.api.routes.streaming import TokenQuery
from eci_payments.api.schemas.responses import PaymentDocument, RefundList
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.operations.answers import encode, payment_answer, refund_document

if TYPE_CHECKING:
    from eci_payments.api.services import Principal, Services
    from eci_payments.store.reads import PaymentView


@dataclass(frozen=True, slots=True)
class Lookup:
    """The payment with this id; ``column`` says which of its ids it is."""

    column: str
    value: object


def payment_by_id(payment_id: PaymentIdPath, token: TokenQuery = None) -> Lookup:
    """The payment with its transactions and refunds, as it stands now.

    A read token is shown it without transactions, refunds and metadata, which are the shop's own.
    """
    del token  # who asks is settled by now
    return Lookup("payment_id", payment_id)


def payment_by_order(order_id: OrderIdPath) -> Lookup:
    """The one payment of an order."""
    return Lookup("order_id", order_id)


def payment_by_transaction(transaction_id: TransactionIdPath) -> Lookup:
    """The payment with this public id, which customers are shown."""
    return Lookup("transaction_id", transaction_id)


def refunds_of_payment(payment_id: PaymentIdPath) -> Lookup:
    """The refunds of a payment, oldest first."""
    return Lookup("payment_id", payment_id)


async def _payment(services: Services, who: Principal, asked: Lookup) -> Response:
    view = await _find(services, who, asked)
    if who.token is not None:
        body = payment_answer(200, replace(view.payment, metadata={}), (), ()).body
    else:
        body = payment_answer(200, view.payment, view.refunds, view.audit, view.disputes).body
    return Response(body, media_type="application/json")


async def _refunds(services: Services, who: Principal, asked: Lookup) -> Response:
    view = await _find(services, who, asked)
    body = encode({"refunds": [refund_document(each) for each in view.refunds]})
    return Response(body, media_type="application/json")


async def _find(services: Services, who: Principal, asked: Lookup) -> PaymentView:
    view = await services.lookups.find(who.merchant_id, asked.column, asked.value)
    if view is None:
        raise Refusal(RefusalCode.NOT_FOUND, "There is no such payment.")
    return view


_FOUND = read(
    "Read a payment", PaymentDocument, "not_found", answers={200: success("The payment", examples.PAYMENT)}
)
READS = (
    Read(
        path="/v1/payments/{payment_id}",
        endpoint=payment_by_id,
        answer=_payment,
        documented=_FOUND,
        query={"token": str},
    ),
    Read(path="/v1/payments/order/{order_id}", endpoint=payment_by_order, answer=_payment, documented=_FOUND),
    Read(
        path="/v1/payments/transaction/{transaction_id}",
        endpoint=payment_by_transaction,
        answer=_payment,
        documented=_FOUND,
    ),
    Read(
        path="/v1/payments/{payment_id}/refunds",
        endpoint=refunds_of_payment,
        answer=_refunds,
        documented=read(
            "List a payment's refunds",
            RefundList,
            "not_found",
            answers={200: success("The refunds", examples.REFUNDS)},
        ),
    ),
)
