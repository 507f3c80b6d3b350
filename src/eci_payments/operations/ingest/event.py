"""One event of the inbox, applied: find what it is about, decide under lock, write both in one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from eci_payments.domain.inbox import InboxState, InboxWrite
from eci_payments.gateways.hooks import DisputeTold, OperationTold, RefundTold, Unread, told_of
from eci_payments.operations.commands import Caller
from eci_payments.operations.ingest.outcome import operation_told
from eci_payments.operations.ingest.refund import refund_told
from eci_payments.operations.ingest.verdict import Case, Verdict, waiting
from eci_payments.store.inbox import find_target, settle_inbox
from eci_payments.store.session import run
from eci_payments.store.units import Unit

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.operation import Operation
    from eci_payments.gateways.hooks import Told
    from eci_payments.operations.engine import Engine
    from eci_payments.store.inbox import InboxRow, Target
    from eci_payments.store.units import Found

NOBODYS = "no operation of ours has this name"


async def ingest(engine: Engine, row: InboxRow) -> InboxState:
    """Apply a claimed event; the state that it is left in. Raises Refusal, and DatabaseAway when it is away."""
    try:
        told = told_of(row.told)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as wrong:
        return await _settled(
            engine, row, Verdict(InboxState.PARKED, f"cannot be read: {type(wrong).__name__}")
        )
    if isinstance(told, Unread):
        return await _settled(engine, row, Verdict(InboxState.IGNORED, told.why))
    async with engine.database.read() as session:
        about = told.about
        target = await find_target(session, row.merchant_id, row.account, about.key, about.charges)
        ((now,),) = await run(session, "SELECT now()")
    if target is None:
        return await _settled(engine, row, waiting(row, now, NOBODYS))
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
            return case.parked("a dispute")
        case Unread():
            return case.ignored(told.why)
