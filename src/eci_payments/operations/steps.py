"""The steps of every operation, as data: each is one commit or one call, and returns the step that comes next.

    Begin ──▶ Prepare ──▶ Bind ──▶ Call           a charge at a gateway that is asked by its own id
    Begin ──▶ Call ──▶ Conclude ──▶ answer        a caller's request
                └──▶ Reroute ──▶ Prepare or Call  a charge that was certainly not sent, at the next gateway
      │                    ▲
      ├──▶ Await ──▶ answer│                      a repeat of one
      └──▶ answer          │                      one that needs no gateway
    Inquire ───────────────┤                      recovery, and a caller who asks about it
      └──▶ Call (again) ───┘

`operations.driver` runs them in a loop. Tests enumerate `STEPS`, so that a new step without its crash cases fails
by name.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, cast

from eci_payments.domain.errors import BrokenInvariant, Refusal, RefusalCode, ensure, known
from eci_payments.domain.operation import RETURNS, TAKES_MONEY, Operation, OperationState
from eci_payments.domain.quick import quick
from eci_payments.gateways.contract import NeverSeen, NotSent, Outcome, Prepared, Unknown
from eci_payments.operations import waiting
from eci_payments.operations.calls import call_of
from eci_payments.operations.conclude import NOT_RECEIVED, Source, bind, conclude
from eci_payments.operations.reroute import Rerouting
from eci_payments.store.units import KeyTaken, Unit

if TYPE_CHECKING:
    from eci_payments.domain.change import Answer, Change
    from eci_payments.domain.keys import KeyRecord
    from eci_payments.domain.methods import Instrument
    from eci_payments.domain.payment import Payment
    from eci_payments.gateways.contract import GatewayCall, PreparingGateway
    from eci_payments.operations.commands import Caller
    from eci_payments.operations.engine import Engine


@quick
@dataclass(frozen=True, slots=True)
class Begin:
    """One commit: claim the key, take the order or lock the payment, begin the operation."""

    name: ClassVar[str] = "begin"
    caller: Caller
    unit: Unit
    instrument: Instrument | None = field(default=None, repr=False)
    others: tuple[str, ...] = ()
    """Gateway accounts that are asked in their order while it is certain that nothing was sent."""

    async def run(self, engine: Engine) -> Step | Answer:
        """The gateway's turn, the answer when none is needed, or waiting for who had the key first."""
        started_at = asyncio.get_running_loop().time()
        result = await engine.lane.submit(self.unit)
        if isinstance(result, KeyTaken):
            return Await(self, result.record)
        if result.answer is not None:
            return result.answer
        operation = begun(result)
        until = started_at + engine.rules.failover_within_s
        elsewhere = Elsewhere(self.others, until) if self.others else NOWHERE
        made = result if result.before is None else None
        call = call_of(result.payment, operation, self.instrument)
        return sending(engine, self.caller, operation, call, started_at, elsewhere, made)


@quick
@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where else a charge may be tried, and until when (the event loop's clock) another try may begin."""

    accounts: tuple[str, ...] = ()
    until: float = 0.0

    def after(self, engine: Engine, outcome: object) -> str | None:
        """The account to be asked next: only after it is certain that nothing was sent, and in time."""
        if not isinstance(outcome, NotSent) or asyncio.get_running_loop().time() > self.until:
            return None
        return next((name for name in self.accounts if engine.gateways.guard(name).admits), None)

    def beyond(self, account: str) -> Elsewhere:
        """What is left when this account is asked."""
        return replace(self, accounts=self.accounts[self.accounts.index(account) + 1 :])


NOWHERE = Elsewhere()


def sending(
    engine: Engine,
    caller: Caller,
    operation: Operation,
    call: GatewayCall,
    started_at: float,
    elsewhere: Elsewhere,
    made: Change | None,
) -> Step:
    """The gateway's turn, after the operation was committed; ``started_at`` is when that was begun."""
    send_before = started_at + engine.rules.lease_s - engine.rules.gateway_timeout_s
    if must_prepare(engine, operation):
        return Prepare(caller, operation, call, send_before, elsewhere)
    return Call(caller, operation, call, Source.CALL, send_before, made, elsewhere)


def begun(change: Change) -> Operation:
    """The operation that this change begins."""
    new = [w.operation for w in change.operations if w.expected_epoch is None]
    ensure(len(new) == 1, "an intent begins one operation")
    return new[0]


def must_prepare(engine: Engine, operation: Operation) -> bool:
    """Whether the charge needs an object at its gateway first, by whose id it can be asked about."""
    gateway = engine.gateways.named(operation.gateway)
    return gateway is not None and operation.kind in TAKES_MONEY and not gateway.capabilities.inquiry_by_key


@dataclass(frozen=True, slots=True)
class Prepare:
    """One call that moves no money: the gateway makes an object for the charge."""

    name: ClassVar[str] = "prepare"
    caller: Caller
    operation: Operation
    call: GatewayCall
    send_before: float
    elsewhere: Elsewhere = NOWHERE

    async def run(self, engine: Engine) -> Step | Answer:
        """Its id to be committed; without one nothing can have moved, so that anything unknown counts as not sent.

        Where another gateway could be asked, this one has half of the time.
        """
        gateway = cast("PreparingGateway", engine.gateways.named(self.operation.gateway))
        timeout_s = engine.rules.gateway_timeout_s / (2 if self.elsewhere.accounts else 1)
        prepared = await engine.ask(
            gateway.name, self.name, gateway.prepare(self.call), self.call, timeout_s=timeout_s
        )
        if isinstance(prepared, Prepared):
            reference = prepared.reference
            return Bind(self.caller, self.operation, self.call, reference, self.send_before, self.elsewhere)
        outcome = NotSent(f"not prepared: {prepared.reason}") if isinstance(prepared, Unknown) else prepared
        following = self.elsewhere.after(engine, outcome)
        if following is not None and isinstance(outcome, NotSent):
            return Reroute(self.caller, self.operation, self.call, outcome, following, self.elsewhere)
        return Conclude(self.caller, self.operation, outcome, Source.CALL)


@dataclass(frozen=True, slots=True)
class Bind:
    """One commit: the gateway's id of the charge, without which it will not be performed."""

    name: ClassVar[str] = "bind"
    caller: Caller
    operation: Operation
    call: GatewayCall
    reference: str
    send_before: float
    elsewhere: Elsewhere = NOWHERE

    async def run(self, engine: Engine) -> Step | Answer:
        """The call itself; or how it stands, when recovery has taken the operation over meanwhile."""
        operation = self.operation
        bound = replace(operation, gateway_reference=self.reference)
        unit = Unit(
            operation.merchant_id,
            lambda found: bind(found, self.caller, bound),
            payment_id=operation.payment_id,
            actor=self.caller.actor,
        )
        change = await engine.submit_surely(unit)
        if isinstance(change, KeyTaken) or not change.operations:
            return await waiting.result_of_another(engine, operation)
        call = replace(self.call, reference=self.reference)
        return Call(self.caller, bound, call, Source.CALL, self.send_before, elsewhere=self.elsewhere)


@quick
@dataclass(frozen=True, slots=True)
class Call:
    """One call at the gateway. No transaction is open, and no connection is held.

    ``send_before`` is on the event loop's clock: a process that slept through its lease must not send any more,
    because recovery may have asked the gateway meanwhile and been told that it never saw the call.
    """

    name: ClassVar[str] = "call"
    caller: Caller
    operation: Operation
    call: GatewayCall
    source: Source
    send_before: float
    made: Change | None = None
    """The change that made the payment, if its commit was the step before."""
    elsewhere: Elsewhere = NOWHERE

    async def run(self, engine: Engine) -> Step | Answer:
        """The conclusion, with whatever outcome there was; or the next gateway, if certainly nothing was sent."""
        outcome = await self._perform(engine)
        following = self.elsewhere.after(engine, outcome)
        if following is not None and isinstance(outcome, NotSent):
            return Reroute(self.caller, self.operation, self.call, outcome, following, self.elsewhere)
        return Conclude(self.caller, self.operation, outcome, self.source, self.made)

    async def _perform(self, engine: Engine) -> Outcome:
        if asyncio.get_running_loop().time() > self.send_before:
            return NotSent("the lease had passed before the call was made")
        gateway = engine.gateways.named(self.operation.gateway)
        if gateway is None:
            return NotSent(f"the gateway account {self.operation.gateway!r} is not configured")
        return await engine.ask(
            gateway.name, self.call.kind, gateway.perform(self.call), self.call, send_before=self.send_before
        )


@dataclass(frozen=True, slots=True)
class Reroute:
    """One commit: the charge concluded as never sent at one gateway, and begun under a new key at the next.

    The payment is in flight before and after, and names the one operation that is open. A crash on either side of the
    commit leaves one operation for recovery, at the one gateway that may have been asked.
    """

    name: ClassVar[str] = "reroute"
    caller: Caller
    operation: Operation
    call: GatewayCall
    outcome: NotSent
    account: str
    elsewhere: Elsewhere

    async def run(self, engine: Engine) -> Step | Answer:
        """The next gateway's turn; an answer where the operation is not ours any more, or may not be followed."""
        started_at = asyncio.get_running_loop().time()
        first = self.operation
        rerouting = Rerouting(first, self.outcome, self.account, await engine.ids.new_operation())
        unit = Unit(
            first.merchant_id,
            lambda found: rerouting.decide(found, self.caller, engine.rules),
            payment_id=first.payment_id,
            actor=self.caller.actor,
        )
        change = await engine.submit_surely(unit)
        if isinstance(change, KeyTaken):
            raise BrokenInvariant("a failover claims no key")
        if change.answer is not None:
            return change.answer
        second = rerouting.begun
        if second is None:
            return await waiting.result_of_another(engine, first)
        call = call_of(change.payment, second, self.call.instrument)
        left = self.elsewhere.beyond(self.account)
        return sending(engine, self.caller, second, call, started_at, left, None)


_ACKNOWLEDGED = frozenset({OperationState.PENDING, OperationState.REQUIRES_ACTION})
FIRST_CLAIM = 2
"""The lease epoch of an operation that was begun with 1 and claimed once since."""


@dataclass(frozen=True, slots=True)
class Inquire:
    """One question to the gateway: what became of the operation with our key? Changes nothing there."""

    name: ClassVar[str] = "inquire"
    caller: Caller
    operation: Operation
    payment: Payment
    sent_for_s: float
    """How long ago the operation was begun, by the database's clock."""
    send_before: float | None = None
    """Until when whoever has claimed the operation may call again, as in `Call`; None: nobody has, only ask."""

    async def run(self, engine: Engine) -> Step | Answer:
        """A conclusion; or, for what the gateway never saw and may be repeated, the call once more."""
        if self._is_unsent():
            return self._call()
        gateway = engine.gateways.named(self.operation.gateway)
        if gateway is None:
            outcome: Outcome | NeverSeen = Unknown(f"no account {self.operation.gateway!r} is configured")
        else:
            call = call_of(self.payment, self.operation)
            outcome = await engine.ask(gateway.name, "inquire", gateway.inquire(call), call)
        if not isinstance(outcome, NeverSeen):
            return Conclude(self.caller, self.operation, outcome, Source.INQUIRY)
        return self._never_seen(engine)

    def _never_seen(self, engine: Engine) -> Step:
        named = engine.gateways.named(self.operation.gateway)
        gateway = known(named, "an answer of a gateway that is not configured")
        can = gateway.capabilities
        if not self.operation.is_open:
            return self._conclude(NOT_RECEIVED)
        if self.operation.state in _ACKNOWLEDGED:
            return self._conclude(Unknown("never seen, says the gateway that had acknowledged it"))
        if must_prepare(engine, self.operation) and self.operation.gateway_reference is None:
            # never bound, and fenced by now: it was not and will not be performed
            return self._conclude(NOT_RECEIVED)
        if self.sent_for_s < can.never_seen_after_s:
            return self._conclude(Unknown("the call may still be on its way"))
        if self.operation.kind in TAKES_MONEY:
            return self._conclude(NOT_RECEIVED)
        if self.sent_for_s > can.key_window_s:
            return self._conclude(Unknown("never seen, and too old to be sent again with the same key"))
        if self.send_before is None:
            return self._conclude(Unknown("never seen; recovery sends it again"))
        return self._call()

    def _is_unsent(self) -> bool:
        """Late money's way back is begun without being sent: whoever claims it first sends it, and need not ask."""
        first_claim = self.operation.lease_epoch == FIRST_CLAIM and self.send_before is not None
        return (
            first_claim and self.operation.kind in RETURNS and self.operation.state is OperationState.STARTED
        )

    def _call(self) -> Call:
        call = call_of(self.payment, self.operation)
        send_before = self.send_before or 0.0
        return Call(self.caller, self.operation, call, Source.INQUIRY, send_before)

    def _conclude(self, outcome: Outcome) -> Conclude:
        return Conclude(self.caller, self.operation, outcome, Source.INQUIRY)


@quick
@dataclass(frozen=True, slots=True)
class Conclude:
    """One commit: the operation concluded, the payment moved, ledger, audit, event and answer with it."""

    name: ClassVar[str] = "conclude"
    caller: Caller
    operation: Operation
    outcome: Outcome
    source: Source
    made: Change | None = None
    """As in `Call`: what it left need not be read again, unless somebody else has written to it since."""

    async def run(self, engine: Engine) -> Step | Answer:
        """The answer. When somebody else has the operation, waiting for what they make of it."""
        operation = self.operation
        unit = Unit(
            operation.merchant_id,
            lambda found: conclude(
                found,
                self.caller,
                operation.operation_id,
                operation.lease_epoch,
                self.outcome,
                self.source,
                engine.rules,
            ),
            payment_id=operation.payment_id,
            follows=self.made,
            actor=self.caller.actor,
        )
        change = await engine.submit_surely(unit)
        if isinstance(change, KeyTaken):
            raise BrokenInvariant("a conclusion claims no key")
        if change.answer is not None:
            return change.answer
        return await waiting.result_of_another(engine, operation)


@dataclass(frozen=True, slots=True)
class Await:
    """Somebody had the key first: wait a little for their result, by reading only."""

    name: ClassVar[str] = "await"
    first: Begin
    record: KeyRecord

    async def run(self, engine: Engine) -> Step | Answer:
        """The stored answer, how it stands while the outcome is unknown, or the request again if the key is free."""
        claim = known(self.first.unit.claim, "waiting for a key that was never claimed")
        if claim.fingerprint != self.record.fingerprint:
            raise Refusal(
                RefusalCode.KEY_REUSED, "This Idempotency-Key was used for another request; use a new one."
            )
        answer = await waiting.first_result(engine, self.record)
        return self.first if answer is None else answer


Step = Begin | Prepare | Bind | Call | Reroute | Inquire | Conclude | Await
STEPS: tuple[type[Step], ...] = (Begin, Prepare, Bind, Call, Reroute, Inquire, Conclude, Await)
