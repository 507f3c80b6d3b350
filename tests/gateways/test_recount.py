"""The lists of Stripe and Razorpay: asked for as their SDKs ask, read to their end, written again after a restore."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import razorpay
import stripe

from eci_payments.domain.ids import SINGLE_SHOP, GatewayKey, TransactionId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.adapters.razorpay.account import RazorpayGateway
from eci_payments.gateways.adapters.stripe.account import StripeGateway
from eci_payments.gateways.contract import CallKind, Listed, NotSent, Unknown
from eci_payments.recovery.restore import AfterRestore
from eci_payments.store import restore_gate
from eci_payments.store.reads import find_payment
from eci_payments.store.verify import verify
from support.recorder import Recorded, Recorder
from support.service import payments_over

if TYPE_CHECKING:
    from eci_payments.gateways.contract import Gateway

SINCE = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
SINCE_S = int(SINCE.timestamp())
AT = SINCE_S + 60
TOLD = {"transaction_id": "TXN1", "merchant_id": "1", "order_id": "order-7", "method": "CREDIT_CARD"}
Answers = dict[str, list[dict[str, Any]]]


def asked(request: Recorded) -> tuple[str, str, str | None, dict[str, list[str]]]:
    parts = urlsplit(request.path)
    return request.verb, parts.path, request.authorization, parse_qs(parts.query)


def pages_of_stripe(recorder: Recorder, things: Answers) -> None:
    """Lists by path, and by the type of events; two in a page."""

    def page(request: Recorded) -> dict[str, Any]:
        _, path, _, query = asked(request)
        name = query["type"][0] if "type" in query else path
        whole = [
            each
            for each in things.get(name, [])
            if each["created"] >= int(query.get("created[gte]", ["0"])[0])
        ]
        after = (
            [each["id"] for each in whole].index(query["starting_after"][0]) + 1
            if "starting_after" in query
            else 0
        )
        return {
            "object": "list",
            "url": path,
            "data": whole[after : after + 2],
            "has_more": after + 2 < len(whole),
        }

    for path in ("/v1/payment_intents", "/v1/events", "/v1/refunds"):
        recorder.answers["GET", path] = (200, page)


def intent(number: int, **fields: Any) -> dict[str, Any]:
    made = {
        "id": f"pi_{number}",
        "object": "payment_intent",
        "amount": 14950,
        "currency": "inr",
        "created": AT,
    }
    metadata = TOLD | {"eci_key": f"KEY{number}", "kind": "charge"}
    return made | {"capture_method": "automatic", "status": "succeeded", "metadata": metadata} | fields


def happened(kind: str, about: dict[str, Any], key: str | None) -> dict[str, Any]:
    request = {"id": "req_1", "idempotency_key": key}
    return {
        "id": f"evt_{kind}_{key}",
        "type": kind,
        "created": AT + 1,
        "data": {"object": about},
        "request": request,
    }


MANUAL = intent(2, capture_method="manual", amount_received=9000)
REFUND = {
    "id": "re_1", "object": "refund", "amount": 950, "currency": "inr", "created": AT + 2, "payment_intent": "pi_1",
    "status": "succeeded", "metadata": TOLD | {"eci_key": "KEY9", "kind": "refund", "parent_key": "KEY1"},
}  # fmt: skip
SUCCEEDED, CANCELED = "payment_intent.succeeded", "payment_intent.canceled"
AT_STRIPE: Answers = {
    "/v1/payment_intents": [
        intent(1), MANUAL, intent(3, currency="kwd", amount=1230), intent(4, metadata={}),
        intent(5, created=SINCE_S - 1),
    ],
    SUCCEEDED: [happened(SUCCEEDED, intent(1), "KEY1-confirm"), happened(SUCCEEDED, MANUAL, "KEY6"),
                happened(SUCCEEDED, MANUAL, None)],
    CANCELED: [happened(CANCELED, intent(7, capture_method="manual"), "KEY8"),
               happened(CANCELED, intent(3), "KEY3-cancel"), happened(CANCELED, intent(4, metadata={}), "OTHER")],
    "/v1/refunds": [REFUND, REFUND | {"id": "re_2", "metadata": {}}],
}  # fmt: skip


def listed(
    kind: CallKind, key: str, reference: str, amount_minor: int, at: int = AT, **fields: Any
) -> Listed:
    values: dict[str, Any] = {
        "kind": kind,
        "key": GatewayKey(key),
        "reference": reference,
        "merchant_id": SINGLE_SHOP,
        "transaction_id": TransactionId("TXN1"),
        "order_id": "order-7",
        "amount_minor": amount_minor,
        "currency": "INR",
        "method": PaymentMethod.CREDIT_CARD,
        "created_at": datetime.fromtimestamp(at, UTC),
    }
    return Listed(**(values | fields))


async def test_stripes_lists_are_read_to_their_end(recorder: Recorder, at_stripe: StripeGateway) -> None:
    pages_of_stripe(recorder, AT_STRIPE)
    capture = {"parent_key": GatewayKey("KEY2"), "parent_reference": "pi_2"}
    void = {"parent_key": GatewayKey("KEY7"), "parent_reference": "pi_7"}
    back = {"parent_key": GatewayKey("KEY1"), "parent_reference": "pi_1"}
    assert await at_stripe.operations_since(SINCE) == [
        listed(CallKind.CHARGE, "KEY1", "pi_1", 14950),
        listed(CallKind.AUTHORIZE, "KEY2", "pi_2", 14950),
        listed(CallKind.CHARGE, "KEY3", "pi_3", 1230, currency="KWD"),
        listed(CallKind.CAPTURE, "KEY6", "pi_2", 9000, AT + 1, **capture),
        listed(CallKind.VOID, "KEY8", "pi_7", 14950, AT + 1, **void),
        listed(CallKind.REFUND, "KEY9", "re_1", 950, AT + 2, **back),
    ]


async def test_stripe_is_asked_for_its_lists_as_its_own_sdk_asks(
    recorder: Recorder, at_stripe: StripeGateway
) -> None:
    pages_of_stripe(recorder, AT_STRIPE)
    await at_stripe.operations_since(SINCE)
    ours = [asked(request) for request in recorder.requests]
    recorder.requests.clear()
    client = stripe.StripeClient("sk_test", base_addresses={"api": recorder.url})

    def ask() -> None:
        created: Any = {"created": {"gte": SINCE_S}, "limit": 100}
        for lists, more in (
            (client.v1.payment_intents, {}),
            (client.v1.events, {"type": SUCCEEDED}),
            (client.v1.events, {"type": CANCELED}),
            (client.v1.refunds, {}),
        ):
            list(lists.list(created | more).auto_paging_iter())

    await asyncio.to_thread(ask)
    theirs = [asked(request) for request in recorder.requests]
    assert [(*each[:2], each[3]) for each in ours] == [(*each[:2], each[3]) for each in theirs]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}), (200, {}), (200, {"data": {}}), (200, {"data": [{}]}), (401, {"error": {"type": "x"}}),
        (200, {"data": [], "has_more": True}), (200, {"data": [intent(1, metadata={"eci_key": "K"})]}),
        (200, {"data": [intent(1, amount="much")]}),
    ],
)  # fmt: skip
async def test_a_list_of_which_something_is_missing_is_none(
    answer: Any, recorder: Recorder, at_stripe: StripeGateway
) -> None:
    """Of an object that an earlier release made nobody knows whose it is: then the whole is for a person."""
    recorder.answers["GET", "/v1/payment_intents"] = answer
    assert isinstance(await at_stripe.operations_since(SINCE), Unknown)


async def test_stripe_forgets_events_and_an_address_may_be_dead(at_stripe: StripeGateway) -> None:
    long_ago = await at_stripe.operations_since(SINCE - timedelta(days=30))
    assert isinstance(long_ago, Unknown)
    gone = StripeGateway("stripe", "sk_test", "http://127.0.0.1:1", timeout_s=5)
    assert isinstance(await gone.operations_since(SINCE), NotSent)
    await gone.close()


def order(number: int, **fields: Any) -> dict[str, Any]:
    notes = TOLD | {"kind": "charge"}
    return {
        "id": f"order_{number}", "entity": "order", "amount": 14950, "currency": "INR", "receipt": f"KEY{number}",
        "notes": notes, "created_at": AT, "status": "paid",
    } | fields  # fmt: skip


RZP_REFUND = {
    "id": "rfnd_1", "entity": "refund", "amount": 950, "currency": "INR", "payment_id": "pay_1", "receipt": "KEY900",
    "notes": TOLD | {"kind": "refund", "parent_key": "KEY0"}, "created_at": AT + 2, "status": "processed",
}  # fmt: skip


def pages_of_razorpay(recorder: Recorder, orders: list[Any], refunds: list[Any]) -> None:
    for path, whole in (("/v1/orders", orders), ("/v1/refunds", refunds)):

        def page(request: Recorded, whole: list[Any] = whole) -> dict[str, Any]:
            query = asked(request)[3]
            skip, count = int(query["skip"][0]), int(query["count"][0])
            items = whole[skip : skip + count]
            return {"entity": "collection", "count": len(items), "items": items}

        recorder.answers["GET", path] = (200, page)


async def test_razorpays_lists_are_read_to_their_end_and_asked_for_as_its_own_sdk_asks(
    recorder: Recorder, at_razorpay: RazorpayGateway
) -> None:
    held = order(1, notes=TOLD | {"kind": "authorize"})
    foreign = [
        order(2, receipt=None),
        order(3, notes=[]),
        order(4, receipt="of another program", notes={"a": "b"}),
    ]
    many = [order(number) for number in range(100, 200)]
    pages_of_razorpay(
        recorder,
        [order(0), held, *foreign, *many],
        [RZP_REFUND, RZP_REFUND | {"id": "rfnd_2", "receipt": None}],
    )
    back = {"parent_key": GatewayKey("KEY0"), "parent_reference": "pay_1"}
    found = await at_razorpay.operations_since(SINCE)
    assert isinstance(found, list)
    assert found[:2] == [
        listed(CallKind.CHARGE, "KEY0", "order_0", 14950),
        listed(CallKind.AUTHORIZE, "KEY1", "order_1", 14950),
    ]
    assert len(found) == 103
    ours = [asked(request) for request in recorder.requests]
    recorder.requests.clear()
    sdk = razorpay.Client(auth=("key", "secret"), base_url=recorder.url)
    for resource, skip in ((sdk.order, 0), (sdk.order, 100), (sdk.refund, 0)):
        await asyncio.to_thread(resource.all, {"from": SINCE_S, "count": 100, "skip": skip})
    assert ours == [asked(request) for request in recorder.requests]
    pages_of_razorpay(recorder, [], [RZP_REFUND])
    assert await at_razorpay.operations_since(SINCE) == [
        listed(CallKind.REFUND, "KEY900", "rfnd_1", 950, AT + 2, **back)
    ]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (200, {}),
        (200, {"items": {}}),
        (200, {"items": [{}]}),
        (200, {"items": [order(1, amount="?")]}),
    ],
)
async def test_what_is_no_list_of_razorpays_is_none(
    answer: Any, recorder: Recorder, at_razorpay: RazorpayGateway
) -> None:
    recorder.answers["GET", "/v1/orders"] = answer
    assert isinstance(await at_razorpay.operations_since(SINCE), Unknown)


async def restored(service_url: str, gateway: Gateway) -> tuple[dict[str, str], Any, list[Any]]:
    """An empty database, as after the loss of everything, recovered from the gateway's list."""
    async with payments_over(service_url, gateway) as payments:
        async with payments.engine.database.write() as session:
            gate = await restore_gate.close(session, SINCE)
        report = await AfterRestore(payments, gate).run()
        async with payments.engine.database.read() as session:
            view = await find_payment(session, SINGLE_SHOP, "order_id", "order-7")
        findings = (await verify(payments.engine.database, [])).findings
    return report.unsettled, view, list(findings)


async def test_a_charge_and_its_refund_at_stripe_come_back(
    service_url: str, recorder: Recorder, at_stripe: StripeGateway
) -> None:
    paid = intent(1, latest_charge="ch_1")
    pages_of_stripe(recorder, {"/v1/payment_intents": [paid], "/v1/refunds": [REFUND]})
    recorder.answers["GET", "/v1/payment_intents/pi_1"] = (200, paid)
    unsettled, view, findings = await restored(service_url, at_stripe)
    assert (unsettled, findings) == ({}, [])
    payment = view.payment
    assert (payment.status, payment.amount_captured_minor, payment.amount_refunded_minor) == (
        "PARTIALLY_REFUNDED",
        14950,
        950,
    )
    assert payment.transaction_id == "TXN1"


async def test_an_authorization_and_its_capture_at_stripe_come_back(
    service_url: str, recorder: Recorder, at_stripe: StripeGateway
) -> None:
    pages_of_stripe(
        recorder, {"/v1/payment_intents": [MANUAL], SUCCEEDED: [happened(SUCCEEDED, MANUAL, "KEY6")]}
    )
    recorder.answers["GET", "/v1/payment_intents/pi_2"] = (200, MANUAL)
    unsettled, view, findings = await restored(service_url, at_stripe)
    assert (unsettled, findings) == ({}, [])
    assert (view.payment.status, view.payment.amount_captured_minor) == ("COMPLETED", 9000)


@pytest.mark.parametrize(
    ("kind", "there", "here", "unsettled"),
    [("charge", "captured", "COMPLETED", []), ("authorize", "authorized", "AUTHORIZED", ["razorpay"])],
)
async def test_what_comes_back_from_razorpay_and_that_its_list_has_no_captures(
    kind: str,
    there: str,
    here: str,
    unsettled: list[str],
    service_url: str,
    recorder: Recorder,
    at_razorpay: RazorpayGateway,
) -> None:
    pages_of_razorpay(recorder, [order(1, notes=TOLD | {"kind": kind})], [])
    payment = {"id": "pay_1", "order_id": "order_1", "amount": 14950, "currency": "INR", "status": there}
    recorder.answers["GET", "/v1/orders/order_1/payments"] = (200, {"items": [payment]})
    named, view, findings = await restored(service_url, at_razorpay)
    assert (list(named), view.payment.status, findings) == (unsettled, here, [])
