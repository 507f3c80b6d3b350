"""The record against a model that fits on a page: any sequence of calls, repeats, choices and waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from eci_payments.domain.methods import Card
from eci_payments.gateways.contract import (
    ActionRequired,
    Approved,
    CallKind,
    Cancelled,
    Declined,
    GatewayCall,
)
from support.simulator import Simulator, call

AMOUNTS = st.integers(min_value=1, max_value=30).map(lambda n: n * 1000)
"""None of them steers."""
WAITS = Card("4000002500003155", 12, 2040, "123")


@dataclass(slots=True)
class Charge:
    """What the model knows of one charge."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    voided: int = 0
    open: bool = False
    reference: str | None = None
    """Of a charge that waits for its customer."""


class RecordMachine(RuleBasedStateMachine):
    charges: Bundle[GatewayCall] = Bundle("charges")
    sent: Bundle[GatewayCall] = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.simulator = Simulator(":memory:")
        self.model: dict[str, Charge] = {}
        self.outcomes: dict[str, object] = {}
        self.loop = asyncio.new_event_loop()

    def teardown(self) -> None:
        self.simulator.record.close()
        self.loop.close()

    def perform(self, asked: GatewayCall) -> object:
        outcome = self.loop.run_until_complete(self.simulator.gateway.perform(asked))
        self.outcomes[asked.key] = outcome
        return outcome

    @rule(target=charges, amount=AMOUNTS)
    def charge(self, amount: int):
        asked = call(CallKind.CHARGE, amount)
        assert isinstance(self.perform(asked), Approved)
        self.model[asked.key] = Charge(amount, amount)
        return asked

    @rule(target=charges, amount=AMOUNTS)
    def authorize(self, amount: int):
        asked = call(CallKind.AUTHORIZE, amount)
        assert isinstance(self.perform(asked), Approved)
        self.model[asked.key] = Charge(amount, open=True)
        return asked

    @rule(target=charges, amount=AMOUNTS)
    def ask_the_customer(self, amount: int):
        asked = call(CallKind.CHARGE, amount, instrument=WAITS)
        outcome = self.perform(asked)
        assert isinstance(outcome, ActionRequired)
        self.model[asked.key] = Charge(reference=outcome.reference)
        return asked

    @rule(root=charges, approved=st.booleans())
    def choose(self, root: GatewayCall, approved: bool):  # noqa: FBT001 - Hypothesis passes by name
        charge = self.model[root.key]
        if charge.reference is None:
            return
        self.loop.run_until_complete(self.simulator.record.choose(charge.reference, approved=approved))
        charge.reference = None
        if approved:
            charge.authorized = charge.captured = root.amount_minor

    @rule(target=sent, root=charges)
    def cancel(self, root: GatewayCall):
        asked = call(CallKind.CANCEL_ACTION, root.amount_minor, parent=root)
        outcome = self.perform(asked)
        charge = self.model[root.key]
        if charge.reference is not None:
            assert isinstance(outcome, Cancelled)
            charge.reference = None
        elif charge.authorized:
            assert isinstance(outcome, Declined)
        return asked

    @rule(target=sent, root=charges, amount=AMOUNTS, final=st.booleans())
    def capture(self, root: GatewayCall, amount: int, final: bool):  # noqa: FBT001 - drawn by Hypothesis
        asked = call(CallKind.CAPTURE, amount, parent=root, final=final)
        outcome = self.perform(asked)
        charge = self.model[root.key]
        if charge.open and charge.captured + amount <= charge.authorized:
            assert isinstance(outcome, Approved)
            charge.captured += amount
            charge.open = not final
        else:
            assert isinstance(outcome, Declined)
        return asked

    @rule(target=sent, root=charges)
    def void(self, root: GatewayCall):
        charge = self.model[root.key]
        left = charge.authorized - charge.captured
        asked = call(CallKind.VOID, max(left, 1000), parent=root)
        outcome = self.perform(asked)
        if charge.open and left:
            assert isinstance(outcome, Approved)
            charge.voided += left
            charge.open = False
        else:
            assert isinstance(outcome, Declined)
        return asked

    @rule(target=sent, root=charges, amount=AMOUNTS)
    def refund(self, root: GatewayCall, amount: int):
        asked = call(CallKind.REFUND, amount, parent=root)
        outcome = self.perform(asked)
        charge = self.model[root.key]
        if charge.refunded + amount <= charge.captured:
            assert isinstance(outcome, Approved)
            charge.refunded += amount
        else:
            assert isinstance(outcome, Declined)
        return asked

    @rule(target=sent, root=charges)
    def lose_a_refund_and_send_it_again(self, root: GatewayCall):
        """Amounts that end in 21 get lost; sent again, they are done if they can be."""
        asked = call(CallKind.REFUND, 1021, parent=root)
        self.perform(asked)
        outcome = self.perform(asked)
        charge = self.model[root.key]
        if charge.refunded + 1021 <= charge.captured:
            assert isinstance(outcome, Approved)
            charge.refunded += 1021
        else:
            assert isinstance(outcome, Declined)
        return multiple()

    @rule(asked=sent)
    def repeat(self, asked: GatewayCall):
        before = self.outcomes[asked.key]
        assert self.loop.run_until_complete(self.simulator.gateway.inquire(asked)) == before
        assert self.perform(asked) == before

    @invariant()
    def books_agree(self):
        totals = self.simulator.record.totals("INR")
        expected = self.model.values()
        assert totals.taken_minor == sum(c.captured for c in expected)
        assert totals.refunded_minor == sum(c.refunded for c in expected)
        assert totals.voided_minor == sum(c.voided for c in expected)


TestRecordMachine = RecordMachine.TestCase
TestRecordMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
