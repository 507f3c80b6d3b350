"""Defects that are planted to see whether the auditor finds them: each is one thing that the service must not do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from eci_payments.delivery import peers
from eci_payments.domain.ids import GatewayKey
from eci_payments.domain.ledger import Movement
from eci_payments.domain.payment import CAPTURED, PaymentStatus
from eci_payments.gateways.contract import Declined, Unknown
from eci_payments.operations import attempt, conclude, late, steps, waiting
from eci_payments.operations.draft import Draft
from eci_payments.operations.service import Payments
from eci_payments.recovery.operations import OperationRecovery

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


def _unknown_is_failed() -> AbstractContextManager[Any]:
    right = conclude._as_learned

    def wrong(operation: Any, outcome: Any, source: Any) -> Any:
        gave_up = Declined("timed_out", "No answer came in time.", retryable=True)
        return right(operation, gave_up if isinstance(outcome, Unknown) else outcome, source)

    return patch.object(conclude, "_as_learned", wrong)


def _an_event_is_dropped() -> AbstractContextManager[Any]:
    right = Draft.tell

    def wrong(self: Draft, *said: Any, **more: Any) -> None:
        if self.payment.status is not PaymentStatus.CANCELLED:
            right(self, *said, **more)

    return patch.object(Draft, "tell", wrong)


def _a_refund_is_doubled() -> AbstractContextManager[Any]:
    """Sent again by recovery under another key."""
    right = steps.Inquire._call

    def wrong(self: steps.Inquire) -> steps.Call:
        call = right(self)
        return replace(call, call=replace(call.call, key=GatewayKey(f"{call.call.key}-again")))

    return patch.object(steps.Inquire, "_call", wrong)


def _keys_of_refunds_are_ignored() -> AbstractContextManager[Any]:
    right = Payments.refund

    async def wrong(self: Payments, caller: Any, command: Any) -> Any:
        again = replace(
            caller.claim, name=replace(caller.claim.name, key=f"{caller.claim.name.key}-{id(caller)}")
        )
        return await right(self, replace(caller, claim=again), command)

    return patch.object(Payments, "refund", wrong)


def _stored_answers_are_made_anew() -> AbstractContextManager[Any]:
    async def wrong(engine: Any, record: Any) -> Any:
        return await waiting._as_it_stands(
            engine,
            200,
            (await waiting._operation(engine, record.merchant_id, record.operation_id))[1],
        )

    return patch.object(waiting, "first_result", wrong)


def _late_money_is_overlooked() -> AbstractContextManager[Any]:
    return patch.object(late, "_contradicts", lambda *_args: False)


def _the_ledger_misses_refunds() -> AbstractContextManager[Any]:
    right = Draft.post

    def wrong(self: Draft, movement: Movement, *said: Any, **more: Any) -> None:
        if movement is not Movement.REFUNDED:
            right(self, movement, *said, **more)

    return patch.object(Draft, "post", wrong)


def _an_order_is_charged_twice() -> AbstractContextManager[Any]:
    right = attempt.refuse_taken

    def wrong(payment: Any, command: Any) -> None:
        if payment.status in CAPTURED:
            right(payment, command)

    return patch.object(attempt, "refuse_taken", wrong)


def _stock_is_released_unguarded() -> AbstractContextManager[Any]:
    return patch.object(peers, "GUARDED", frozenset())


def _recovery_forgets() -> AbstractContextManager[Any]:
    async def wrong(_self: OperationRecovery) -> int:
        await asyncio.sleep(1.0)
        return 0

    return patch.object(OperationRecovery, "run_once", wrong)


PLANTED: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "an unknown outcome is taken for failed": _unknown_is_failed,
    "an event is dropped": _an_event_is_dropped,
    "a refund is sent again under another key": _a_refund_is_doubled,
    "keys of refunds are ignored": _keys_of_refunds_are_ignored,
    "stored answers are made anew": _stored_answers_are_made_anew,
    "late money is overlooked": _late_money_is_overlooked,
    "the ledger misses refunds": _the_ledger_misses_refunds,
    "an order is charged while its outcome is unknown": _an_order_is_charged_twice,
    "stock is released although the order is paid": _stock_is_released_unguarded,
    "recovery forgets what stopped half-way": _recovery_forgets,
}
