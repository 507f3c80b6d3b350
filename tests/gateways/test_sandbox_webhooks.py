"""Webhooks of the sandbox: real ones, at a receiver that remembers every byte, with every fault on demand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

from eci_payments.domain.methods import Card
from eci_payments.gateways.adapters.sandbox.account import SandboxGateway
from eci_payments.gateways.adapters.sandbox.events import SandboxEvent, read_event
from eci_payments.gateways.adapters.sandbox.mapping import inquired, performed
from eci_payments.gateways.contract import ActionRequired, Approved, CallKind, Cancelled, Declined, Unknown
from eci_payments.gateways.hooks import BadWebhook
from eci_payments.gateways.transport import Reply
from eci_payments.sandbox.webhooks import signature
from support.sandbox import API_KEY, running_sandbox
from support.simulator import call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eci_payments.gateways.contract import GatewayCall
    from support.sandbox import Sandbox

SECRET = "whsec_" + base64.b64encode(b"a secret of the test, 32 bytes..").decode()
NEXT_SECRET = "whsec_" + base64.b64encode(b"the one that will come after it.").decode()
WAITS = Card("4000002500003155", 12, 2040, "123")


@dataclass(frozen=True, slots=True)
class Received:
    headers: dict[str, str]
    body: bytes
    at_s: float

    def event(self, secrets: tuple[str, ...] = (SECRET,)) -> SandboxEvent:
        return read_event(self.headers, self.body, secrets, time.time())


@dataclass(slots=True)
class Receiver:
    """A shop's webhook endpoint; ``answer`` decides the status from what came and how often it came before."""

    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received, int], int] = lambda _received, _before: 204

    def about(self, asked: GatewayCall) -> list[Received]:
        return [r for r in self.received if json.loads(r.body)["data"]["key"] == asked.key]

    async def wait(self, asked: GatewayCall, count: int) -> list[Received]:
        deadline = time.monotonic() + 15
        while len(found := self.about(asked)) < count:
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.02)
        return found

    def take(self, received: Received) -> int:
        before = sum(r.headers["webhook-id"] == received.headers["webhook-id"] for r in self.received)
        self.received.append(received)
        return self.answer(received, before)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(Received(headers, body, time.monotonic())))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield receiver, f"http://127.0.0.1:{server.server_address[1]}/webhooks"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def sandbox(endpoint: tuple[Receiver, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    record = tmp_path_factory.mktemp("webhooks") / "sandbox.sqlite3"
    with running_sandbox(
        record,
        webhook_url=endpoint[1],
        webhook_secrets=[SECRET, NEXT_SECRET],
        webhook_late_s=1.5,
        webhook_held_s=1.0,
    ) as running:
        yield running


@pytest.fixture
def receiver(endpoint: tuple[Receiver, str]) -> Receiver:
    endpoint[0].answer = lambda _received, _before: 204
    return endpoint[0]


@contextlib.asynccontextmanager
async def gateway(sandbox: Sandbox, fault: str | None = None):
    made = SandboxGateway(base_url=sandbox.url, api_key=API_KEY, timeout_s=5, fault=lambda _: fault)
    try:
        yield made
    finally:
        await made.close()


async def perform(sandbox: Sandbox, asked: GatewayCall, fault: str | None = None) -> object:
    async with gateway(sandbox, fault) as account:
        return await account.perform(asked)


async def test_an_approved_charge_is_told_signed(sandbox: Sandbox, receiver: Receiver):
    asked = call()
    outcome = await perform(sandbox, asked)
    [told] = await receiver.wait(asked, 1)
    for secrets in ((SECRET,), (NEXT_SECRET,), ("whsec_AAAA", SECRET)):
        event = told.event(secrets)
        assert event.type == "charge.approved"
        assert event.outcome == outcome
        assert (event.amount_minor, event.currency) == (14950, "INR")
        assert event.transaction_id == asked.transaction_id


async def test_what_is_not_the_gateways_is_not_believed(sandbox: Sandbox, receiver: Receiver):
    asked = call()
    await perform(sandbox, asked)
    [told] = await receiver.wait(asked, 1)
    now = time.time()
    wrong = [
        (told.headers, told.body + b" ", (SECRET,), now),
        (told.headers, told.body, ("whsec_AAAA",), now),
        (told.headers, told.body, (SECRET,), now + 400),
        (told.headers, told.body, (SECRET,), now - 400),
        (told.headers | {"webhook-id": "evt_other"}, told.body, (SECRET,), now),
        (told.headers | {"webhook-timestamp": "now"}, told.body, (SECRET,), now),
        (told.headers | {"webhook-signature": ""}, told.body, (SECRET,), now),
        ({}, told.body, (SECRET,), now),
    ]
    for headers, body, secrets, at_s in wrong:
        with pytest.raises(BadWebhook):
            read_event(headers, body, secrets, at_s)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":"e","type":"t","data":{"state":"approved"}}'])
def test_what_is_signed_and_no_event(body: bytes):
    now = int(time.time())
    headers = {
        "webhook-id": "e",
        "webhook-timestamp": str(now),
        "webhook-signature": signature(SECRET, "e", now, body),
    }
    with pytest.raises(BadWebhook, match="not an event"):
        read_event(headers, body, (SECRET,), now)


def test_the_signature_is_the_standards_own_example():
    """From the Standard Webhooks specification's reference libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


async def test_pending_and_then_its_end(sandbox: Sandbox, receiver: Receiver):
    asked = call(amount_minor=2027)
    await perform(sandbox, asked)
    told = [r.event() for r in await receiver.wait(asked, 2)]
    assert [e.type for e in told] == ["charge.pending", "charge.declined"]
    assert isinstance(told[1].outcome, Declined)


async def test_the_customers_choice_is_told(sandbox: Sandbox, receiver: Receiver):
    asked = call(instrument=WAITS, amount_minor=3000)
    waiting = await perform(sandbox, asked)
    assert isinstance(waiting, ActionRequired)
    async with httpx.AsyncClient() as browser:
        await browser.post(waiting.url or "", data={"choice": "approve"})
    told = [r.event() for r in await receiver.wait(asked, 2)]
    assert [e.type for e in told] == ["charge.action_required", "charge.approved"]


async def test_a_cancelled_action_is_told_for_the_charge_too(sandbox: Sandbox, receiver: Receiver):
    asked = call(instrument=WAITS)
    await perform(sandbox, asked)
    cancel = call(CallKind.CANCEL_ACTION, parent=asked)
    assert isinstance(await perform(sandbox, cancel), Cancelled)
    assert (await receiver.wait(asked, 2))[1].event().type == "charge.cancelled"
    assert (await receiver.wait(cancel, 1))[0].event().type == "cancel_action.cancelled"


async def test_refunds_are_told_with_their_parent(sandbox: Sandbox, receiver: Receiver):
    asked = call()
    await perform(sandbox, asked)
    refund = call(CallKind.REFUND, 5000, parent=asked)
    await perform(sandbox, refund)
    [told] = await receiver.wait(refund, 1)
    assert told.event().type == "refund.approved"
    assert json.loads(told.body)["data"]["parent_key"] == asked.key


@contextlib.asynccontextmanager
async def impatient(sandbox: Sandbox, timeout_s: float):
    made = SandboxGateway(base_url=sandbox.url, api_key=API_KEY, timeout_s=timeout_s)
    try:
        yield made
    finally:
        await made.close()


async def test_late_money_is_told_when_it_comes(sandbox: Sandbox, receiver: Receiver):
    asked = call(amount_minor=2029)
    async with impatient(sandbox, 0.3) as account:
        assert isinstance(await account.perform(asked), Unknown)
    [told] = await receiver.wait(asked, 1)
    assert isinstance(told.event().outcome, Approved)


async def test_tried_again_until_it_is_taken(sandbox: Sandbox, receiver: Receiver):
    receiver.answer = lambda _received, before: 500 if before < 2 else 204
    asked = call()
    await perform(sandbox, asked)
    told = await receiver.wait(asked, 3)
    assert len({r.headers["webhook-id"] for r in told}) == 1
    assert len({r.headers["webhook-timestamp"] for r in told}) == 3
    assert told[2].at_s - told[0].at_s > 2
    await asyncio.sleep(0.3)
    assert len(receiver.about(asked)) == 3


async def test_410_ends_it(sandbox: Sandbox, receiver: Receiver):
    receiver.answer = lambda _received, _before: 410
    asked = call()
    await perform(sandbox, asked)
    await receiver.wait(asked, 1)
    await asyncio.sleep(1.5)
    assert len(receiver.about(asked)) == 1


async def test_fault_doubled(sandbox: Sandbox, receiver: Receiver):
    asked = call()
    await perform(sandbox, asked, "webhook_double")
    told = await receiver.wait(asked, 2)
    assert told[0].headers["webhook-id"] == told[1].headers["webhook-id"]


async def test_fault_late(sandbox: Sandbox, receiver: Receiver):
    asked = call()
    begun = time.monotonic()
    await perform(sandbox, asked, "webhook_late")
    [told] = await receiver.wait(asked, 1)
    assert told.at_s - begun > 1.4


async def test_fault_out_of_order(sandbox: Sandbox, receiver: Receiver):
    asked = call(instrument=WAITS, amount_minor=3000)
    waiting = await perform(sandbox, asked, "webhook_reorder")
    assert isinstance(waiting, ActionRequired)
    async with httpx.AsyncClient() as browser:
        await browser.post(waiting.url or "", data={"choice": "approve"})
    told = [r.event().type for r in await receiver.wait(asked, 2)]
    assert told == ["charge.approved", "charge.action_required"]


async def test_fault_badly_signed_and_then_well(sandbox: Sandbox, receiver: Receiver):
    asked = call()
    await perform(sandbox, asked, "webhook_bad_signature")
    forged, genuine = await receiver.wait(asked, 2)
    with pytest.raises(BadWebhook, match="signature"):
        forged.event()
    assert isinstance(genuine.event().outcome, Approved)


async def test_fault_another_amount(sandbox: Sandbox, receiver: Receiver):
    asked = call()
    outcome = await perform(sandbox, asked, "webhook_wrong_amount")
    assert isinstance(outcome, Approved)
    assert outcome.amount_minor == 14950
    [told] = await receiver.wait(asked, 1)
    assert told.event().amount_minor == 14951


async def test_what_was_told_can_be_listed(sandbox: Sandbox, receiver: Receiver):
    asked = call()
    await perform(sandbox, asked)
    await receiver.wait(asked, 1)
    await asyncio.sleep(0.3)
    listed = [w for w in sandbox.ask("GET", "/v1/webhooks").json()["webhooks"] if w["key"] == asked.key]
    assert [(w["state"], w["attempts"], w["waiting"], w["last_answer"]) for w in listed] == [
        ("approved", 1, False, "204")
    ]


GOOD = {"kind": "charge", "state": "approved", "reference": "ch_1", "amount_minor": 14950}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, GOOD | {"key": "another"}),
        (200, GOOD | {"kind": "refund"}),
        (200, GOOD | {"amount_minor": "14950"}),
        (200, GOOD | {"amount_minor": True}),
        (200, {"kind": "charge", "state": "approved"}),
        (200, GOOD | {"state": "somehow"}),
        (200, {"state": "never_seen"}),
        (404, {"detail": "no such path"}),
        (404, {"state": "never_seen", "key": "another"}),
        (500, GOOD),
        (503, {"error": {"code": "unavailable"}}),
    ],
)
def test_an_answer_that_does_not_fit_tells_nothing(status: int, body: dict[str, object]):
    asked = call()
    reply = Reply(status, {"key": asked.key} | body)
    assert isinstance(performed(asked, reply), Unknown)
    assert isinstance(inquired(asked, reply), Unknown)
