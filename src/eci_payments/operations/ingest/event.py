"""One event of the inbox, applied: find what it is about, decide under lock, write both in one commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from eci_payments.domain.inbox import InboxState, InboxWrite
from eci_payments.gateways.hooks import DisputeTold, OperationTold, RefundTold, Told, Unread, told_of
from eci_payments.operations.commands import Caller
from eci_payments.operations.ingest.dispute import dispute_told
from eci_payments.operations.ingest.outcome import operation_told
from eci_payments.operations.ingest.refund import refund_told
from eci_payments.operations.ingest.verdict import Case, Verdict, waiting
from eci_payments.store.inbox import InboxRow, Target, claim_inbox, find_target, settle_inbox
from eci_payments.store.session import run
from eci_payments.store.units import Unit

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.operation import Operation
    from eci_payments.operations.engine import Engine
    from eci_payments.store.session import WriteSession
    from eci_payments.store.units import Found

NOBODYS = "no operation of ours has this name"


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event that is ours to apply: what it tells (None: it cannot be read), and of which operation, if any."""

    row: InboxRow
    told: Told | None
    target: Target | None
    now: datetime


async def claim_events(engine: Engine, *, limit: int, lease_s: float) -> list[Claimed]:
    """Events that are due, each claimed, with what it is about; one commit."""
    async with engine.database.write() as session:
        rows = await claim_inbox(session, limit=limit, lease_s=lease_s)
        ((now,),) = await run(session, "SELECT now()")
        return [await _found(session, row, now) for row in rows]


async def _found(session: WriteSession, row: InboxRow, now: datetime) -> Claimed:
    try:
        told = told_of(row.told)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError):
        return Claimed(row, None, None, now)
    if isinstance(told, Unread):
        return Claimed(row, told, None, now)
    keys = [key for key in (told.about.key, told.about.charge_key) if key]
    target = await find_target(session, row.merchant_id, row.account, keys, told.about.charges)
    return Claimed(row, told, target, now)


async def ingest(engine: Engine, claimed: Claimed) -> InboxState:
    """Apply a claimed event; the state that it is left in. Raises Refusal, and DatabaseAway when it is away."""
    row, told, target = claimed.row, claimed.told, claimed.target
    if told is None:
        return await _settled(
            engine, row, Verdict(InboxState.PARKED, "of another release; it cannot be read")
        )
    if isinstance(told, Unread):
        return await _settled(engine, row, Verdict(InboxState.IGNORED, told.why))
    if target is None:
        return await _settled(engine, row, waiting(row, claimed.now, NOBODYS))
    return await _applied(engine, row, told, target)


async def _settled(engine: Engine, row: InboxRow, verdict: Verdict) -> InboxState:
    """Where there is no payment, the event's row alone is written."""
    write = InboxWrite(
        inbox_id=row.inbox_id,
        expected_epoch=row.lease_epoch,
        state=verdict.state,
        why=verdict.why,
        due_at=verdict.due_at,
    )
    async with engine.database.write() as session:
        await settle_inbox(session, row.merchant_id, write)
    return verdict.state


async def _applied(engine: Engine, row: InboxRow, told: Told, target: Target) -> InboxState:
    verdicts: list[Verdict] = []

    def decide(found: Found) -> Change:
        case = Case(found, _caller(row, found.operation(target.operation_id)), row, engine.rules)
        verdicts.append(_verdict(case, told, target))
        return case.written(verdicts[-1])

    await engine.lane.submit(Unit(row.merchant_id, decide, payment_id=target.payment_id))
    return verdicts[-1].state


def _caller(row: InboxRow, operation: Operation | None) -> Caller:
    """The gateway, in the trace of the request that it tells of."""
    return Caller(
        merchant_id=row.merchant_id,
        actor=f"webhook:{row.account}",
        correlation_id=operation.correlation_id if operation else None,
        traceparent=operation.traceparent if operation else None,
        origin=row.event_id,
    )


def _verdict(case: Case, told: Told, target: Target) -> Verdict:
    match told:
        case OperationTold():
            return operation_told(case, told, target.operation_id)
        case RefundTold():
            return refund_told(case, told, target)
        case DisputeTold():
            return dispute_told(case, told, target)
        case Unread():
            return case.ignored(told.why)
