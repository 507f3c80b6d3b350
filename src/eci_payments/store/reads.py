"""Reads: payments as callers ask for them, and the operations behind them. Nothing here waits for a gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eci_payments.store import rows
from eci_payments.store.session import ReadSession, WriteSession, run
from eci_payments.store.units import by_payment, load_disputes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eci_payments.domain.audit import AuditEntry
    from eci_payments.domain.dispute import Dispute
    from eci_payments.domain.ids import MerchantId, OperationId
    from eci_payments.domain.operation import Operation
    from eci_payments.domain.payment import Payment
    from eci_payments.domain.refund import Refund

Session = ReadSession | WriteSession


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment with its refunds, disputes, audit entries and operations, all of one moment."""

    payment: Payment
    refunds: tuple[Refund, ...]
    audit: tuple[AuditEntry, ...]
    operations: tuple[Operation, ...]
    read_at: datetime
    disputes: tuple[Dispute, ...] = ()

    def operation(self, operation_id: OperationId | None) -> Operation | None:
        """The payment's operation with this id."""
        return next((o for o in self.operations if o.operation_id == operation_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which payments; None means any. Times are inclusive from, exclusive to."""

    status: str | None = None
    payment_method: str | None = None
    user_id: str | None = None
    order_id: str | None = None
    processing_reason: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


TOTAL_MAX = 10_000
"""Up to here matches are counted; nobody reads a longer list by its page numbers."""


@dataclass(frozen=True, slots=True)
class Page:
    """Payments newest first, how many match in all up to `TOTAL_MAX`, and whether older ones follow."""

    views: tuple[PaymentView, ...]
    total: int
    total_is_exact: bool
    more: bool


async def find_payment(
    session: Session, merchant_id: MerchantId, column: str, value: object
) -> PaymentView | None:
    """The payment whose ``payment_id``, ``order_id`` or ``transaction_id`` this is."""
    found = await run(session, _BY[column], merchant_id, value)
    views = await _views(session, found)
    return views[0] if views else None


async def find_payments(
    session: Session, wanted: Sequence[tuple[MerchantId, str, object]]
) -> list[PaymentView | None]:
    """The payment of each (merchant, column, value), as `find_payment`, but without its operations."""
    names: dict[tuple[int, str, object], tuple[int, int]] = {}
    found: dict[tuple[int, int], Any] = {}
    for column, kind in _COLUMN_TYPES.items():
        places = sorted({(merchant, value) for merchant, by, value in wanted if by == column})
        if places:
            sql = _MANY_BY.format(column=column, kind=kind)
            asked = [merchant for merchant, _ in places], [value for _, value in places]
            for row in await run(session, sql, *asked):
                place = row.merchant_id, row.payment_id
                names[row.merchant_id, column, row[column]], found[place] = place, row
    made = await _views(session, list(found.values()), with_operations=False)
    views = dict(zip(found, made, strict=True))
    return [views[names[each]] if each in names else None for each in wanted]


async def find_operation(
    session: Session, merchant_id: MerchantId, operation_id: OperationId
) -> tuple[Operation, Payment] | None:
    """An operation with the payment it belongs to."""
    found = await run(session, _OPERATION, merchant_id, operation_id)
    if not found:
        return None
    operation = rows.operation(found[0])
    (payment,) = await run(session, _BY["payment_id"], merchant_id, operation.payment_id)
    return operation, rows.payment(payment)


_COLUMNS = ", ".join([*(f"t.{f.name}" for f in rows.PAYMENTS.fields), "now() AS read_at"])
_BY = {
    column: f"SELECT {_COLUMNS} FROM payments t WHERE t.merchant_id = $1 AND t.{column} = $2"
    for column in ("payment_id", "order_id", "transaction_id")
}

_COLUMN_TYPES = {"payment_id": "bigint", "order_id": "text", "transaction_id": "text"}
_MANY_BY = (
    f"SELECT {_COLUMNS} FROM payments t JOIN unnest($1::bigint[], $2::{{kind}}[]) AS w (m, v)"
    " ON t.merchant_id = w.m AND t.{column} = w.v"
)

_OPERATION = (
    f"SELECT {', '.join(f.name for f in rows.OPERATIONS.fields)} FROM operations"
    " WHERE merchant_id = $1 AND operation_id = $2"
)

_WANTED = "JOIN unnest($1::bigint[], $2::bigint[]) AS w (m, p) ON t.merchant_id = w.m AND t.payment_id = w.p"


def _select(recordset: Any, order: str) -> str:
    columns = ", ".join(f"t.{f.name}" for f in recordset.fields)
    return f"SELECT {columns} FROM {recordset.table} t {_WANTED} ORDER BY {order}"


_OPERATIONS = _select(rows.OPERATIONS, "t.operation_id")
_REFUNDS = _select(rows.REFUNDS, "t.refund_id")
_AUDIT = _select(rows.AUDIT, "t.version, t.transaction_log_id")


async def _views(
    session: Session, found: Sequence[Any], *, with_operations: bool = True
) -> list[PaymentView]:
    """The payments of these rows with what belongs to each, in their order."""
    if not found:
        return []
    read_at, payments = found[0].read_at, [rows.payment(row) for row in found]
    places = [p.merchant_id for p in payments], [p.payment_id for p in payments]
    begun = await run(session, _OPERATIONS, *places) if with_operations else ()
    operations = by_payment(rows.operation(row) for row in begun)
    refunds = by_payment(rows.refund(row) for row in await run(session, _REFUNDS, *places))
    audit = by_payment(rows.audit_entry(row) for row in await run(session, _AUDIT, *places))
    disputes = by_payment(await load_disputes(session, payments))
    return [PaymentView(p, refunds(p), audit(p), operations(p), read_at, disputes(p)) for p in payments]


async def list_payments(
    session: Session,
    merchant_id: MerchantId,
    wanted: Filter,
    *,
    limit: int,
    offset: int,
    before: tuple[datetime, int] | None,
) -> Page:
    """One page, newest first: by offset, or from ``before`` (time of creation and id of the last payment seen) on.

    A page found by ``before`` costs no more than the first, however deep it is.
    """
    conditions, values = _conditions(merchant_id, wanted)
    ((counted,),) = await run(session, _counting(conditions, len(values)), *values, TOTAL_MAX + 1)
    if before is not None:
        values.extend(before)
        conditions += f" AND (t.created_at, t.payment_id) < (${len(values) - 1}, ${len(values)})"
    sql = (
        f"SELECT {_COLUMNS} FROM payments t WHERE {conditions}"
        f" ORDER BY t.created_at DESC, t.payment_id DESC LIMIT ${len(values) + 1} OFFSET ${len(values) + 2}"
    )
    found = await run(session, sql, *values, limit + 1, offset)
    return Page(
        tuple(await _views(session, found[:limit])),
        min(counted, TOTAL_MAX),
        total_is_exact=counted <= TOTAL_MAX,
        more=len(found) > limit,
    )


def _counting(conditions: str, places: int) -> str:
    """How many rows match, counted no further than the bound that follows the conditions' values."""
    return f"SELECT count(*) FROM (SELECT FROM payments t WHERE {conditions} LIMIT ${places + 1}) AS found"


_FILTERS = {
    "status": "t.status = ${}",
    "payment_method": "t.payment_method = ${}",
    "user_id": "t.user_id = ${}",
    "order_id": "t.order_id = ${}",
    "processing_reason": "t.processing_reason = ${}",
    "created_from": "t.created_at >= ${}",
    "created_to": "t.created_at < ${}",
}


def _conditions(merchant_id: MerchantId, wanted: Filter) -> tuple[str, list[object]]:
    values: list[object] = [merchant_id]
    conditions = ["t.merchant_id = $1"]
    for name, condition in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            values.append(value)
            conditions.append(condition.format(len(values)))
    return " AND ".join(conditions), values


async def expired_payments(session: Session, *, limit: int) -> list[tuple[MerchantId, int]]:
    """(merchant, payment) of payments whose time has run out."""
    sql = (
        "SELECT merchant_id, payment_id FROM payments WHERE expires_at <= now()"
        " AND status IN ('PENDING', 'REQUIRES_ACTION', 'AUTHORIZED') ORDER BY expires_at LIMIT $1"
    )
    return [(row.merchant_id, row.payment_id) for row in await run(session, sql, limit)]
