"""An operation read from a gateway's list, by what we wrote into its object when it was made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eci_payments.domain.ids import GatewayKey, MerchantId, TransactionId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.contract import CallKind, Listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eci_payments.gateways.contract import GatewayCall

MAX_PAGES = 1000
"""A hundred thousand operations of one account since a backup: more is for a person."""
PAGE = 100
"""The most that Stripe and Razorpay tell in one page of a list."""


class Unplaced(ValueError):
    """An object of ours that does not say whose it is: an earlier release made it."""


def told_of(call: GatewayCall) -> dict[str, str]:
    """Whose an object is and what it stands for, as the gateway keeps it with the object; no empty values."""
    told = {
        "transaction_id": call.transaction_id,
        "merchant_id": str(call.merchant_id),
        "order_id": call.order_id,
        "method": call.method.value,
        "kind": call.kind.value,
        "parent_key": call.parent_key or "",
    }
    return {name: value for name, value in told.items() if value}


def read_listed(
    told: Mapping[str, Any],
    *,
    key: object,
    reference: object,
    amount_minor: int,
    currency: object,
    created_s: object,
    kind: CallKind | None = None,
    parent: tuple[object, object] = (None, None),
) -> Listed:
    """The operation in these words of ours; ``kind`` and ``parent`` where they do not say it. Raises Unplaced."""
    parent_key, parent_reference = parent[0] or told.get("parent_key"), parent[1]
    try:
        return Listed(
            kind=kind or CallKind(told["kind"]),
            key=GatewayKey(str(key)),
            reference=str(reference),
            merchant_id=MerchantId(int(told["merchant_id"])),
            transaction_id=TransactionId(told["transaction_id"]),
            order_id=str(told["order_id"]),
            amount_minor=amount_minor,
            currency=str(currency).upper(),
            method=PaymentMethod(told["method"]),
            created_at=datetime.fromtimestamp(int(str(created_s)), UTC),
            parent_key=GatewayKey(str(parent_key)) if parent_key else None,
            parent_reference=None if parent_reference is None else str(parent_reference),
        )
    except (KeyError, ValueError, OverflowError, OSError) as error:
        raise Unplaced(f"{reference} does not say whose it is: an earlier release made it") from error
