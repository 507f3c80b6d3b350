"""Changes into rows: every row of every change of a batch in one statement, each state write with its guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from eci_payments.domain.change import (
    Change,
    Complete,
    DisputeWrite,
    Hold,
    OperationWrite,
    RefundWrite,
    Release,
)
from eci_payments.domain.errors import ensure
from eci_payments.domain.ids import PaymentId
from eci_payments.domain.inbox import InboxWrite
from eci_payments.store import usual
from eci_payments.store.recordset import Field, Moment, Recordset, Usual
from eci_payments.store.rows import (
    AUDIT,
    DISPUTES,
    ENTRIES,
    EVENTS,
    OPERATIONS,
    PAYMENTS,
    REFUNDS,
    USES,
    Posted,
)
from eci_payments.store.session import WriteSession, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

_PAYMENT_FIXED = ("order_id", "transaction_id", "created_at")
_OPERATION_FIXED = (
    "payment_id", "kind", "attempt", "amount_minor", "currency", "payment_method", "gateway", "gateway_key",
    "parent_id", "parent_key", "parent_reference", "refund_id", "final", "key_scope", "key", "actor",
    "correlation_id", "traceparent", "created_at", "card_fingerprint",
)  # fmt: skip
_REFUND_FIXED = (
    "payment_id", "amount_minor", "currency", "reason", "created_at", "requested_by", "approval_expires_at",
    "key_scope", "key", "made_elsewhere", "gateway_reference",
)  # fmt: skip


def _within(name: str, recordset: Recordset[Any]) -> tuple[Field[Any], ...]:
    """The columns of a row that stands within another object, under this name."""
    return tuple(Field(f.name, f.type, f"{name}.{f.source}", f.write) for f in recordset.fields)


_PAYMENT_WRITES: Recordset[Change] = Recordset(
    "payments", _within("payment", PAYMENTS.without(_PAYMENT_FIXED))
)

_OPERATION_WRITES: Recordset[OperationWrite] = Recordset(
    "operations",
    (
        *_within("operation", OPERATIONS.without(_OPERATION_FIXED)),
        Field("expected_epoch", "bigint", "expected_epoch"),
    ),
)


_REFUND_WRITES: Recordset[RefundWrite] = Recordset(
    "refunds",
    (
        *_within("refund", REFUNDS.without(_REFUND_FIXED)),
        Field("expected_status", "text", "expected"),
    ),
)


@dataclass(frozen=True, slots=True)
class _Held:
    merchant_id: int
    hold: Hold


_HOLDS: Recordset[_Held] = Recordset(
    "idempotency_keys",
    (
        Field("merchant_id", "bigint", "merchant_id"),
        Field("scope", "text", "hold.name.scope"),
        Field("key", "text", "hold.name.key"),
        Field("payment_id", "bigint", "hold.payment_id"),
        Field("operation_id", "bigint", "hold.operation_id"),
    ),
)


@dataclass(frozen=True, slots=True)
class _Completion:
    merchant_id: int
    complete: Complete


_COMPLETIONS: Recordset[_Completion] = Recordset(
    "idempotency_keys",
    (
        Field("merchant_id", "bigint", "merchant_id"),
        Field("scope", "text", "complete.name.scope"),
        Field("key", "text", "complete.name.key"),
        Field("payment_id", "bigint", "complete.answer.payment_id"),
        Field("response_status", "smallint", "complete.answer.status"),
        Field("response_body", "bytea", "complete.answer.body"),
    ),
)


@dataclass(frozen=True, slots=True)
class _InboxWrite:
    merchant_id: int
    write: InboxWrite


_INBOX_WRITES: Recordset[_InboxWrite] = Recordset(
    "gateway_inbox",
    (
        Field("merchant_id", "bigint", "merchant_id"),
        Field("inbox_id", "bigint", "write.inbox_id"),
        Field("expected_epoch", "bigint", "write.expected_epoch"),
        Field("state", "text", "write.state"),
        Field("why", "text", "write.why"),
        Field("payment_id", "bigint", "write.payment_id"),
        Field("due_at", "timestamptz", "write.due_at"),
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One table's share of the statement: what it writes, from which rows, and the SQL at a given parameter."""

    name: str
    recordset: Recordset[Any]
    rows: Callable[[Sequence[Change]], list[Any]]
    sql: Callable[[int], str]
    guarded: bool = False
    lean: tuple[_Lean, ...] = ()

    def shape(self, rows: Sequence[Any], now: datetime) -> _Part | _Lean:
        """What these rows travel in, in a transaction that began ``now``."""
        return next((lean for lean in self.lean if lean.fit(rows, now)), self)


@dataclass(frozen=True, slots=True, eq=False)
class _Lean:
    """A part's fewer columns, which are enough where every row fits."""

    recordset: Recordset[Any]
    sql: Callable[[int], str]
    fit: Callable[[Sequence[Any], datetime], bool]


def _inserted(recordset: Recordset[Any], held: Mapping[str, Usual]) -> _Lean:
    """New rows of which all hold what such rows mostly hold."""
    columns, fit = recordset.lean(held)
    return _Lean(columns, columns.insert, fit)


def _endings() -> tuple[_Lean, _Lean]:
    others = [field.name for field in _PAYMENT_WRITES.fields if field.name not in usual.ENDINGS]
    ending, rest = _PAYMENT_WRITES.without(others), PAYMENTS.reader(others)
    captured, fit_captured = ending.lean(usual.CAPTURED)

    def fit(rows: Sequence[Change], _now: datetime) -> bool:
        return all(rest(change.before) == rest(change.payment) for change in rows if change.before)

    return (
        _Lean(
            captured,
            lambda first: _payment_update(captured, first),
            lambda rows, now: fit_captured(rows, now) and fit(rows, now),
        ),
        _Lean(ending, lambda first: _payment_update(ending, first), fit),
    )


def _payment_update(columns: Recordset[Change], first: int) -> str:
    return columns.update(first, ("merchant_id", "payment_id"), "t.version = r.version - 1")


def _conclusion() -> _Lean:
    columns, fit = _OPERATION_WRITES.lean(usual.CONCLUDED)
    return _Lean(columns, lambda first: _operation_update(columns, first), fit)


def _operation_update(columns: Recordset[OperationWrite], first: int) -> str:
    return (
        f"UPDATE operations AS t SET {columns.changes({'merchant_id', 'operation_id', 'expected_epoch'})}"
        f" FROM {columns.source(first)}"
        " WHERE t.merchant_id = r.merchant_id AND t.operation_id = r.operation_id"
        " AND t.lease_epoch = r.expected_epoch"
        " AND (t.state = r.state OR t.state NOT IN ('APPROVED', 'DECLINED', 'CANCELLED', 'NOT_SENT'))"
    )


_DISPUTE_WRITES: Recordset[DisputeWrite] = Recordset(
    "disputes",
    (
        *_within("dispute", DISPUTES),
        Field("expected", "text", "expected"),
    ),
)


def _dispute_update(first: int) -> str:
    return (
        "UPDATE disputes AS t SET state = r.state, told_at = r.told_at, closed_at = r.closed_at"
        f" FROM {_DISPUTE_WRITES.source(first)}"
        " WHERE t.merchant_id = r.merchant_id AND t.gateway = r.gateway AND t.reference = r.reference"
        " AND t.payment_id = r.payment_id AND t.state = r.expected"
    )


def _complete_keys(first: int) -> str:
    return (
        "UPDATE idempotency_keys AS t SET payment_id = r.payment_id, response_status = r.response_status,"
        f" response_body = r.response_body, completed_at = now() FROM {_COMPLETIONS.source(first)}"
        " WHERE t.merchant_id = r.merchant_id AND t.scope = r.scope AND t.key = r.key"
        " AND t.response_status IS NULL"
    )


def _settle_inbox(first: int) -> str:
    """Not guarded like the rest: an event that somebody else has claimed since is left to them, and told of twice."""
    return (
        "UPDATE gateway_inbox AS t SET state = r.state, why = r.why, payment_id = r.payment_id, due_at = r.due_at,"
        " concluded_at = CASE WHEN r.state = 'PENDING' THEN NULL ELSE now() END"
        f" FROM {_INBOX_WRITES.source(first)}"
        " WHERE t.merchant_id = r.merchant_id AND t.inbox_id = r.inbox_id AND t.lease_epoch = r.expected_epoch"
        " AND t.state = 'PENDING'"
    )


def _hold_keys(first: int) -> str:
    return _HOLDS.update(first, ("merchant_id", "scope", "key"), "t.response_status IS NULL")


_PARTS: tuple[_Part, ...] = (
    _Part(
        "payments",
        _PAYMENT_WRITES,
        lambda changes: [c for c in changes if c.before and c.before.version != c.payment.version],
        lambda first: _payment_update(_PAYMENT_WRITES, first),
        guarded=True,
        lean=_endings(),
    ),
    _Part(
        "new_operations",
        OPERATIONS,
        lambda changes: [w.operation for c in changes for w in c.operations if w.expected_epoch is None],
        OPERATIONS.insert,
        lean=(_inserted(OPERATIONS, usual.BEGUN),),
    ),
    _Part(
        "operations",
        _OPERATION_WRITES,
        lambda changes: [w for c in changes for w in c.operations if w.expected_epoch is not None],
        lambda first: _operation_update(_OPERATION_WRITES, first),
        guarded=True,
        lean=(_conclusion(),),
    ),
    _Part(
        "new_refunds",
        REFUNDS,
        lambda changes: [w.refund for c in changes for w in c.refunds if w.expected is None],
        REFUNDS.insert,
    ),
    _Part(
        "refunds",
        _REFUND_WRITES,
        lambda changes: [w for c in changes for w in c.refunds if w.expected is not None],
        lambda first: _REFUND_WRITES.update(
            first, ("merchant_id", "refund_id"), "t.status = r.expected_status", ("expected_status",)
        ),
        guarded=True,
    ),
    _Part(
        "new_disputes",
        DISPUTES,
        lambda changes: [w.dispute for c in changes for w in c.disputes if w.expected is None],
        DISPUTES.insert,
    ),
    _Part(
        "disputes",
        _DISPUTE_WRITES,
        lambda changes: [w for c in changes for w in c.disputes if w.expected is not None],
        _dispute_update,
        guarded=True,
    ),
    _Part(
        "audit",
        AUDIT,
        lambda changes: [a for c in changes for a in c.audit],
        AUDIT.insert,
        lean=(_inserted(AUDIT, {"created_at": Moment.NOW}),),
    ),
    _Part(
        "entries",
        ENTRIES,
        lambda changes: [Posted(c.payment, e) for c in changes for e in c.entries],
        ENTRIES.insert,
        lean=(_inserted(ENTRIES, {"created_at": Moment.NOW}),),
    ),
    _Part(
        "uses",
        USES,
        lambda changes: [use for c in changes for use in c.uses],
        lambda first: f"{USES.insert(first)} ON CONFLICT DO NOTHING",
    ),
    _Part(
        "events",
        EVENTS,
        lambda changes: [e for c in changes for e in c.events],
        EVENTS.insert,
        lean=(_inserted(EVENTS, {"created_at": Moment.NOW}),),
    ),
    _Part(
        "completions",
        _COMPLETIONS,
        lambda changes: [
            _Completion(c.payment.merchant_id, key)
            for c in changes
            for key in c.keys
            if isinstance(key, Complete)
        ],
        _complete_keys,
        guarded=True,
    ),
    _Part(
        "inbox",
        _INBOX_WRITES,
        lambda changes: [_InboxWrite(c.payment.merchant_id, write) for c in changes for write in c.inbox],
        _settle_inbox,
    ),
    _Part(
        "holds",
        _HOLDS,
        lambda changes: [
            _Held(c.payment.merchant_id, k) for c in changes for k in c.keys if isinstance(k, Hold)
        ],
        _hold_keys,
        guarded=True,
    ),
)


_NEW = _Part(
    "new_payments", PAYMENTS, list, PAYMENTS.insert, lean=(_inserted(PAYMENTS, usual.begun_payment()),)
)


async def apply(
    session: WriteSession, now: datetime, changes: Sequence[Change], new: Sequence[Change] = ()
) -> frozenset[PaymentId]:
    """Write everything that these changes hold, in one statement. Returns the payments of ``new`` that landed.

    ``now`` is the transaction's own time, as the database has told it.
    ``new`` are changes that create payments: of one whose order is taken already nothing is written at all.

    Every update restates what it expects to find: the payment's version, the operation's lease epoch and that it
    is not concluded, the refund's status, the key's missing answer. A guard that does not hold is a broken
    invariant: raises BrokenInvariant, and the transaction rolls back.
    """
    every = [*new, *changes]
    found = [(part, rows) for part in _PARTS if (rows := part.rows(every))]
    follows = any(_ends_and_begins(change) for change in changes)
    ended = [each for each in found if follows and each[0].name == "operations"]
    await _write(session, now, ended, (), changes)
    landed = await _write(session, now, [each for each in found if each not in ended], new, changes)
    await _release_keys(session, every)
    return landed


def _ends_and_begins(change: Change) -> bool:
    """Whether it ends one operation and begins another: a payment has one open charge at a time, in this order."""
    return len({write.expected_epoch is None for write in change.operations}) > 1


async def _write(
    session: WriteSession,
    now: datetime,
    found: Sequence[tuple[_Part, list[Any]]],
    new: Sequence[Change],
    changes: Sequence[Change],
) -> frozenset[PaymentId]:
    """These parts in one statement, whose guards must all hold, with the payments that are new."""
    created = sorted((c.payment for c in new), key=lambda p: (p.merchant_id, p.order_id))
    beginning = [(_NEW, created)] if created else []
    if not found and not beginning:
        return frozenset()
    shapes = [(part, part.shape(rows, now)) for part, rows in (*beginning, *found)]
    values = [
        column
        for (_, shape), (_, rows) in zip(shapes, (*beginning, *found), strict=True)
        for column in shape.recordset.values(rows)
    ]
    may_be_lost = frozenset(part.name for part, _ in found if part.rows(new)) if new else frozenset()
    sql = _statement(tuple((part.name, shape) for part, shape in shapes), may_be_lost)
    (written,) = await run(session, sql, *values)
    landed = frozenset(written.landed or ()) if created else frozenset()
    kept = [*(c for c in new if c.payment.payment_id in landed), *changes]
    for part, rows in found:
        if part.guarded:
            expected = len(rows) if len(landed) == len(created) else len(part.rows(kept))
            ensure(written[part.name] == expected, f"{part.name}: a guard refused a write")
    return landed


async def _release_keys(session: WriteSession, changes: Sequence[Change]) -> None:
    released = [
        (c.payment.merchant_id, key.name) for c in changes for key in c.keys if isinstance(key, Release)
    ]
    if released:
        await delete_keys(session, released)


async def delete_keys(session: WriteSession, keys: Sequence[tuple[int, Any]]) -> None:
    """Forget these (merchant, key name) pairs: nothing of what they were claimed for remains."""
    await run(
        session,
        "DELETE FROM idempotency_keys t USING unnest($1::bigint[], $2::text[], $3::text[]) AS r (m, s, k)"
        " WHERE t.merchant_id = r.m AND t.scope = r.s AND t.key = r.k AND t.response_status IS NULL",
        [merchant for merchant, _ in keys],
        [name.scope for _, name in keys],
        [name.key for _, name in keys],
    )


@lru_cache(maxsize=256)
def _statement(shapes: tuple[tuple[str, _Part | _Lean], ...], may_be_lost: frozenset[str]) -> str:
    """``may_be_lost`` are the parts with rows of new payments: they are written of those that have landed."""
    first, parts, shown = 1, [], []
    for name, shape in shapes:
        columns, sql = shape.recordset, shape.sql(first)
        if name == _NEW.name:
            parts += [
                f"{name} AS ({sql} {_LANDING})",
                f"lost AS ({_LOST.format(columns.place('payment_id', first))})",
            ]
            shown.append(f"(SELECT array_agg(payment_id) FROM {name}) AS landed")
        else:
            if name in may_be_lost:
                source = columns.source(first)
                sql = sql.replace(source, f"(SELECT * FROM {source} WHERE {_HAS_LANDED}) AS r")
            parts.append(f"{name} AS ({sql} RETURNING 1)")
            shown.append(f"(SELECT count(*) FROM {name}) AS {name}")
        first += len(columns.fields)
    return f"WITH {', '.join(parts)} SELECT {', '.join(shown)}"


_LANDING = "ON CONFLICT (merchant_id, order_id) DO NOTHING RETURNING payment_id"
_LOST = "SELECT unnest({}) AS payment_id EXCEPT SELECT payment_id FROM new_payments"
"""New payments whose order was taken: their numbers are nobody else's."""
_HAS_LANDED = "NOT EXISTS (SELECT FROM lost WHERE lost.payment_id = r.payment_id)"
