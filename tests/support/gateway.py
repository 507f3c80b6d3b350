"""A gateway that does as the test says: it speaks the port and keeps its own record of what it took.

A turn is one word, planned for an order and a kind of call:

    approved declined action pending cancelled    it happens, and the answer says so
    notsent                                       nothing leaves; the answer says so
    lost                                          nothing happens; the answer is unknown
    taken                                         it is approved, and the answer is unknown
    created                                       it waits, nobody knows whether for the customer
    gone                                          what it acts on is not there any more
    short                                         it is approved for one minor unit less
    slow                                          it waits until the test releases it, then approves
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    CallKind,
    Cancelled,
    Capabilities,
    Declined,
    GatewayCall,
    Inquiry,
    NeverSeen,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)

CAPABILITIES = Capabilities(
    methods=frozenset(PaymentMethod) - {PaymentMethod.COD}, currencies=None, multiple_capture=True
)
IN, OUT = frozenset({CallKind.CHARGE, CallKind.CAPTURE}), frozenset({CallKind.REFUND})
_CANCELS = frozenset({"approved", "cancelled", "taken"})


@dataclass(frozen=True)
class Kept:
    """What the gateway has under one key: the call as it came first, and how it stands."""

    call: GatewayCall
    state: str
    amount_minor: int


@dataclass
class ScriptedGateway:
    """One account. ``record`` is by our key; ``calls`` and ``inquiries`` are all there were."""

    name: str = "scripted"
    capabilities: Capabilities = CAPABILITIES
    record: dict[str, Kept] = field(default_factory=dict)
    plans: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    answers: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    calls: list[GatewayCall] = field(default_factory=list)
    inquiries: list[GatewayCall] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    unsent: set[str] = field(default_factory=set)
    """Keys of calls that never left: nothing can come of them later."""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def plan(self, order: object, kind: str, *turns: str) -> None:
        """What it does with the next calls of this kind for this order; then it approves."""
        self.plans[str(order), kind].extend(turns)

    def answer(self, order: object, kind: str, *words: str) -> None:
        """What it says to the next inquiries, ``lost`` or ``notsent``; then the truth."""
        self.answers[str(order), kind].extend(words)

    def settle(self, order: object, kind: str, state: str) -> None:
        """What waited at the gateway is decided there; what never came is there after all."""
        for call in [c for c in self.calls if (c.order_id, c.kind.value) == (str(order), kind)]:
            if call.key in self.unsent:
                continue
            kept = self.record.get(call.key, Kept(call, state, call.amount_minor))
            if kept.state in {state, "action", "pending", "created"}:
                self.record[call.key] = replace(kept, state=state)

    async def perform(self, call: GatewayCall) -> Outcome:
        self.calls.append(call)
        self.unsent.discard(call.key)
        if call.key in self.record:
            return self._told(self.record[call.key])
        turns = self.plans[call.order_id, call.kind.value]
        turn = turns.pop(0) if turns else "approved"
        if turn == "slow":
            self.arrived.set()
            await self.released.wait()
            return self._told(self._keep(call, "approved"))
        return self._take(call, turn)

    async def inquire(self, call: GatewayCall) -> Inquiry:
        self.inquiries.append(call)
        words = self.answers[call.order_id, call.kind.value]
        if words:
            return NotSent("refused") if words.pop(0) == "notsent" else Unknown("no answer")
        kept = self.record.get(call.key)
        return self._told(kept) if kept else NeverSeen()

    async def close(self) -> None:
        pass

    def net(self) -> Counter[tuple[str, str]]:
        """What it holds by (transaction, currency): charges and captures less refunds, in minor units."""
        held: Counter[tuple[str, str]] = Counter()
        for kept in self.record.values():
            if kept.state == "approved":
                sign = (kept.call.kind in IN) - (kept.call.kind in OUT)
                held[kept.call.transaction_id, kept.call.currency] += sign * kept.amount_minor
        return Counter({place: amount for place, amount in held.items() if amount})

    def _take(self, call: GatewayCall, turn: str) -> Outcome:
        if call.kind is CallKind.CANCEL_ACTION and turn in _CANCELS and not self._can_cancel(call):
            turn = "declined"
        if turn == "notsent":
            self.unsent.add(call.key)
            return NotSent("refused")
        if turn == "lost":
            return Unknown("time-out")
        if turn == "taken":
            self._keep(call, "approved")
            return Unknown("time-out")
        if turn == "short":
            kept = Kept(call, "approved", call.amount_minor - 1)
            self.record[call.key] = kept
            return self._told(kept)
        return self._told(self._keep(call, turn))

    def _keep(self, call: GatewayCall, state: str) -> Kept:
        kept = self.record[call.key] = Kept(call, state, call.amount_minor)
        if call.kind is CallKind.CANCEL_ACTION and state in {"approved", "cancelled"} and call.parent_key:
            self._cancel(call.parent_key)
        return kept

    def _can_cancel(self, call: GatewayCall) -> bool:
        charge = self.record.get(call.parent_key or "")
        return charge is not None and charge.state in {"action", "pending", "created", "cancelled"}

    def _cancel(self, key: str) -> None:
        charge = self.record.get(key)
        if charge and charge.state in {"action", "pending", "created"}:
            self.record[key] = replace(charge, state="cancelled")

    @staticmethod
    def _told(kept: Kept) -> Outcome:
        reference = f"ref-{kept.call.key[:8]}"
        outcomes: dict[str, Outcome] = {
            "approved": Approved(reference, kept.amount_minor, "AUTH01", "approved"),
            "declined": Declined("insufficient_funds", "Not enough money."),
            "action": ActionRequired(reference, ActionType.REDIRECT, url="https://bank.example/1"),
            "pending": Pending(reference),
            "created": Pending(reference, may_await_customer=True),
            "gone": Declined("already_voided", "It has been voided already."),
            "cancelled": Cancelled(reference),
        }
        return outcomes[kept.state]
