"""What a gateway refuses: too much, twice, too late, or of something that it does not know."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from eci_payments.domain.ids import GatewayKey, TransactionId
from eci_payments.domain.methods import Card
from eci_payments.gateways.adapters.simulator.gateway import SimulatorGateway
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.gateways.contract import ActionRequired, Approved, CallKind, Cancelled, Declined, NotSent
from support.simulator import call

if TYPE_CHECKING:
    from eci_payments.gateways.contract import GatewayCall, Inquiry
    from support.simulator import Simulator

WAITS = Card("4000002500003155", 12, 2040, "123")


def code(outcome: Inquiry) -> str:
    assert isinstance(outcome, Declined), outcome
    return outcome.code


async def approved(simulator: Simulator, kind: CallKind, amount: int, **about: object) -> GatewayCall:
    asked = call(kind, amount, **about)  # type: ignore[arg-type] # fields of a call
    outcome = await simulator.gateway.perform(asked)
    assert isinstance(outcome, Approved), outcome
    return asked


async def test_captures_in_parts_and_never_beyond_the_authorization(simulator: Simulator):
    root = await approved(simulator, CallKind.AUTHORIZE, 10000)
    perform = simulator.gateway.perform
    await approved(simulator, CallKind.CAPTURE, 6000, parent=root, final=False)
    too_much = call(CallKind.CAPTURE, 6000, parent=root, final=False)
    assert code(await perform(too_much)) == "amount_exceeds_authorized"
    await approved(simulator, CallKind.CAPTURE, 3000, parent=root)
    assert code(await perform(call(CallKind.CAPTURE, 1000, parent=root))) == "already_captured"
    assert code(await perform(call(CallKind.VOID, 1000, parent=root))) == "already_captured"
    assert simulator.record.totals("INR").taken_minor == 9000


async def test_a_void_releases_what_is_left_once(simulator: Simulator):
    root = await approved(simulator, CallKind.AUTHORIZE, 10000)
    perform = simulator.gateway.perform
    await approved(simulator, CallKind.CAPTURE, 4000, parent=root, final=False)
    await approved(simulator, CallKind.VOID, 6000, parent=root)
    assert code(await perform(call(CallKind.VOID, 6000, parent=root))) == "already_voided"
    assert code(await perform(call(CallKind.CAPTURE, 1000, parent=root))) == "already_voided"
    assert simulator.record.charges_by_transaction()[root.transaction_id].voided_minor == 6000


async def test_refunds_together_never_exceed_what_was_captured(simulator: Simulator):
    root = await approved(simulator, CallKind.CHARGE, 10000)
    perform = simulator.gateway.perform
    await approved(simulator, CallKind.REFUND, 6000, parent=root)
    assert code(await perform(call(CallKind.REFUND, 6000, parent=root))) == "amount_exceeds_captured"
    await perform(call(CallKind.REFUND, 3026, parent=root))  # pending: its amount is held
    assert code(await perform(call(CallKind.REFUND, 1000, parent=root))) == "amount_exceeds_captured"
    totals = simulator.record.totals("INR")
    assert (totals.taken_minor, totals.refunded_minor, totals.net_minor) == (10000, 6000, 4000)


async def test_what_cannot_be_done_to_a_charge(simulator: Simulator):
    root = await approved(simulator, CallKind.CHARGE, 10000)
    perform = simulator.gateway.perform
    assert code(await perform(call(CallKind.VOID, 10000, parent=root))) == "already_captured"
    assert code(await perform(call(CallKind.CAPTURE, 10000, parent=root))) == "already_captured"
    assert code(await perform(call(CallKind.CANCEL_ACTION, 10000, parent=root))) == "already_completed"


@pytest.mark.parametrize("kind", [CallKind.CAPTURE, CallKind.VOID, CallKind.REFUND, CallKind.CANCEL_ACTION])
async def test_nothing_is_done_to_what_is_not_known(simulator: Simulator, kind: CallKind):
    asked = call(kind, parent=call(CallKind.CHARGE))
    assert code(await simulator.gateway.perform(asked)) == "unknown_charge"


@pytest.mark.parametrize("kind", [CallKind.CAPTURE, CallKind.VOID])
async def test_nothing_is_done_to_a_declined_authorization(simulator: Simulator, kind: CallKind):
    root = call(CallKind.AUTHORIZE, 10051)
    await simulator.gateway.perform(root)
    assert code(await simulator.gateway.perform(call(kind, 10000, parent=root))) == "not_authorized"
    cancel = call(CallKind.CANCEL_ACTION, 10000, parent=root)
    assert code(await simulator.gateway.perform(cancel)) == "already_failed"


async def test_another_currency_and_another_merchant_are_refused(simulator: Simulator):
    root = await approved(simulator, CallKind.CHARGE, 10000)
    refund = call(CallKind.REFUND, 1000, parent=root)
    perform = simulator.gateway.perform
    assert code(await perform(replace(refund, currency="USD"))) == "currency_mismatch"
    other = replace(refund, key=GatewayKey("other"), merchant_id=2)  # type: ignore[arg-type] # fields of a call
    assert code(await perform(other)) == "unknown_charge"


async def test_the_gateways_own_reference_names_the_charge_too(simulator: Simulator):
    root = call(CallKind.CHARGE, 10000)
    outcome = await simulator.gateway.perform(root)
    assert isinstance(outcome, Approved)
    refund = replace(
        call(CallKind.REFUND, 1000, parent=root), parent_key=None, parent_reference=outcome.reference
    )
    assert isinstance(await simulator.gateway.perform(refund), Approved)


async def test_a_refund_may_name_the_capture(simulator: Simulator):
    root = await approved(simulator, CallKind.AUTHORIZE, 10000)
    capture = await approved(simulator, CallKind.CAPTURE, 10000, parent=root)
    await approved(simulator, CallKind.REFUND, 4000, parent=capture)
    again = call(CallKind.REFUND, 7000, parent=root)
    assert code(await simulator.gateway.perform(again)) == "amount_exceeds_captured"


@pytest.mark.parametrize("amount", [14950, 14951])
async def test_the_same_key_gives_the_same_outcome(simulator: Simulator, amount: int):
    asked = call(amount_minor=amount)
    first = await simulator.gateway.perform(asked)
    assert await simulator.gateway.perform(asked) == first
    assert len(simulator.record.entries()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 1},
        {"currency": "USD"},
        {"transaction_id": TransactionId("TXNX")},
        {"kind": CallKind.REFUND},
    ],
)
async def test_the_same_key_with_another_request_is_refused(simulator: Simulator, change: dict[str, object]):
    asked = await approved(simulator, CallKind.CHARGE, 14950)
    changed = replace(asked, **change)  # type: ignore[arg-type] # fields of a call
    assert code(await simulator.gateway.perform(changed)) == "key_reused"
    assert simulator.record.totals("INR").taken_minor == 14950


async def test_a_waiting_action_is_cancelled(simulator: Simulator):
    root = call(instrument=WAITS)
    assert isinstance(await simulator.gateway.perform(root), ActionRequired)
    cancel = call(CallKind.CANCEL_ACTION, parent=root)
    assert isinstance(await simulator.gateway.perform(cancel), Cancelled)
    assert isinstance(await simulator.gateway.inquire(root), Cancelled)
    assert isinstance(await simulator.gateway.perform(call(CallKind.CANCEL_ACTION, parent=root)), Cancelled)


async def test_the_customer_was_quicker_than_the_cancellation(simulator: Simulator):
    root = call(instrument=WAITS, amount_minor=10000)
    waiting = await simulator.gateway.perform(root)
    assert isinstance(waiting, ActionRequired)
    slow_cancel = call(CallKind.CANCEL_ACTION, 10026, parent=root)
    await simulator.gateway.perform(slow_cancel)
    await simulator.record.choose(waiting.reference, approved=True)
    simulator.clock.now_s += 60
    assert isinstance(await simulator.gateway.inquire(root), Approved)
    assert code(await simulator.gateway.inquire(slow_cancel)) == "already_completed"


async def test_the_cancellation_was_quicker_than_the_customer(simulator: Simulator):
    root = call(instrument=WAITS, amount_minor=10000)
    waiting = await simulator.gateway.perform(root)
    assert isinstance(waiting, ActionRequired)
    await simulator.gateway.perform(call(CallKind.CANCEL_ACTION, 10026, parent=root))
    simulator.clock.now_s += 60
    await simulator.record.choose(waiting.reference, approved=True)
    assert isinstance(await simulator.gateway.inquire(root), Cancelled)
    assert simulator.record.movements() == []


@pytest.mark.parametrize(("amount", "expected"), [(10000, None), (10051, "insufficient_funds")])
async def test_after_the_customers_approval_the_amount_steers(
    simulator: Simulator, amount: int, expected: str | None
):
    root = call(instrument=WAITS, amount_minor=amount)
    waiting = await simulator.gateway.perform(root)
    assert isinstance(waiting, ActionRequired)
    await simulator.record.choose(waiting.reference, approved=True)
    outcome = await simulator.gateway.inquire(root)
    assert (outcome.code if isinstance(outcome, Declined) else None) == expected


async def test_nobody_acts_and_the_gateway_cancels(simulator: Simulator):
    root = call(instrument=WAITS)
    waiting = await simulator.gateway.perform(root)
    assert isinstance(waiting, ActionRequired)
    simulator.clock.now_s += 900
    assert isinstance(await simulator.gateway.inquire(root), Cancelled)
    await simulator.record.choose(waiting.reference, approved=True)
    assert isinstance(await simulator.gateway.inquire(root), Cancelled)


async def test_the_record_in_memory():
    record = SimulatorRecord(":memory:")
    gateway = SimulatorGateway(record=record)
    root = call(CallKind.CHARGE, 10000)
    assert isinstance(await gateway.perform(root), Approved)
    assert isinstance(await gateway.inquire(root), Approved)
    assert record.totals("INR").takings == 1
    await gateway.close()


async def test_a_closed_gateway_sends_nothing(simulator: Simulator):
    await simulator.gateway.close()
    assert isinstance(await simulator.gateway.perform(call()), NotSent)


def test_never_seen_is_said_later_than_every_time_out(simulator: Simulator):
    gateway = SimulatorGateway(record=simulator.record, timeout_s=10)
    assert gateway.capabilities.inquiry_by_key
    assert gateway.capabilities.never_seen_after_s == 15
    assert simulator.record.pace.late_s > 15
