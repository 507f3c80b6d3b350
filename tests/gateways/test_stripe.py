"""Stripe's adapter against localstripe, a Stripe that nobody here wrote, with Stripe's own SDK looking at its books."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import stripe

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.ids import OrderId, PaymentId, UserId
from eci_payments.domain.methods import Card, PaymentMethod
from eci_payments.gateways.adapters.stripe.account import StripeGateway
from eci_payments.gateways.adapters.stripe.amounts import UnpayableAmount, from_stripe, to_stripe
from eci_payments.gateways.adapters.stripe.events import KEY_FIELD
from eci_payments.operations.commands import Cancel, Capture, Charge, RefundPayment
from support.service import caller, payments_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eci_payments.operations.service import Payments

SECRET = "sk_test_of_the_tests"


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("localstripe")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("localstripe did not start")


def gateway(peer: str) -> StripeGateway:
    return StripeGateway("stripe", SECRET, peer, timeout_s=5)


def charge(order: str, number: str = "4242424242424242", **fields: Any) -> Charge:
    values: dict[str, Any] = {
        "order_id": OrderId(order),
        "user_id": UserId("7"),
        "amount_minor": 10000,
        "currency": "INR",
        "method": PaymentMethod.CREDIT_CARD,
        "instrument": Card(number, 12, 2031, "123"),
    }
    return Charge(**(values | fields))


async def taken(payments: Payments, order: str, **fields: Any) -> dict[str, Any]:
    answer = await payments.charge(caller(f"key-{order}"), charge(order, **fields))
    assert answer.status == 201
    document: dict[str, Any] = json.loads(answer.body)
    return document


def books(peer: str) -> stripe.StripeClient:
    return stripe.StripeClient(SECRET, base_addresses={"api": peer})


async def intent_of(payments: Payments, peer: str, payment_id: int) -> Any:
    async with payments.engine.database.engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT gateway_reference, gateway_key FROM operations WHERE payment_id = $1"
            " ORDER BY operation_id LIMIT 1",
            (payment_id,),
        )
        row = found.one()
    intent = await asyncio.to_thread(books(peer).v1.payment_intents.retrieve, row.gateway_reference)
    assert intent.metadata[KEY_FIELD] == row.gateway_key
    return intent


async def test_a_charge_and_two_partial_refunds(service_url: str, peer: str) -> None:
    async with payments_over(service_url, gateway(peer)) as payments:
        payment = await taken(payments, "1")
        assert payment["status"] == "COMPLETED"
        intent = await intent_of(payments, peer, payment["payment_id"])
        assert (intent.status, intent.amount, intent.currency) == ("succeeded", 10000, "inr")
        for amount, status in (("30", "PARTIALLY_REFUNDED"), ("69.50", "PARTIALLY_REFUNDED")):
            command = RefundPayment(payment_id=payment["payment_id"], reason="returned", amount=amount)
            answer = await payments.refund(caller(), command)
            assert json.loads(answer.body)["status"] == status
        refunds = await asyncio.to_thread(books(peer).v1.refunds.list, {"payment_intent": intent.id})
        assert sorted(r.amount for r in refunds.data) == [3000, 6950]


async def test_what_exceeds_is_refused_by_us_for_localstripe_would_not(service_url: str, peer: str) -> None:
    async with payments_over(service_url, gateway(peer)) as payments:
        payment = await taken(payments, "2")
        with pytest.raises(Refusal) as refused:
            await payments.refund(
                caller("too-much"),
                RefundPayment(payment_id=payment["payment_id"], reason="returned", amount="100.01"),
            )
        assert refused.value.code is RefusalCode.AMOUNT_EXCEEDS_REFUNDABLE


async def test_authorize_and_capture_a_part(service_url: str, peer: str) -> None:
    async with payments_over(service_url, gateway(peer)) as payments:
        payment = await taken(payments, "3", capture=False)
        assert payment["status"] == "AUTHORIZED"
        answer = await payments.capture(
            caller(), Capture(payment_id=PaymentId(payment["payment_id"]), amount="60")
        )
        document = json.loads(answer.body)
        assert (document["status"], document["amount_captured_minor"]) == ("COMPLETED", 6000)
        assert (await intent_of(payments, peer, payment["payment_id"])).status == "succeeded"


async def test_authorize_and_void(service_url: str, peer: str) -> None:
    async with payments_over(service_url, gateway(peer)) as payments:
        payment = await taken(payments, "4", capture=False)
        answer = await payments.cancel(caller(), Cancel(payment_id=PaymentId(payment["payment_id"])))
        assert json.loads(answer.body)["status"] == "CANCELLED"
        assert (await intent_of(payments, peer, payment["payment_id"])).status == "canceled"


async def test_three_d_secure_waits_for_the_customer_and_is_learned_by_inquiry(
    service_url: str, peer: str
) -> None:
    async with payments_over(service_url, gateway(peer)) as payments:
        payment = await taken(payments, "5", number="4000002500003155")
        assert payment["status"] == "REQUIRES_ACTION"
        intent = await intent_of(payments, peer, payment["payment_id"])
        await _authenticate(peer, intent)
        await resume(payments, payment["payment_id"])
        answer = await payments.charge(caller("key-5"), charge("5", number="4000002500003155"))
        assert answer.replayed
        assert json.loads(answer.body)["status"] == "REQUIRES_ACTION"
        assert await status_of(payments, payment["payment_id"]) == "COMPLETED"


async def test_a_customer_who_is_quicker_than_the_cancellation_has_paid(service_url: str, peer: str) -> None:
    async with payments_over(service_url, gateway(peer)) as payments:
        payment = await taken(payments, "8", number="4000002500003155")
        await _authenticate(peer, await intent_of(payments, peer, payment["payment_id"]))
        refused = await payments.cancel(caller(), Cancel(payment_id=PaymentId(payment["payment_id"])))
        assert (refused.status, json.loads(refused.body)["code"]) == (409, "cancel_refused")
        await resume(payments, payment["payment_id"])
        assert await status_of(payments, payment["payment_id"]) == "COMPLETED"


async def test_a_customer_who_fails_three_d_secure_has_not_paid_and_may_try_again(
    service_url: str, peer: str
) -> None:
    async with payments_over(service_url, gateway(peer)) as payments:
        payment = await taken(payments, "9", number="4000002500003155")
        await _authenticate(peer, await intent_of(payments, peer, payment["payment_id"]), success="false")
        await resume(payments, payment["payment_id"])
        assert await status_of(payments, payment["payment_id"]) == "FAILED"
        answer = await payments.charge(caller("once-more"), charge("9"))
        assert json.loads(answer.body)["status"] == "COMPLETED"


async def _authenticate(peer: str, intent: Any, success: str = "true") -> None:
    async with httpx.AsyncClient(base_url=peer, auth=(SECRET, "")) as client:
        form = {"client_secret": intent.client_secret, "success": success}
        (await client.post(f"/v1/payment_intents/{intent.id}/_authenticate", data=form)).raise_for_status()


async def resume(payments: Payments, payment_id: int) -> None:
    async with payments.engine.database.engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT operation_id FROM operations WHERE payment_id = $1 ORDER BY operation_id LIMIT 1",
            (payment_id,),
        )
        operation_id = found.scalar_one()
    await payments.resume(caller(), PaymentId(payment_id), operation_id)


async def status_of(payments: Payments, payment_id: int) -> str:
    async with payments.engine.database.engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT status FROM payments WHERE payment_id = $1", (payment_id,)
        )
        status: str = found.scalar_one()
    return status


async def test_a_decline_leaves_the_order_free(service_url: str, peer: str) -> None:
    async with payments_over(service_url, gateway(peer)) as payments:
        payment = await taken(payments, "6", number="4000000000000341")
        assert (payment["status"], payment["failure"]["code"]) == ("FAILED", "do_not_honor")
        answer = await payments.charge(caller("another"), charge("6"))
        assert json.loads(answer.body)["status"] == "COMPLETED"


async def test_a_gateway_that_is_not_there_was_certainly_not_sent_to(service_url: str) -> None:
    async with payments_over(service_url, gateway("http://127.0.0.1:1")) as payments:
        answer = await payments.charge(caller("k"), charge("7"))
        assert answer.status == 502
        assert json.loads(answer.body)["code"] == "gateway_unreachable"


def _error_of_the_sdk(url: str) -> stripe.APIConnectionError:
    client = stripe.StripeClient(SECRET, base_addresses={"api": url}, max_network_retries=0)
    with pytest.raises(stripe.APIConnectionError) as raised:
        client.v1.refunds.create({"payment_intent": "pi_1"})
    return raised.value


def test_stripes_sdk_does_not_tell_what_was_never_sent_from_what_may_be_done() -> None:
    """Why the adapter does not speak through it: a refused connection, and a line that was cut after the request."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def take_and_cut() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)

        taking = threading.Thread(target=take_and_cut)
        taking.start()
        cut = _error_of_the_sdk(url)
        taking.join()
    refused = _error_of_the_sdk(url)
    for name in ("should_retry", "http_status", "code", "http_body"):
        assert getattr(refused, name) == getattr(cut, name), name
    assert type(refused) is type(cut)


@pytest.mark.parametrize(
    ("amount_minor", "code", "theirs"),
    [(14950, "INR", 14950), (500, "JPY", 500), (1230, "KWD", 1230), (5, "UGX", 500), (300, "MGA", 3)],
)
def test_amounts_in_stripes_units(amount_minor: int, code: str, theirs: int) -> None:
    assert to_stripe(amount_minor, code) == theirs
    assert from_stripe(theirs, code) == amount_minor


@pytest.mark.parametrize(("amount_minor", "code"), [(1234, "KWD"), (301, "MGA")])
def test_what_stripe_cannot_take_is_refused_not_rounded(amount_minor: int, code: str) -> None:
    with pytest.raises(UnpayableAmount):
        to_stripe(amount_minor, code)
