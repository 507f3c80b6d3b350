"""Random commands, outcomes, crashes and workers against a small model that knows only the laws."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.commands import Cancel, Capture, ChangeStatus, Confirm, Create, RefundPayment
from eci_payments.operations.rules import LateSuccessPolicy
from support.engine import Crash, House, Told, caller, charging, open_house, told
from support.gateway import ScriptedGateway

S = PaymentStatus
ORDERS = ("a", "b")
TURNS = ("approved", "approved", "approved", "declined", "action", "pending", "cancelled", "notsent", "lost", "lost",
         "taken", "taken")  # fmt: skip
POINTS = (None, None, None, "before begin", "after begin", "before call", "after call", "after conclude")
WORKER_POINTS = (None, None, "after claim", "before inquire", "after inquire", "before call", "after call",
                 "before conclude", "after conclude")  # fmt: skip
KINDS = ("charge", "authorize", "capture", "void", "refund", "cancel_action")
SETTLED = ("approved", "approved", "declined", "cancelled")
SHARES = {"worker": 18, "settle": 32, "operator": 38, "repeat": 48}
"""Of a hundred steps, up to where each goes; the rest are commands."""
AMOUNTS = (None, "0.30", "0.60")
COMMANDS = ("charge", "authorize", "create", "confirm", "capture", "part", "refund", "cancel")
SCOPE = {name: name for name in COMMANDS} | {"authorize": "charge", "part": "capture"}
MISFITS = 88
"""Of a hundred commands, those from here on need not fit."""
FITTING = {
    None: ("charge", "charge", "authorize", "authorize", "create"),
    S.PENDING: ("confirm", "confirm", "cancel"),
    S.PROCESSING: ("charge", "cancel"),
    S.REQUIRES_ACTION: ("cancel", "confirm"),
    S.AUTHORIZED: ("capture", "part", "part", "cancel"),
    S.COMPLETED: ("refund",),
    S.PARTIALLY_REFUNDED: ("refund",),
    S.REFUNDED: ("charge", "refund"),
    S.FAILED: ("charge", "authorize", "charge", "authorize", "create"),
    S.CANCELLED: ("charge", "authorize", "charge", "authorize", "create"),
}
DENIED_AS = {"CHARGE": S.FAILED, "AUTHORIZE": S.FAILED, "CAPTURE": S.AUTHORIZED, "VOID": S.AUTHORIZED,
             "REFUND": S.COMPLETED, "CANCEL_ACTION": S.REQUIRES_ACTION}  # fmt: skip
PAID = {S.AUTHORIZED, S.COMPLETED, S.PARTIALLY_REFUNDED, S.REFUNDED}


@dataclass
class Stage:
    """What all runs share: a loop, two processes over one database, one gateway."""

    runner: asyncio.Runner
    houses: tuple[House, House]
    gateway: ScriptedGateway
    runs: int = 0


stage: Stage


@pytest.fixture(scope="module", autouse=True)
def staged(postgres, template):
    """Opened once; every run has orders of its own."""
    global stage  # noqa: PLW0603 - Hypothesis builds the machine, which takes no fixtures
    made = postgres.create(template)
    with asyncio.Runner() as runner:
        gateway = ScriptedGateway()
        houses = (
            open_house(made.service_url, gateway, key_wait_s=0.01),
            open_house(
                made.service_url, gateway, seed=2, key_wait_s=0.01, late_success=LateSuccessPolicy.ACCEPT
            ),
        )
        stage = Stage(runner, houses, gateway)
        yield
        broken = runner.run(houses[0].broken())
        for house in houses:
            runner.run(house.close())
    postgres.drop(made)
    assert broken == []


def _asking(name: str, house: House, who: Any, order: str, payment_id: Any, amount: str | None) -> Any:
    """The request of this name."""
    payments, c = house.payments, charging(order, 100 if amount else 250)
    match name:
        case "charge" | "authorize":
            return payments.charge(who, replace(c, capture=name == "charge"))
        case "create":
            return payments.create(who, Create(order_id=c.order_id, user_id=c.user_id, amount_minor=100,
                                               currency="INR", method=c.method))  # fmt: skip
        case "confirm":
            return payments.confirm(who, Confirm(payment_id=payment_id))
        case "capture" | "part":
            final = name == "capture"
            return payments.capture(who, Capture(payment_id=payment_id, amount=amount, final=final))
        case "refund":
            return payments.refund(who, RefundPayment(payment_id=payment_id, reason="Because", amount=amount))
        case _:
            return payments.cancel(who, Cancel(payment_id=payment_id))


class Laws(RuleBasedStateMachine):
    """Each rule is one thing that happens; the laws are held after each."""

    def __init__(self) -> None:
        super().__init__()
        stage.runs += 1
        self.prefix = f"run{stage.runs}-"
        self.asked: dict[str, Any] = {}
        self.answers: dict[str, Told] = {}
        self.keys = 0
        self.generations = dict.fromkeys(ORDERS, 0)
        self.refund_denied = False

    @rule(order=st.sampled_from(ORDERS), what=st.integers(0, 99), at=st.integers(0, 1), data=st.data())
    def step(self, order, what, at, data):
        """One rule, since Hypothesis leaves rules out of whole runs; weighed."""
        if what < SHARES["worker"]:
            self.worker(
                at,
                data.draw(st.sampled_from((2, 31, 130, 130, 1000))),
                data.draw(st.sampled_from(WORKER_POINTS)),
            )
        elif what < SHARES["settle"]:
            undecided = self.undecided(order) or KINDS
            self.settle(order, data.draw(st.sampled_from(undecided)), data.draw(st.sampled_from(SETTLED)))
        elif what < SHARES["operator"]:
            self.operator(order, at)
        elif what < SHARES["repeat"] and self.asked:
            self.repeat(at, data.draw(st.sampled_from(sorted(self.asked))))
        else:
            drawn = [data.draw(st.sampled_from(each)) for each in (range(100), TURNS, POINTS, AMOUNTS)]
            self.command(order, at, *drawn)

    # --- what callers do

    def command(self, order, at, wish, turn, crash, amount):
        """One that fits the payment's state, or now and then any."""
        view = self._run(stage.houses[0].view_of_order(self._name(order)))
        status = view.payment.status if view else None
        if status is S.REFUNDED and wish % 2:
            self.generations[order] += 1
            status = None
        fitting = COMMANDS if wish >= MISFITS else FITTING[status]
        name = fitting[wish % len(fitting)]
        self._command(SCOPE[name], order, turn, crash, at, lambda h, who, order, payment_id: _asking(
            name, h, who, order, payment_id, amount))  # fmt: skip

    def operator(self, order, at):
        """Says that what is unknown did not happen; the gateway's own word goes before, now or later."""
        view = self._run(stage.houses[at].view_of_order(self._name(order)))
        unknown = [o for o in view.operations if o.state == "UNKNOWN" and o.kind in DENIED_AS] if view else []
        status = DENIED_AS[unknown[0].kind] if unknown else S.FAILED
        self.refund_denied |= any(o.kind == "REFUND" for o in unknown)

        def asking(h, who, _, payment_id):
            command = ChangeStatus(payment_id=payment_id, status=status, reason="By telephone")
            return h.payments.change_status(who, command)

        self._command("status", order, "approved", None, at, asking)

    def repeat(self, at, key):
        """A request once more, with its key: it is told the same, or how it stands while that is not known."""
        scope, asking, order, payment_id = self.asked[key]
        calls = len(stage.gateway.calls)
        answer = self._run(self._ask(stage.houses[at], scope, key, asking, order, payment_id))
        if answer is not None:
            self._hold_answer(key, answer)
            if answer.replayed:
                assert len(stage.gateway.calls) == calls
        self._check(order)

    # --- what the gateway and time do

    def undecided(self, order: str) -> list[str]:
        """Kinds of calls that wait at the gateway, or were lost on the way."""
        record, calls = stage.gateway.record, stage.gateway.calls
        return sorted(
            {
                call.kind.value
                for call in calls
                if call.order_id == self._name(order) and call.key not in stage.gateway.unsent
                if call.key not in record or record[call.key].state in {"action", "pending"}
            }
        )

    def settle(self, order, kind, state):
        """What waits at the gateway is decided; what was lost on the way to it arrives."""
        stage.gateway.settle(self._name(order), kind, state)

    def worker(self, at, seconds, crash):
        """Time passes, and one worker works."""
        self._run(self._later(seconds))
        house = stage.houses[at]
        house.watch.crash_at = crash
        self._run(self._survived(house.recover()))
        house.watch.crash_at = None
        self._run(house.expire())
        for order in ORDERS:
            self._check(self._name(order))

    def teardown(self) -> None:
        """Everything that waits is decided, everything that is due is done: then nothing may be left open or apart."""
        for call in [c for c in stage.gateway.calls if c.order_id.startswith(self.prefix)]:
            kept = stage.gateway.record.get(call.key)
            if kept and kept.state in {"action", "pending"}:
                stage.gateway.record[call.key] = replace(kept, state="declined")
        for seconds in (40, 200, 40, 400, 4000, 90000, 40, 200):
            self._run(self._later(seconds))
            self._run(stage.houses[stage.runs % 3 == 0].recover())
            if seconds == 200 and stage.runs % 2:
                self._arrive()
        for order in ORDERS:
            self._check(self._name(order), ended=True)

    def _arrive(self) -> None:
        """What was lost on the way arrives after all, long after it was said to have never been seen."""
        for call in [c for c in stage.gateway.calls if c.order_id.startswith(self.prefix)]:
            if call.key not in stage.gateway.record and call.key not in stage.gateway.unsent:
                stage.gateway.settle(call.order_id, call.kind.value, "approved")

    # --- how

    def _name(self, order: str) -> str:
        return f"{self.prefix}{order}{self.generations[order]}"

    def _run(self, work: Any) -> Any:
        return stage.runner.run(work)

    def _command(self, scope: str, letter: str, turn: str, crash: str | None, at: int, asking: Any) -> None:
        order, house = self._name(letter), stage.houses[at]
        view = self._run(house.view_of_order(order))
        payment_id = view.payment.payment_id if view else 10**12
        for kind in KINDS:
            stage.gateway.plans[order, kind][:] = [turn]
        self.keys += 1
        key = f"{self.prefix}-{self.keys}"
        house.watch.crash_at = crash
        answer = self._run(self._ask(house, scope, key, asking, order, payment_id))
        house.watch.crash_at = None
        for kind in KINDS:
            stage.gateway.plans[order, kind].clear()
        self.asked[key] = (scope, asking, order, payment_id)
        if answer is not None:
            self._hold_answer(key, answer)
        self._check(order)

    async def _ask(self, house, scope, key, asking, order, payment_id) -> Told | None:
        try:
            return await told(asking(house, caller(scope, key), order, payment_id))
        except Crash:
            return None

    @staticmethod
    async def _survived(work: Any) -> None:
        """Whoever worked beside the one that crashed finishes."""
        with contextlib.suppress(Crash):
            await work
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)

    async def _later(self, seconds: int) -> None:
        for order in ORDERS:
            view = await stage.houses[0].view_of_order(self._name(order))
            if view:
                await stage.houses[0].later(seconds, view.payment.payment_id)

    # --- the laws

    def _hold_answer(self, key: str, answer: Told) -> None:
        """Once a request has an answer, it has that answer."""
        first = self.answers.get(key)
        if first is not None:
            assert (answer.status, answer.body) == (first.status, first.body)
        elif answer.status in {200, 201, 409}:
            self.answers[key] = answer

    def _check(self, order: str, *, ended: bool = False) -> None:
        house = stage.houses[0]
        view = self._run(house.view_of_order(order))
        if view is None:
            assert not [kept for kept in stage.gateway.record.values() if kept.call.order_id == order]
            return
        payment = view.payment
        assert self._run(house.findings(payment.payment_id)) == []
        self._one_live_charge(view)
        self._nothing_guessed(view)
        self._ledger_is_what_was_learned(view)
        if ended:
            assert not [o for o in view.operations if o.is_open], view.operations
            assert payment.processing_reason is None
            assert payment.amount_unapplied_minor == 0
            assert self._run(house.broken(payment.payment_id)) == []

    def _one_live_charge(self, view: Any) -> None:
        """At most one charge or authorization whose money the payment counts as its own."""
        takes = [o for o in view.operations if o.kind in {"CHARGE", "AUTHORIZE"}]
        assert sum(o.is_open for o in takes) <= 1
        counted = [o for o in takes if self._counts(view.payment, o)]
        assert len(counted) <= 1
        if view.payment.status in PAID:
            assert len(counted) == 1
        gateways = sum(
            kept.amount_minor
            for kept in self._kept(view)
            if kept.state == "approved" and kept.call.kind == "refund"
        )
        taken = sum(
            kept.amount_minor
            for kept in self._kept(view)
            if kept.state == "approved" and kept.call.kind in {"charge", "capture"}
        )
        assert gateways <= taken or self.refund_denied

    @staticmethod
    def _counts(payment: Any, operation: Any) -> bool:
        own = operation.attempt == payment.attempt and operation.operation_id == payment.charge_operation_id
        accepted = operation.late_amount_minor and payment.status in PAID
        return bool(own and (operation.state == "APPROVED" or accepted))

    def _nothing_guessed(self, view: Any) -> None:
        """What is concluded is so by the gateway's own word, by never having been seen there, or by an operator."""
        for operation in view.operations:
            kept = stage.gateway.record.get(operation.gateway_key)
            if operation.is_open or operation.state == "NOT_SENT":
                continue
            recorded = (operation.outcome or {}).get("code")
            if operation.state == "APPROVED":
                assert kept is not None
                assert kept.state in {"approved", "cancelled"}
            elif recorded not in {"not_received", "ended_by_operator"} and not operation.late_amount_minor:
                cancelled_by_another = operation.state == "CANCELLED"
                assert cancelled_by_another or (kept is not None and kept.state == "declined"), operation

    def _ledger_is_what_was_learned(self, view: Any) -> None:
        by_key = {o.gateway_key: o for o in view.operations}
        held: Counter[str] = Counter()
        for kept in self._kept(view):
            operation = by_key[kept.call.key]
            learned = operation.state == "APPROVED" or operation.late_amount_minor
            if learned and kept.state == "approved":
                sign = {"charge": 1, "capture": 1, "refund": -1}.get(kept.call.kind.value, 0)
                held[kept.call.currency] += sign * kept.amount_minor
        rows = self._run(stage.houses[0].query(_HELD, view.payment.payment_id))
        booked = {row.currency: int(row.held) for row in rows if row.held}
        assert booked == {code: amount for code, amount in held.items() if amount}, self._story(view)

    def _story(self, view: Any) -> str:
        """For whoever reads a failure: each operation beside what the gateway has of it."""
        lines = [f"{view.payment.status} {view.payment.version}"]
        for o in view.operations:
            kept = stage.gateway.record.get(o.gateway_key)
            asked = f"{o.operation_id} {o.kind} {o.state} {o.amount_minor} late {o.late_amount_minor} of {o.parent_id}"
            lines.append(f"{asked} outcome {o.outcome}; gateway {kept and (kept.state, kept.amount_minor)}")
        lines.extend(
            f"  {a.version} {a.actor} {a.operation_id} {a.status} {a.description}" for a in view.audit
        )
        return "\n".join(lines)

    @staticmethod
    def _kept(view: Any) -> list[Any]:
        return [
            k for k in stage.gateway.record.values() if k.call.transaction_id == view.payment.transaction_id
        ]


_HELD = """
SELECT currency, sum(CASE WHEN debit_account LIKE 'gateway:%' THEN amount_minor
                          WHEN credit_account LIKE 'gateway:%' THEN -amount_minor ELSE 0 END) AS held
FROM ledger_entries WHERE payment_id = $1 GROUP BY currency
"""


def test_the_laws_hold_whatever_happens():
    run_state_machine_as_test(
        Laws,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
