"""What a gateway's list has and we do not: written again where it fits, late money where not, or named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.ids import SINGLE_SHOP, GatewayKey, MerchantId, OrderId, TransactionId, UserId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.adapters.simulator.gateway import SimulatorGateway
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.gateways.contract import CallKind, GatewayCall, Unknown
from eci_payments.operations.commands import Charge, RefundPayment
from eci_payments.recovery.restore import AfterRestore
from eci_payments.store import restore_gate
from eci_payments.store.reads import find_payment
from eci_payments.store.verify import verify
from support.service import caller, payments_over

S = PaymentStatus
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CALL = GatewayCall(
    kind=CallKind.CHARGE,
    key=GatewayKey("lost-1"),
    merchant_id=SINGLE_SHOP,
    transaction_id=TransactionId("TXNLOST"),
    amount_minor=10000,
    currency="INR",
    method=PaymentMethod.UPI,
    order_id="order-1",
)
CHARGE = Charge(
    order_id=OrderId("order-1"),
    user_id=UserId("7"),
    amount_minor=10000,
    currency="INR",
    method=PaymentMethod.UPI,
)


@pytest.fixture
def gateway(tmp_path):
    return SimulatorGateway(record=SimulatorRecord(tmp_path / "record.sqlite3"))


@pytest.fixture
async def payments(service_url, gateway):
    async with payments_over(service_url, gateway) as made:
        yield made


async def recovered(payments, *checked):
    """Close the gate, and ask everything once."""
    async with payments.engine.database.write() as session:
        gate = await restore_gate.close(session, LONG_AGO)
    return await AfterRestore(payments, gate, checked).run()


async def found(payments, order="order-1"):
    async with payments.engine.database.read() as session:
        return await find_payment(session, SINGLE_SHOP, "order_id", order)


async def test_a_charge_of_an_order_that_is_unknown_becomes_its_payment(payments, gateway):
    await gateway.perform(CALL)
    report = await recovered(payments)
    assert (report.written, report.is_done) == (1, True)
    payment = (await found(payments)).payment
    assert (payment.status, payment.transaction_id, payment.amount_captured_minor) == (
        S.COMPLETED,
        "TXNLOST",
        10000,
    )
    assert (await verify(payments.engine.database, [])).findings == []
    again = await recovered(payments)
    assert (again.found, again.written, again.is_done) == (0, 0, True)


async def test_a_second_charge_of_a_paid_order_is_late_money(payments, gateway):
    await payments.charge(caller("key"), CHARGE)
    await gateway.perform(CALL)
    assert (await recovered(payments)).is_done
    view = await found(payments)
    assert (view.payment.status, view.payment.amount_captured_minor) == (S.COMPLETED, 10000)
    assert view.payment.amount_unapplied_minor == 10000
    assert [operation.kind for operation in view.operations] == ["CHARGE", "CHARGE", "RETURN"]
    assert (await verify(payments.engine.database, [])).findings == []


async def test_a_refund_that_was_made_is_counted(payments, gateway):
    await payments.charge(caller("key"), CHARGE)
    view = await found(payments)
    charge = view.operations[0]
    lost = replace(
        CALL,
        kind=CallKind.REFUND,
        transaction_id=view.payment.transaction_id,
        parent_key=charge.gateway_key,
        parent_reference=charge.gateway_reference,
        amount_minor=7000,
    )
    await gateway.perform(lost)
    assert (await recovered(payments)).written == 1
    payment = (await found(payments)).payment
    assert (payment.status, payment.amount_refunded_minor) == (S.PARTIALLY_REFUNDED, 7000)


async def test_what_fits_nowhere_is_named_until_somebody_has_looked(payments, gateway):
    await gateway.perform(replace(CALL, key=GatewayKey("lost-2"), merchant_id=MerchantId(99)))
    await gateway.perform(CALL)
    report = await recovered(payments)
    (name,) = report.unsettled
    assert "no merchant 99" in report.unsettled[name]
    assert (await recovered(payments, name)).is_done


async def test_a_gateway_without_a_list_or_an_answer_is_named(payments, gateway, monkeypatch):
    async def silent(_since):
        return Unknown("no answer")

    monkeypatch.setattr(gateway, "operations_since", silent)
    assert "no answer" in (await recovered(payments)).unsettled["simulator"]
    monkeypatch.setattr(gateway, "_capabilities", replace(gateway.capabilities, recounts=False))
    assert "no list" in (await recovered(payments)).unsettled["simulator"]
    assert (await recovered(payments, "simulator")).is_done


async def test_nothing_begins_while_the_gate_is_closed_and_what_is_stored_is_answered(payments):
    first = await payments.charge(caller("key"), CHARGE)
    await recovered(payments)
    refund = RefundPayment(payment_id=first.payment_id, amount=None, reason="Returned")
    for begun in (
        payments.charge(caller("new"), replace(CHARGE, order_id=OrderId("order-2"))),
        payments.refund(caller("back"), refund),
    ):
        with pytest.raises(Refusal) as refused:
            await begun
        assert refused.value.code is RefusalCode.RESTORE_IN_PROGRESS
    assert (await payments.charge(caller("key"), CHARGE)).body == first.body
    async with payments.engine.database.write() as session:
        await restore_gate.reopen(session)
    assert (await payments.refund(caller("back"), refund)).status == 201
