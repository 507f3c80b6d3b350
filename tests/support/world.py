"""A small world of payments, written by the real operations with the gateway's part spoken by the test."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eci_payments.domain.dispute import DisputeState
from eci_payments.domain.errors import Refusal
from eci_payments.domain.ids import SINGLE_SHOP, OperationId, OrderId, PaymentId, RefundId, UserId
from eci_payments.domain.keys import KeyClaim, KeyName
from eci_payments.domain.limits import NO_LIMITS, Limit, LimitKind, Limits, limits
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.contract import Approved, Capabilities
from eci_payments.gateways.hooks import DisputeTold, Subject, told_record
from eci_payments.operations.approval import approve
from eci_payments.operations.cancel import begin_cancel
from eci_payments.operations.capture import begin_capture
from eci_payments.operations.charge import begin_charge, register
from eci_payments.operations.commands import (
    Caller,
    Capture,
    ChangeStatus,
    Charge,
    DecideApproval,
    RefundPayment,
)
from eci_payments.operations.conclude import Source, conclude
from eci_payments.operations.ingest.dispute import dispute_told
from eci_payments.operations.ingest.verdict import Case
from eci_payments.operations.refund import begin_refund
from eci_payments.operations.rules import Rules
from eci_payments.operations.status import change_status
from eci_payments.store.ids import Ids
from eci_payments.store.inbox import Incoming, Target, claim_inbox, take_in
from eci_payments.store.session import run
from eci_payments.store.units import Unit, write_units

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.gateways.contract import Outcome
    from eci_payments.store.session import Database
    from eci_payments.store.units import Decide

GATEWAY = "simulator"
ABLE = Capabilities(frozenset(PaymentMethod), None, multiple_capture=True)
WINDOW_H = 24
APPROVED_FROM_ONE = limits([Limit(kind=LimitKind.REFUND_APPROVAL, currency="INR", amount_minor=100)])


@dataclass(slots=True)
class World:
    """Writes payments into one database; every operation carries an idempotency key."""

    database: Database
    ids: Ids
    rules: Rules = field(default_factory=Rules)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def charge(
        self,
        outcome: Outcome | None = None,
        *,
        order: str | None = None,
        amount_minor: int = 14950,
        **fields: object,
    ) -> PaymentId:
        """A charge of an order; None leaves it as it is while the gateway is being called."""
        number = next(self.numbers)
        command = Charge(
            order_id=OrderId(order or f"order-{number}"),
            user_id=UserId("7"),
            amount_minor=amount_minor,
            **({"currency": "INR", "method": PaymentMethod.UPI} | fields),  # type: ignore[arg-type] # fields of the command
        )
        operation = await self.ids.new_operation()
        caller = self.caller("POST /v1/payments/charge")
        change = await self.write(
            lambda found: begin_charge(found, caller, command, operation, GATEWAY, self.rules),
            caller,
            operation=operation,
            order=command.order_id,
        )
        await self.answer(change.payment.payment_id, operation, outcome)
        return change.payment.payment_id

    async def create(self, method: PaymentMethod = PaymentMethod.UPI) -> PaymentId:
        """A payment that is not charged yet."""
        caller = self.caller("POST /v1/payments")
        command = Charge(
            order_id=OrderId(f"order-{next(self.numbers)}"),
            user_id=UserId("7"),
            amount_minor=14950,
            currency="INR",
            method=method,
        )
        change = await self.write(
            lambda found: register(found, caller, command, self.rules), caller, order=command.order_id
        )
        return change.payment.payment_id

    async def capture(
        self, payment: PaymentId, amount: str | None, outcome: Outcome | None = None, *, final: bool = True
    ) -> OperationId:
        """A capture of an authorization."""
        command = Capture(payment_id=payment, amount=amount, final=final)
        return await self.part(
            payment,
            outcome,
            lambda found, caller, operation: begin_capture(
                found, caller, command, operation, ABLE, self.rules
            ),
        )

    async def refund(
        self,
        payment: PaymentId,
        amount: str | None,
        outcome: Outcome | None = None,
        limits: Limits = NO_LIMITS,
    ) -> OperationId:
        """A refund of what was captured."""
        command = RefundPayment(payment_id=payment, amount=amount, reason="Customer asked")
        return await self.part(
            payment,
            outcome,
            lambda found, caller, operation: begin_refund(
                found, caller, command, operation, self.rules, limits
            ),
        )

    async def approve(self, payment: PaymentId, outcome: Outcome | None = None) -> OperationId:
        """Somebody else approves the payment's first refund."""
        async with self.database.read() as session:
            (row,) = await run(
                session, "SELECT min(refund_id) AS id FROM refunds WHERE payment_id = $1", payment
            )
        command = DecideApproval(approval_id=RefundId(row.id), approves=True, reason="I looked at it")
        return await self.part(
            payment,
            outcome,
            lambda found, caller, operation: approve(
                found, replace(caller, actor="boss"), command, operation, self.rules
            ),
        )

    async def cancel(self, payment: PaymentId, outcome: Outcome | None = None) -> OperationId:
        """A void of an authorization, or the end of what was never submitted."""
        return await self.part(
            payment,
            outcome,
            lambda found, caller, operation: begin_cancel(found, caller, operation, self.rules),
        )

    async def part(self, payment: PaymentId, outcome: Outcome | None, begin) -> OperationId:
        operation = await self.ids.new_operation()
        caller = self.caller("POST /v1/payments/{payment_id}")
        await self.write(
            lambda found: begin(found, caller, operation), caller, operation=operation, payment=payment
        )
        await self.answer(payment, operation, outcome)
        return operation

    async def answer(self, payment: PaymentId, operation: OperationId, outcome: Outcome | None) -> None:
        """What the gateway says of an operation, late or in time; `approved` fills in the operation's amount."""
        if outcome is None:
            return
        caller = Caller(merchant_id=SINGLE_SHOP, actor="gateway:simulator")

        def decide(found):
            known = found.operation(operation)
            said = outcome if outcome is not APPROVED else Approved(f"ref-{operation}", known.amount_minor)
            return conclude(found, caller, operation, known.lease_epoch, said, Source.CALL, self.rules)

        await self.write(decide, caller, payment=payment)

    async def tell(self, payment: PaymentId, state: str, amount_minor: int) -> None:
        """A dispute of the payment's charge, as its gateway tells of it by webhook."""
        reference, charge = f"dp-{next(self.numbers)}", await self.charge_operation(payment)
        told = DisputeTold(
            about=Subject(),
            reference=reference,
            state=DisputeState(state),
            amount_minor=amount_minor,
            currency="INR",
            reason="fraudulent",
        )
        await receive_told(self.database, reference, told)
        async with self.database.write() as session:
            (row,) = await claim_inbox(session, limit=1, lease_s=30)
        caller = Caller(merchant_id=SINGLE_SHOP, actor="webhook:simulator")

        def decide(found):
            case = Case(found, caller, row, self.rules)
            return case.written(dispute_told(case, told, Target(payment, charge)))

        await self.write(decide, caller, payment=payment)

    async def book_by_hand(self, payment: PaymentId) -> PaymentId:
        """Money that was taken outside, as an operator notes it."""
        caller = self.caller("PATCH /v1/payments/{payment_id}/status")
        command = ChangeStatus(payment_id=payment, status=PaymentStatus.COMPLETED)
        await self.write(
            lambda found: change_status(found, caller, command, self.rules), caller, payment=payment
        )
        return payment

    async def charge_operation(self, payment: PaymentId) -> OperationId:
        """The operation that took, or should have taken, the payment's money."""
        return await self._operation("charge_operation_id FROM payments WHERE payment_id = $1", payment)

    async def newest_operation(self, payment: PaymentId) -> OperationId:
        """The operation that was begun last."""
        return await self._operation(
            "operation_id FROM operations WHERE payment_id = $1 ORDER BY created_at DESC, operation_id DESC LIMIT 1",
            payment,
        )

    async def _operation(self, selected: str, payment: PaymentId) -> OperationId:
        async with self.database.read() as session:
            (row,) = await run(session, f"SELECT {selected}", payment)
        return OperationId(row[0])

    async def write(
        self,
        decide: Decide,
        caller: Caller,
        *,
        operation: OperationId | None = None,
        order: OrderId | None = None,
        payment: PaymentId | None = None,
    ) -> Change:
        """One unit in one transaction."""
        unit = Unit(
            SINGLE_SHOP,
            decide,
            order_id=order,
            payment_id=payment,
            claim=caller.claim,
            operation_id=operation,
        )
        await self.ids.reserve(1)
        async with self.database.write() as session:
            (result,) = await write_units(session, self.ids, [unit], WINDOW_H)
        if isinstance(result, Refusal):
            raise result
        return result  # type: ignore[return-value] # a key is used once here, so it is a Change

    def caller(self, scope: str) -> Caller:
        """A client with a key of its own."""
        key = f"key-{next(self.numbers)}"
        claim = KeyClaim(KeyName(scope, key), key.encode())
        return Caller(merchant_id=SINGLE_SHOP, actor="client", claim=claim, correlation_id=f"corr-{key}")


async def receive_told(database: Database, event_id: str, told: DisputeTold) -> None:
    """Into the inbox, as the endpoint does it."""
    incoming = Incoming(
        merchant_id=SINGLE_SHOP,
        account=GATEWAY,
        event_id=event_id,
        event_type="test",
        occurred_at=datetime(2026, 11, 25, tzinfo=UTC),
        told=told_record(told),
        payload={},
    )
    async with database.write() as session:
        await take_in(session, incoming)


APPROVED = Approved("as-asked", 0)
"""Stands for an approval of exactly what was asked."""


def world(database: Database) -> World:
    """A world in an empty, migrated database."""
    return World(database, Ids(database))
