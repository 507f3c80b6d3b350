"""The ids in a path: percent-decoded by the server, checked here by one rule per name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path

from eci_payments.api.validation import refused
from eci_payments.domain.errors import FieldError
from eci_payments.domain.ids import (
    MAX_SAFE_INTEGER,
    InvalidId,
    OrderId,
    PaymentId,
    RefundId,
    TransactionId,
    external_id,
)

if TYPE_CHECKING:
    from starlette.types import Scope

_OWN = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_TRANSACTION = re.compile(r"TXN[A-Z0-9]{1,61}", re.ASCII)


def read_path(scope: Scope) -> dict[str, Any]:
    """The path's ids, each of its type. Raises WireError naming the ones that are none."""
    read: dict[str, Any] = {}
    wrong: list[FieldError] = []
    for name, text in scope["path_params"].items():
        try:
            read[name] = _RULES[name](text)
        except ValueError as why:
            wrong.append(FieldError(name, str(why)))
    if wrong:
        raise refused(wrong)
    return read


def _own_id(text: str) -> int:
    if not _OWN.fullmatch(text) or int(text) > MAX_SAFE_INTEGER:
        raise InvalidId("must be a positive integer below 2^53")
    return int(text)


def _transaction_id(text: str) -> str:
    if not _TRANSACTION.fullmatch(text):
        raise InvalidId("must be TXN followed by letters A-Z and digits")
    return text


_RULES: dict[str, Callable[[str], int | str]] = {
    "payment_id": _own_id,
    "refund_id": _own_id,
    "approval_id": _own_id,
    "order_id": external_id,
    "transaction_id": _transaction_id,
}

PaymentIdPath = Annotated[PaymentId, Path(ge=1, le=MAX_SAFE_INTEGER, examples=[4711])]
RefundIdPath = Annotated[RefundId, Path(ge=1, le=MAX_SAFE_INTEGER, examples=[12])]
ApprovalIdPath = Annotated[
    RefundId, Path(ge=1, le=MAX_SAFE_INTEGER, description="The refund's own id.", examples=[12])
]
OrderIdPath = Annotated[
    OrderId,
    Path(
        pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$",
        description="Percent-encoded; 1 to 64 characters of A-Z a-z 0-9 . _ - that start and end with a letter"
        " or digit.",
        examples=["42"],
    ),
]
TransactionIdPath = Annotated[
    TransactionId, Path(pattern="^TXN[A-Z0-9]{1,61}$", examples=["TXNABCDEFGHIJKLMNOPQRSTUVWXYZ"])
]
