"""Units of work, written many at a time: claim keys, take or lock payments, decide, write, commit.

This is the one way in which payments change. A unit brings a pure ``decide`` that is given what was found under lock
and returns the change, or raises the refusal. A refused unit leaves nothing behind, its key included, and is not
its neighbours' failure.

Locks are taken in one order, so that batches cannot deadlock: keys, then what limits count, then new orders, then
payments, then operations, each sorted. Two units of one batch never change the same payment; the later one is handed
back to wait.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asyncpg import IntegrityConstraintViolationError

from eci_payments.domain.change import Change
from eci_payments.domain.errors import BrokenInvariant, Refusal, RefusalCode
from eci_payments.domain.ids import MerchantId, OperationId, OrderId, PaymentId
from eci_payments.domain.keys import KeyClaim, KeyName, KeyRecord
from eci_payments.domain.operation import OPEN
from eci_payments.domain.quick import quick
from eci_payments.store import restore_gate, rows
from eci_payments.store.apply import apply, delete_keys
from eci_payments.store.screening import Screened, Screening, load_screening
from eci_payments.store.session import ReadSession, WriteSession, run

if TYPE_CHECKING:
    from datetime import datetime

    from eci_payments.domain.audit import AuditEntry
    from eci_payments.domain.dispute import Dispute
    from eci_payments.domain.operation import Operation
    from eci_payments.domain.payment import Payment
    from eci_payments.domain.refund import Refund
    from eci_payments.domain.screening import Screen
    from eci_payments.store.ids import Ids


@quick
@dataclass(frozen=True, slots=True)
class Found:
    """What a decision is given: the payment under lock with all that belongs to it, and the database's time."""

    now: datetime
    ids: Ids
    payment: Payment | None
    operations: tuple[Operation, ...] = ()
    refunds: tuple[Refund, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    disputes: tuple[Dispute, ...] = ()

    def operation(self, operation_id: OperationId | None) -> Operation | None:
        """The payment's operation with this id."""
        for operation in self.operations:
            if operation.operation_id == operation_id:
                return operation
        return None


Decide = Callable[[Found], Change]
"""Pure; raises Refusal to change nothing."""


@quick
@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of work. Its target is an order (which may have no payment yet) or a payment.

    ``operation_id`` is taken beforehand by units that begin an operation, so that a claimed key names it.
    ``follows`` is the change that made the payment, where the unit goes on with it: as long as nobody else has written
    to the payment or its operation since, which the guards of every write tell, nothing has to be read again.
    ``actor`` is who it is done for: actors take turns in a lane.
    ``screen`` is what a charge is held against when it has been decided, where its merchant limits anything.
    """

    merchant_id: MerchantId
    decide: Decide
    order_id: OrderId | None = None
    payment_id: PaymentId | None = None
    claim: KeyClaim | None = None
    operation_id: OperationId | None = None
    follows: Change | None = None
    screen: Screen | None = None
    actor: str = ""
    restores: bool = False
    """Whether it writes again what a restore has lost, and may do so while nothing else begins."""

    @property
    def begins(self) -> bool:
        """Whether it begins something, rather than going on with what was begun."""
        return (self.operation_id or self.order_id) is not None and not self.restores


@dataclass(frozen=True, slots=True)
class KeyTaken:
    """The unit's key was claimed before; nothing was done."""

    record: KeyRecord


@dataclass(frozen=True, slots=True)
class Deferred:
    """A neighbour in the batch has the same payment: to be tried in the next batch."""


Result = Change | Refusal | KeyTaken | Deferred


class Overtaken(Exception):
    """Somebody else has written to what a unit follows: nothing of the batch is, and it has to be read."""


@dataclass(slots=True)
class _Batch:
    session: WriteSession
    ids: Ids
    units: Sequence[Unit]
    now: datetime
    key_window_h: int
    results: dict[int, Result] = field(default_factory=dict)
    claimed: list[tuple[int, Key]] = field(default_factory=list)
    screening: Screening = field(default_factory=Screening)
    screened: dict[int, Screened] = field(default_factory=dict)
    """Charges that a limit refuses, of orders not seen yet; what their payment says goes before, if there is one."""

    def waiting(self) -> list[int]:
        return [i for i in range(len(self.units)) if i not in self.results]

    def decide(self, index: int, found: Found) -> Change | None:
        unit = self.units[index]
        try:
            change = unit.decide(found)
            if unit.screen is not None:
                change = self.screening.admitted(index, unit.screen, change)
        except Screened as screened:
            if found.payment is None:
                self.screened[index] = screened
            else:
                self.refuse_screened(index, screened)
            return None
        except Refusal as refusal:
            self.results[index] = refusal
            return None
        self.results[index] = change
        return change

    def refuse_screened(self, index: int, screened: Screened) -> None:
        self.results[index] = screened
        self.screening.note(screened)


async def write_units(
    session: WriteSession, ids: Ids, units: Sequence[Unit], key_window_h: int, *, read_all: bool = False
) -> list[Result]:
    """Do all of these in this transaction; one result each, in order. The caller commits.

    A key whose answer is older than ``key_window_h`` hours is free again, unless its operation is still open.
    Raises Overtaken when a unit decided by what it follows and that was no longer so: the caller rolls back and comes
    again with ``read_all``, by which everything is read under lock first.
    """
    claims, repeats = _claims(units)
    now, is_closed, won = await _claim(session, units, claims)
    batch = _Batch(session, ids, units, now, key_window_h, dict.fromkeys(repeats, Deferred()))
    batch.claimed = [(i, key) for key, i in claims.items() if key in won]
    if len(won) < len(claims):
        await _explain_lost(batch, {key: i for key, i in claims.items() if key not in won})
    if is_closed:
        _refuse_beginnings(batch)
    batch.screening = await load_screening(
        session, [s for i in batch.waiting() if (s := batch.units[i].screen) is not None]
    )
    hopeful, behind = _hopeful(batch)
    following = {} if read_all else _follow(batch)
    try:
        new = [change for _, change in hopeful.values()]
        landed = await apply(session, now, [following[place] for place in sorted(following)], new)
        _keep_landed(batch, hopeful, behind, landed)
        await apply(session, now, await _change(batch, following))
    except (BrokenInvariant, IntegrityConstraintViolationError) as refused:
        if following:  # a guard did not hold, or a number was taken by now
            raise Overtaken from refused
        raise
    await _forget_refused(batch)
    await batch.screening.write_trail(session)
    return [batch.results[i] for i in range(len(units))]


def _refuse_beginnings(batch: _Batch) -> None:
    for i in batch.waiting():
        if batch.units[i].begins:
            batch.results[i] = Refusal(
                RefusalCode.RESTORE_IN_PROGRESS,
                "The database was restored; the gateways are asked first what happened since.",
                retry_after_s=restore_gate.RETRY_AFTER_S,
            )


Key = tuple[MerchantId, str, str]
"""A merchant's key: its scope and its name."""


def _claims(units: Sequence[Unit]) -> tuple[dict[Key, int], list[int]]:
    """The keys that are claimed, in order, each by its first unit; and the units that come behind one."""
    claims: dict[Key, int] = {}
    repeats: list[int] = []
    for i, unit in enumerate(units):
        if unit.claim is not None and claims.setdefault(_key_of(unit.merchant_id, unit.claim.name), i) != i:
            repeats.append(i)
    return dict(sorted(claims.items())), repeats


def _key_of(merchant_id: MerchantId, name: KeyName) -> Key:
    return (merchant_id, name.scope, name.key)


async def _claim(
    session: WriteSession, units: Sequence[Unit], claims: dict[Key, int]
) -> tuple[datetime, bool, set[Key]]:
    """Claim these keys: the database's time, whether nothing may begin, and the keys that were free."""
    claimants = [units[i] for i in claims.values()]
    fingerprints = [unit.claim.fingerprint for unit in claimants if unit.claim]
    rows = await run(session, _CLAIM, *_columns(claims), fingerprints, [u.operation_id for u in claimants])
    won = {(MerchantId(row[2]), row[3], row[4]) for row in rows if row[2] is not None}
    return rows[0][0], rows[0][1], won


async def _explain_lost(batch: _Batch, lost: dict[Key, int]) -> None:
    await run(batch.session, _FREE_EXPIRED, *_columns(lost), batch.key_window_h)
    names = [(merchant_id, KeyName(scope, key)) for merchant_id, scope, key in lost]
    taken = {_key_of(r.merchant_id, r.name): KeyTaken(r) for r in await load_keys(batch.session, names)}
    for i, unit in enumerate(batch.units):
        if unit.claim is not None and (key := _key_of(unit.merchant_id, unit.claim.name)) in taken:
            batch.results[i] = taken[key]
    for key, i in lost.items():  # expired, or released by a neighbour since the claim: for the next batch
        if key not in taken:
            batch.results[i] = Deferred()


_OPEN = ", ".join(f"'{state}'" for state in sorted(OPEN))
_FREE_EXPIRED = f"""
DELETE FROM idempotency_keys t USING unnest($1::bigint[], $2::text[], $3::text[]) AS r (m, s, k)
WHERE t.merchant_id = r.m AND t.scope = r.s AND t.key = r.k
  AND t.completed_at < now() - make_interval(hours => $4)
  AND NOT EXISTS (
      SELECT FROM operations o
      WHERE o.merchant_id = t.merchant_id AND o.operation_id = t.operation_id AND o.state IN ({_OPEN})
  )
"""


_CLAIM = f"""
WITH claimed AS (
    INSERT INTO idempotency_keys (merchant_id, scope, key, fingerprint, operation_id)
    SELECT r.m, r.s, r.k, r.f, r.o
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[]) AS r (m, s, k, f, o)
    ON CONFLICT DO NOTHING RETURNING merchant_id, scope, key
)
SELECT now(), {restore_gate.IS_CLOSED}, claimed.* FROM (VALUES (1)) AS one LEFT JOIN claimed ON true
"""
"""One row at least, without a key where none was free."""


async def load_keys(
    session: WriteSession | ReadSession, keys: Sequence[tuple[MerchantId, KeyName]]
) -> list[KeyRecord]:
    """The records of these keys, where they exist."""
    found = await run(session, _LOAD_KEYS, *_columns([_key_of(*key) for key in keys]))
    return [
        KeyRecord(
            merchant_id=row.merchant_id,
            name=KeyName(row.scope, row.key),
            fingerprint=row.fingerprint,
            operation_id=row.operation_id,
            payment_id=row.payment_id,
            status=row.response_status,
            body=row.response_body,
            created_at=row.created_at,
        )
        for row in found
    ]


_LOAD_KEYS = """
SELECT t.merchant_id, t.scope, t.key, t.fingerprint, t.operation_id, t.payment_id, t.response_status, t.response_body,
       t.created_at
FROM idempotency_keys t JOIN unnest($1::bigint[], $2::text[], $3::text[]) AS r (m, s, k)
  ON t.merchant_id = r.m AND t.scope = r.s AND t.key = r.k
"""


def _columns(keys: Iterable[Key]) -> list[list[Any]]:
    """One list per column."""
    return [list(column) for column in zip(*keys, strict=True)] or [[], [], []]


Order = tuple[int, str]
"""A merchant's order."""


def _hopeful(batch: _Batch) -> tuple[dict[Order, tuple[int, Change]], list[tuple[int, Order]]]:
    """Orders seen for the first time, perhaps: decide on nothing. And the units that come behind one of these."""
    nothing = Found(batch.now, batch.ids, None)
    hopeful: dict[Order, tuple[int, Change]] = {}
    behind: list[tuple[int, Order]] = []
    for i in batch.waiting():
        place = _place(batch.units[i])
        if place is None:
            continue
        if place in hopeful:
            behind.append((i, place))
        elif (change := batch.decide(i, nothing)) is not None:
            hopeful[place] = (i, change)
    return hopeful, behind


def _keep_landed(
    batch: _Batch,
    hopeful: dict[Order, tuple[int, Change]],
    behind: list[tuple[int, Order]],
    landed: frozenset[PaymentId],
) -> None:
    """Whose order was taken is decided on again, by what is found there; who is behind a new one waits for it."""
    taken = {place for place, (_, change) in hopeful.items() if change.payment.payment_id not in landed}
    for place in taken:
        i, _ = hopeful[place]
        del batch.results[i]
        batch.screening.take_back(i)
    behind += [(i, there) for i in batch.screened if (there := _place(batch.units[i])) is not None]
    batch.results.update({i: Deferred() for i, place in behind if place in hopeful and place not in taken})


def _place(unit: Unit) -> Order | None:
    return None if unit.order_id is None else (unit.merchant_id, unit.order_id)


def _follow(batch: _Batch) -> dict[tuple[int, int], Change]:
    """The changes of units that go on with what they follow, by payment: decided without a look at the database.

    Only such as name, in the write of an operation, what they expect to find; whatever else is left to be read.
    """
    changes: dict[tuple[int, int], Change] = {}
    for i in batch.waiting():
        unit = batch.units[i]
        if unit.follows is None or (unit.merchant_id, unit.follows.payment.payment_id) in changes:
            continue
        change = batch.decide(i, _left_by(unit.follows, batch))
        if change is not None and any(w.expected_epoch is not None for w in change.operations):
            changes[unit.merchant_id, unit.follows.payment.payment_id] = change
        else:
            del batch.results[i]
    return changes


def _left_by(made: Change, batch: _Batch) -> Found:
    """What a change that made a payment left, as it would be found."""
    return Found(
        max(batch.now, made.payment.updated_at),
        batch.ids,
        made.payment,
        tuple([write.operation for write in made.operations]),
        tuple([write.refund for write in made.refunds]),
        made.audit,
    )


async def _change(batch: _Batch, following: dict[tuple[int, int], Change]) -> list[Change]:
    """Payments that exist: lock them in order, load what belongs to them, decide.

    A payment is changed once per batch, ``following`` included. Whoever is refused before that leaves it to the next
    in the same batch, so that many who come for one payment in vain are answered together.
    """
    places = await _places(batch)
    found = await lock_payments(batch.session, batch.ids, list(dict.fromkeys(places.values())), batch.now)
    changes = dict(following)
    for i in batch.waiting():
        there = places.get(i)
        if there is None and i in batch.screened:
            batch.refuse_screened(i, batch.screened[i])
        elif there is None or there not in found:
            batch.results[i] = Refusal(RefusalCode.NOT_FOUND, "There is no such payment.")
        elif there in changes:
            batch.results[i] = Deferred()
        elif (change := batch.decide(i, found[there])) is not None:
            changes[there] = change
    return [changes[place] for place in sorted(changes) if place not in following]


async def _places(batch: _Batch) -> dict[int, tuple[int, int]]:
    """The payment of each waiting unit, where there is one."""
    places: dict[int, tuple[int, int]] = {}
    by_order: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for i in batch.waiting():
        unit = batch.units[i]
        if unit.payment_id is not None:
            places[i] = (unit.merchant_id, unit.payment_id)
        elif unit.order_id is not None:
            by_order[unit.merchant_id, unit.order_id].append(i)
    if by_order:
        pairs = sorted(by_order)
        for row in await run(batch.session, _FIND_ORDERS, [m for m, _ in pairs], [o for _, o in pairs]):
            for i in by_order[row.merchant_id, row.order_id]:
                places[i] = (row.merchant_id, row.payment_id)
    return places


_FIND_ORDERS = """
SELECT t.merchant_id, t.order_id, t.payment_id FROM payments t
JOIN unnest($1::bigint[], $2::text[]) AS r (m, o) ON t.merchant_id = r.m AND t.order_id = r.o
"""

_WANTED = "JOIN unnest($1::bigint[], $2::bigint[]) AS w (m, p) ON t.merchant_id = w.m AND t.payment_id = w.p"


def _select(recordset: Any, order: str, lock: str = "") -> str:
    columns = ", ".join(f"t.{f.name}" for f in recordset.fields)
    return f"SELECT {columns} FROM {recordset.table} t {_WANTED} ORDER BY {order} {lock}"


_LOCK_PAYMENTS = _select(rows.PAYMENTS, "t.merchant_id, t.payment_id", "FOR UPDATE OF t")
_LOCK_OPERATIONS = _select(rows.OPERATIONS, "t.merchant_id, t.operation_id", "FOR UPDATE OF t")
_LOAD_REFUNDS = _select(rows.REFUNDS, "t.merchant_id, t.refund_id")
_LOAD_DISPUTES = _select(rows.DISPUTES, "t.merchant_id, t.created_at, t.reference")
_LOAD_AUDIT = _select(rows.AUDIT, "t.merchant_id, t.version, t.transaction_log_id")


async def lock_payments(
    session: WriteSession, ids: Ids, places: Sequence[tuple[int, int]], now: datetime
) -> dict[tuple[int, int], Found]:
    """Lock these (merchant, payment) pairs, in order, and load what belongs to each as it is after the wait."""
    if not places:
        return {}
    merchants, payment_ids = [m for m, _ in places], [p for _, p in places]
    payments = [rows.payment(row) for row in await run(session, _LOCK_PAYMENTS, merchants, payment_ids)]
    operations = by_payment(
        rows.operation(r) for r in await run(session, _LOCK_OPERATIONS, merchants, payment_ids)
    )
    refunds = by_payment(rows.refund(r) for r in await run(session, _LOAD_REFUNDS, merchants, payment_ids))
    audit = by_payment(rows.audit_entry(r) for r in await run(session, _LOAD_AUDIT, merchants, payment_ids))
    disputes = by_payment(await load_disputes(session, payments))
    return {
        (p.merchant_id, p.payment_id): Found(
            max(now, p.updated_at),
            ids,
            p,
            operations(p),
            refunds(p),
            audit(p),
            disputes(p),
        )
        for p in payments
    }


async def load_disputes(session: WriteSession | ReadSession, payments: Sequence[Payment]) -> list[Dispute]:
    """The disputes of these payments; few have any, and then nothing is asked."""
    disputed = [p for p in payments if p.dispute_count]
    if not disputed:
        return []
    places = [p.merchant_id for p in disputed], [p.payment_id for p in disputed]
    return [rows.dispute(row) for row in await run(session, _LOAD_DISPUTES, *places)]


def by_payment(things: Iterable[Any]) -> Callable[[Payment], tuple[Any, ...]]:
    """What belongs to a payment, in the order of ``things``."""
    found: defaultdict[tuple[int, int], list[Any]] = defaultdict(list)
    for each in things:
        found[each.merchant_id, each.payment_id].append(each)
    return lambda payment: tuple(found.get((payment.merchant_id, payment.payment_id), ()))


async def _forget_refused(batch: _Batch) -> None:
    refused = [
        (merchant_id, KeyName(scope, key))
        for i, (merchant_id, scope, key) in batch.claimed
        if isinstance(batch.results[i], Refusal | Deferred)
    ]
    if refused:
        await delete_keys(batch.session, refused)
