"""The use cases, each by name: what the api, the command line and recovery call.

Every mutation runs as a task of its own: a caller that hangs up does not stop what was begun.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from eci_payments.domain.card_fingerprints import CardKeys
from eci_payments.domain.errors import FieldError, Refusal, RefusalCode
from eci_payments.domain.methods import INSTRUMENT_OF, PaymentMethod
from eci_payments.domain.money import currency, major_units
from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.rules import Wanted
from eci_payments.operations import approval, cancel, capture, charge, cod, refund, report, status, waiting
from eci_payments.operations.commands import Charge
from eci_payments.operations.driver import drive
from eci_payments.operations.limits import MerchantLimits
from eci_payments.operations.offers import Offers
from eci_payments.operations.route import NO_ROUTE, Route, route_of
from eci_payments.operations.screening import fingerprints, screen_of, with_card
from eci_payments.operations.steps import Begin, Inquire
from eci_payments.store.approvals import find_approval
from eci_payments.store.reads import find_payment
from eci_payments.store.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from eci_payments.domain.change import Answer, Change
    from eci_payments.domain.ids import OperationId, OrderId, PaymentId, RefundId
    from eci_payments.domain.methods import Instrument
    from eci_payments.domain.payment import Payment
    from eci_payments.domain.screening import Screen
    from eci_payments.gateways.contract import Gateway
    from eci_payments.operations.commands import (
        Caller,
        Cancel,
        Capture,
        ChangeStatus,
        Collect,
        Confirm,
        Create,
        DecideApproval,
        RefundPayment,
        Remit,
    )
    from eci_payments.operations.engine import Engine
    from eci_payments.operations.steps import Step
    from eci_payments.store.reads import PaymentView
    from eci_payments.store.units import Decide, Found


NO_KEYS = CardKeys()


class Payments:
    """The payment service, without a wire. Every method raises Refusal, and DatabaseAway when it is away."""

    def __init__(self, engine: Engine, cards: CardKeys = NO_KEYS) -> None:
        self.engine = engine
        self._cards = cards
        self.offers = Offers(engine)
        self._limits = MerchantLimits(engine.database)
        self._running: set[asyncio.Task[Answer]] = set()

    async def charge(self, caller: Caller, command: Charge) -> Answer:
        """Take or reserve an order's money; with cash on delivery, register that it is to be collected."""
        limits = await self._limits.of(caller.merchant_id)
        cards = fingerprints(self._cards, caller, command.instrument)
        is_cash = command.method is PaymentMethod.COD
        try:
            self._refuse_amount(command)
            self._refuse_instrument(command.method, command.instrument)
            route = NO_ROUTE if is_cash else self._route(caller, command.method, command, command.instrument)
            screen = screen_of(caller, limits, cards, command, instrument=command.instrument)
        except Refusal as refusal:
            return await self._first_answer(caller, refusal)
        rules = self.engine.rules
        if is_cash:
            return await self._register(caller, command, screen)
        return await self._begin(
            caller,
            lambda found, operation_id: with_card(
                route.open(charge.begin_charge(found, caller, command, operation_id, route.first, rules)),
                cards,
            ),
            order_id=command.order_id,
            instrument=command.instrument,
            others=route.others,
            screen=screen,
        )

    async def create(self, caller: Caller, command: Create) -> Answer:
        """Register an order's payment without charging it yet."""
        limits = await self._limits.of(caller.merchant_id)
        try:
            self._refuse_amount(command)
            screen = screen_of(caller, limits, (), command, takes_money=False)
        except Refusal as refusal:
            return await self._first_answer(caller, refusal)
        return await self._register(caller, command, screen)

    async def _register(self, caller: Caller, command: Charge | Create, screen: Screen | None) -> Answer:
        rules = self.engine.rules
        unit = Unit(
            caller.merchant_id,
            lambda found: charge.register(found, caller, command, rules),
            order_id=command.order_id,
            claim=caller.claim,
            screen=screen,
            actor=caller.actor,
        )
        return await self._drive(Begin(caller, unit))

    async def confirm(self, caller: Caller, command: Confirm) -> Answer:
        """Charge a PENDING payment; one that waits for its customer is asked about instead."""
        view = await self._view(caller, command.payment_id)
        payment = view.payment
        goes_on = payment.status is PaymentStatus.REQUIRES_ACTION
        limits = await self._limits.of(caller.merchant_id)
        cards = fingerprints(self._cards, caller, command.instrument)
        try:
            route = self._confirming(caller, command, payment)
            screen = (
                None if goes_on else screen_of(caller, limits, cards, payment, instrument=command.instrument)
            )
        except Refusal as refusal:
            return await self._first_answer(caller, refusal)
        if goes_on:
            return await self._continue(caller, command, view)
        rules = self.engine.rules
        return await self._begin(
            caller,
            lambda found, operation_id: with_card(
                route.open(charge.begin_confirm(found, caller, command, operation_id, route.first, rules)),
                cards,
            ),
            payment_id=command.payment_id,
            instrument=command.instrument,
            others=route.others,
            screen=screen,
        )

    def _confirming(self, caller: Caller, command: Confirm, payment: Payment) -> Route:
        """Where the charge would go. Raises Refusal for what can be refused before anything is begun."""
        method = command.method or payment.method
        if payment.status is PaymentStatus.REQUIRES_ACTION:
            if method is not payment.method:
                raise Refusal(
                    RefusalCode.ACTION_PENDING,
                    f"The customer is asked to act with {payment.method}; cancel that first.",
                    payment_id=payment.payment_id,
                )
            return NO_ROUTE
        self._refuse_instrument(method, command.instrument)
        if payment.status is PaymentStatus.PENDING:
            charge.refuse_cash(method, payment.payment_id)
        if method is PaymentMethod.COD:
            return NO_ROUTE
        return self._route(caller, method, payment, command.instrument)

    async def _continue(self, caller: Caller, command: Confirm, view: PaymentView) -> Answer:
        await self._inquire(caller, view, view.payment.open_operation_id)
        return await self._report(caller, command.payment_id)

    async def _first_answer(self, caller: Caller, refusal: Refusal) -> Answer:
        """What the first request with this key got, though the settings or the payment would have it refused by now.

        Raises the refusal where there was no such request.
        """
        claim = caller.claim
        record = claim and await waiting.load_key(self.engine, caller.merchant_id, claim.name)
        if not claim or not record or record.fingerprint != claim.fingerprint:
            raise refusal
        answer = await waiting.first_result(self.engine, record)
        if answer is None:
            raise refusal
        return answer

    async def capture(self, caller: Caller, command: Capture) -> Answer:
        """Take what was authorised, or a part of it."""
        gateway = await self._gateway_of(caller, command.payment_id)
        able = gateway.capabilities if gateway else None
        rules = self.engine.rules
        return await self._begin(
            caller,
            lambda found, operation_id: capture.begin_capture(
                found, caller, command, operation_id, able, rules
            ),
            payment_id=command.payment_id,
        )

    async def cancel(self, caller: Caller, command: Cancel) -> Answer:
        """Give a payment up before its money is taken."""
        rules = self.engine.rules
        return await self._begin(
            caller,
            lambda found, operation_id: cancel.begin_cancel(found, caller, operation_id, rules),
            payment_id=command.payment_id,
        )

    async def refund(self, caller: Caller, command: RefundPayment) -> Answer:
        """Give money back; above the merchant's threshold only when somebody else has approved it."""
        rules = self.engine.rules
        limits = await self._limits.of(caller.merchant_id)
        return await self._begin(
            caller,
            lambda found, operation_id: refund.begin_refund(
                found, caller, command, operation_id, rules, limits
            ),
            payment_id=command.payment_id,
        )

    async def decide_approval(self, caller: Caller, command: DecideApproval) -> Answer:
        """Approve a large refund, which begins it, or reject it."""
        rules = self.engine.rules
        async with self.engine.database.read() as session:
            asked = await find_approval(session, caller.merchant_id, command.approval_id)
        if asked is None:
            raise Refusal(RefusalCode.NOT_FOUND, "There is no such approval.")
        if not command.approves:
            return await self._decide(
                caller, asked.payment_id, lambda found: approval.reject(found, caller, command, rules)
            )
        return await self._begin(
            caller,
            lambda found, operation_id: approval.approve(found, caller, command, operation_id, rules),
            payment_id=asked.payment_id,
        )

    async def expire_approval(self, caller: Caller, payment_id: PaymentId, refund_id: RefundId) -> Answer:
        """Give up a refund that nobody approved in time."""
        rules = self.engine.rules
        return await self._decide(
            caller, payment_id, lambda found: approval.expire(found, caller, refund_id, rules)
        )

    async def pay_out(self, caller: Caller, payment_id: PaymentId, refund_id: RefundId) -> Answer:
        """Note that a refund which waited for a payout by hand was paid."""
        return await self._decide(caller, payment_id, lambda found: refund.pay_out(found, caller, refund_id))

    async def collect(self, caller: Caller, command: Collect) -> Answer:
        """Note what the courier did at the door: cash on delivery was collected, or refused."""
        return await self._decide(
            caller, command.payment_id, lambda found: cod.collect(found, caller, command)
        )

    async def remit(self, caller: Caller, command: Remit) -> Answer:
        """Note that collected cash was handed over."""
        return await self._decide(caller, command.payment_id, lambda found: cod.remit(found, caller, command))

    async def change_status(self, caller: Caller, command: ChangeStatus) -> Answer:
        """An operator's move. An unknown outcome is asked about first: the gateway's own word goes before."""
        view = await self._view(caller, command.payment_id)
        unknown = status.unknown_operation(view.operations)
        rules = self.engine.rules
        if unknown is not None and command.reason and not status.is_fresh(unknown, view.read_at, rules):
            await self._inquire(caller, view, unknown.operation_id)
            learned = await self._view(caller, command.payment_id)
            if (
                status.unknown_operation(learned.operations) is None
                and learned.payment.status is command.status
            ):
                return await self._report(caller, command.payment_id)
        return await self._decide(
            caller, command.payment_id, lambda found: status.change_status(found, caller, command, rules)
        )

    async def give_up_expired(self, caller: Caller, payment_id: PaymentId) -> Answer:
        """End a payment whose time has run out: at once when nothing was sent, else by asking its gateway."""
        rules = self.engine.rules
        return await self._begin(
            caller,
            lambda found, operation_id: cancel.begin_expiry(found, caller, operation_id, rules),
            payment_id=payment_id,
        )

    async def resume(
        self,
        caller: Caller,
        payment_id: PaymentId,
        operation_id: OperationId,
        *,
        lease_epoch: int | None = None,
        send_before: float | None = None,
    ) -> Answer:
        """Go on with an operation that stopped half-way, as recovery does after it has claimed it.

        ``lease_epoch`` is the claim's: refused when somebody else has claimed it since. ``send_before``, on the event
        loop's clock, is until when the gateway may be called again; None: counted from now.
        """
        rules = self.engine.rules
        until = asyncio.get_running_loop().time() + rules.lease_s - rules.gateway_timeout_s
        view = await self._view(caller, payment_id)
        found = view.operation(operation_id)
        if found is not None and lease_epoch not in {None, found.lease_epoch}:
            raise Refusal(RefusalCode.OPERATION_IN_PROGRESS, "Somebody else has claimed the operation since.")
        return await self._inquire(caller, view, operation_id, until if send_before is None else send_before)

    async def ask(self, caller: Caller, payment_id: PaymentId, operation_id: OperationId) -> Answer:
        """Ask the gateway what became of an operation; nothing is sent again."""
        return await self._inquire(caller, await self._view(caller, payment_id), operation_id)

    async def drain(self) -> None:
        """Wait for everything that was begun."""
        while self._running:
            await asyncio.wait(self._running)

    async def _inquire(
        self,
        caller: Caller,
        view: PaymentView,
        operation_id: OperationId | None,
        send_before: float | None = None,
    ) -> Answer:
        operation = view.operation(operation_id)
        if operation is None:
            raise Refusal(RefusalCode.NOT_FOUND, "There is no such operation.")
        asker = replace(caller, claim=None)
        age_s = (view.read_at - operation.created_at).total_seconds()
        return await self._drive(Inquire(asker, operation, view.payment, age_s, send_before))

    async def _report(self, caller: Caller, payment_id: PaymentId) -> Answer:
        return await self._decide(caller, payment_id, lambda found: report.report(found, caller))

    async def _decide(self, caller: Caller, payment_id: PaymentId, decide: Decide) -> Answer:
        unit = Unit(caller.merchant_id, decide, payment_id=payment_id, claim=caller.claim, actor=caller.actor)
        return await self._drive(Begin(caller, unit))

    async def _begin(
        self,
        caller: Caller,
        begin: Callable[[Found, OperationId], Change],
        *,
        order_id: OrderId | None = None,
        payment_id: PaymentId | None = None,
        instrument: Instrument | None = None,
        others: tuple[str, ...] = (),
        screen: Screen | None = None,
    ) -> Answer:
        operation_id = await self.engine.ids.new_operation()
        unit = Unit(
            caller.merchant_id,
            lambda found: begin(found, operation_id),
            order_id=order_id,
            payment_id=payment_id,
            claim=caller.claim,
            operation_id=operation_id,
            screen=screen,
            actor=caller.actor,
        )
        return await self._drive(Begin(caller, unit, instrument, others))

    async def _drive(self, step: Step) -> Answer:
        task = asyncio.create_task(drive(self.engine, step))
        answer: asyncio.Future[Answer] = task.get_loop().create_future()
        self._running.add(task)
        task.add_done_callback(partial(self._ended, answer))
        return await answer  # whoever is cancelled cancels this, and not what was begun

    def _ended(self, answer: asyncio.Future[Answer], task: asyncio.Task[Answer]) -> None:
        self._running.discard(task)
        if task.cancelled():
            answer.cancel()
            return
        error = task.exception()  # looked at: whoever asked may have hung up, and then nobody else does
        if answer.done():
            return
        if error is None:
            answer.set_result(task.result())
        else:
            answer.set_exception(error)

    async def _view(self, caller: Caller, payment_id: PaymentId) -> PaymentView:
        async with self.engine.database.read() as session:
            view = await find_payment(session, caller.merchant_id, "payment_id", payment_id)
        if view is None:
            raise Refusal(RefusalCode.NOT_FOUND, "There is no such payment.")
        return view

    def _refuse_amount(self, command: Charge | Create) -> None:
        unit = currency(command.currency)
        if major_units(command.amount_minor, unit) > self.engine.rules.max_charge_amount:
            raise Refusal(
                RefusalCode.AMOUNT_ABOVE_LIMIT,
                f"One charge is at most {self.engine.rules.max_charge_amount:f} {unit.code}.",
                errors=(FieldError("amount", "is above the limit of one charge"),),
            )

    @staticmethod
    def _refuse_instrument(method: PaymentMethod, instrument: Instrument | None) -> None:
        fitting = INSTRUMENT_OF[method]
        if instrument is not None and (fitting is None or not isinstance(instrument, fitting)):
            raise Refusal(
                RefusalCode.INVALID_FIELD,
                "A field is wrong.",
                errors=(FieldError("payment_details", f"does not fit {method}"),),
            )

    def _route(
        self, caller: Caller, method: PaymentMethod, what: Charge | Payment, instrument: Instrument | None
    ) -> Route:
        wanted = Wanted(
            merchant_id=caller.merchant_id,
            method=method,
            currency=what.currency,
            amount_minor=what.amount_minor,
            instrument=instrument,
        )
        return route_of(self.engine.gateways, wanted)

    async def _gateway_of(self, caller: Caller, payment_id: PaymentId) -> Gateway | None:
        view = await self._view(caller, payment_id)
        return self.engine.gateways.named(view.payment.gateway or "")
