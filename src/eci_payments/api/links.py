"""Where an answer leads: OpenAPI links from what made a payment to all that can be asked of it."""

from __future__ import annotations

from typing import Any

MADE_BY = ("charge", "create")
OF_A_PAYMENT = (
    *("payment_by_id", "confirm", "capture", "cancel", "refund", "change_status", "collect", "remit"),
    *("refunds_of_payment", "read_token", "payment_stream"),
)
"""Operations that take the payment's id in their path."""


def add_links(built: dict[str, Any]) -> None:
    """Add them to the responses of the document. Operations are named by their ids."""
    operations = {
        operation["operationId"]: operation for path in built["paths"].values() for operation in path.values()
    }
    for name in MADE_BY:
        operations[name]["responses"]["201"]["links"] = _OF_NEW
    operations["refund"]["responses"]["200"]["links"] = {"payment_by_id": _OF_NEW["payment_by_id"]}
    operations["approvals"]["responses"]["200"]["links"] = {
        name: _link(name, approval_id="$response.body#/approvals/0/approval_id")
        for name in ("approval_by_id", "decide_approval")
    }


def _link(operation: str, **parameters: str) -> dict[str, Any]:
    return {"operationId": operation, "parameters": parameters}


_OF_NEW = {
    **{name: _link(name, payment_id="$response.body#/payment_id") for name in OF_A_PAYMENT},
    "payment_by_order": _link("payment_by_order", order_id="$response.body#/order_id"),
    "payment_by_transaction": _link(
        "payment_by_transaction", transaction_id="$response.body#/transaction_id"
    ),
}
