"""Waiting for a result that somebody else is making: by reading only, and never for long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from eci_payments.domain.change import Answer
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.operation import MOVES_MONEY, TAKES_MONEY, OperationKind, OperationState
from eci_payments.domain.payment import Failure
from eci_payments.domain.refund import RefundStatus
from eci_payments.operations.answers import payment_answer, problem_answer
from eci_payments.operations.refund import AWAITED_RETRY_S
from eci_payments.store.reads import find_operation, find_payment
from eci_payments.store.units import load_keys

if TYPE_CHECKING:
    from eci_payments.domain.ids import MerchantId, OperationId
    from eci_payments.domain.keys import KeyName, KeyRecord
    from eci_payments.domain.operation import Operation
    from eci_payments.domain.payment import Payment
    from eci_payments.operations.engine import Engine

FIRST_POLL_S, LAST_POLL_S = 0.02, 0.2
"""A charge at a quick gateway takes tens of milliseconds; beyond that a reader five times a second is enough."""
ACCEPTED, OK = 202, 200


async def first_result(engine: Engine, record: KeyRecord) -> Answer | None:
    """The answer of the request that had the key first; None when the key was given back meanwhile.

    Raises Refusal KEY_IN_FLIGHT when it is still running after the wait.
    """
    deadline = asyncio.get_running_loop().time() + engine.rules.key_wait_s
    poll_s = FIRST_POLL_S
    current: KeyRecord | None = record
    while current is not None:
        answer = _stored(current) or await _held(engine, current) or await _unknown(engine, current)
        if answer is not None:
            return answer
        if asyncio.get_running_loop().time() > deadline:
            return await _last_look(engine, current)
        await asyncio.sleep(poll_s)
        poll_s = min(poll_s * 2, LAST_POLL_S)
        current = await load_key(engine, current.merchant_id, current.name)
    return None


async def _last_look(engine: Engine, record: KeyRecord) -> Answer | None:
    """The first answer, if it was made while the operation was looked at. Raises Refusal KEY_IN_FLIGHT.

    Nothing is read after this: whoever has heard the answer already is not contradicted.
    """
    current = await load_key(engine, record.merchant_id, record.name)
    if current is None:
        return None
    answer = _stored(current)
    if answer is None:
        raise Refusal(
            RefusalCode.KEY_IN_FLIGHT,
            "The first request with this Idempotency-Key is still running; repeat it after a moment.",
            retry_after_s=2,
        )
    return answer


async def result_of_another(engine: Engine, operation: Operation) -> Answer:
    """What a caller is told whose operation somebody else has taken over: their stored answer, or how it stands."""
    record = operation.key and await load_key(engine, operation.merchant_id, operation.key)
    stored = record and _stored(record)
    if stored:
        return stored
    found, payment = await _operation(engine, operation.merchant_id, operation.operation_id)
    problem = _problem_of(found)
    if problem is not None:
        return _refused(engine, found, problem)
    return await _as_it_stands(engine, ACCEPTED if found.is_open else OK, payment)


def _problem_of(operation: Operation) -> str | None:
    """The problem that an operation without an effect was answered with; None where the payment is the answer."""
    if operation.state is OperationState.NOT_SENT:
        return "gateway_unreachable"
    if operation.kind is OperationKind.CANCEL_ACTION:
        return "cancel_refused" if operation.state is OperationState.DECLINED else None
    refused = {OperationState.DECLINED}
    if operation.kind in MOVES_MONEY:
        refused.add(OperationState.CANCELLED)
    return "gateway_declined" if operation.kind not in TAKES_MONEY and operation.state in refused else None


def _refused(engine: Engine, operation: Operation, problem: str) -> Answer:
    """What the conclusion answered, told from the operation's own record: for callers without a key."""
    record = operation.outcome or {}
    failure = Failure(
        record.get("code", problem),
        record.get("message", "Nothing moved."),
        record.get("retryable", operation.state is OperationState.NOT_SENT),
    )
    return problem_answer(
        problem,
        failure.message,
        base=engine.rules.problem_base,
        correlation_id=operation.correlation_id,
        payment_id=operation.payment_id,
        failure=failure,
    )


def _stored(record: KeyRecord) -> Answer | None:
    if record.status is None or record.body is None:
        return None
    return Answer(record.status, record.body, record.payment_id, replayed=True)


async def _held(engine: Engine, record: KeyRecord) -> Answer | None:
    """While a person has to decide first, repeats of the key get the state of the moment."""
    if record.payment_id is None:
        return None
    async with engine.database.read() as session:
        view = await find_payment(session, record.merchant_id, "payment_id", record.payment_id)
    awaits = view is not None and any(
        refund.key == record.name and refund.status is RefundStatus.AWAITING_APPROVAL
        for refund in view.refunds
    )
    if view is None or not awaits:
        return None
    answer = payment_answer(ACCEPTED, view.payment, view.refunds, view.audit, view.disputes)
    return replace(answer, retry_after_s=AWAITED_RETRY_S)


async def _unknown(engine: Engine, record: KeyRecord) -> Answer | None:
    """While the outcome is unknown, repeats of the key get the state of the moment."""
    if record.operation_id is None:
        return None
    operation, payment = await _operation(engine, record.merchant_id, record.operation_id)
    if operation.state is not OperationState.UNKNOWN:
        return None
    return await _as_it_stands(engine, ACCEPTED, payment)


async def load_key(engine: Engine, merchant_id: MerchantId, name: KeyName) -> KeyRecord | None:
    """The record of a key, if it was ever claimed."""
    async with engine.database.read() as session:
        found = await load_keys(session, [(merchant_id, name)])
    return found[0] if found else None


async def _operation(
    engine: Engine, merchant_id: MerchantId, operation_id: OperationId
) -> tuple[Operation, Payment]:
    async with engine.database.read() as session:
        found = await find_operation(session, merchant_id, operation_id)
    if found is None:
        raise Refusal(RefusalCode.NOT_FOUND, "There is no such operation.")
    return found


async def _as_it_stands(engine: Engine, status: int, payment: Payment) -> Answer:
    async with engine.database.read() as session:
        view = await find_payment(session, payment.merchant_id, "payment_id", payment.payment_id)
    if view is None:
        raise Refusal(RefusalCode.NOT_FOUND, "There is no such payment.")
    return payment_answer(status, view.payment, view.refunds, view.audit, view.disputes)
