"""Every fault of the sandbox over real HTTP, for every kind of operation: nothing is guessed, nothing happens twice."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from eci_payments.domain.methods import Bank, Card, PaymentMethod, Upi, Wallet
from eci_payments.gateways.adapters.sandbox.account import SandboxGateway
from eci_payments.gateways.adapters.simulator.instruments import BANKS, WALLETS
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    CallKind,
    Cancelled,
    Declined,
    Listing,
    NeverSeen,
    NotSent,
    Pending,
    Unknown,
)
from eci_payments.sandbox.faults import FAULTS, LineFault
from support.sandbox import API_KEY, running_sandbox
from support.simulator import call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from eci_payments.gateways.contract import GatewayCall, Inquiry
    from support.sandbox import Sandbox

KINDS = list(CallKind)
WAITS = Card("4000002500003155", 12, 2040, "123")
TIMEOUT_S = 0.6


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite3") as running:
        yield running


@pytest.fixture
async def gateway_with(sandbox: Sandbox) -> AsyncIterator[Callable[..., SandboxGateway]]:
    made: list[SandboxGateway] = []

    def make(fault: str | None = None, api_key: str = API_KEY) -> SandboxGateway:
        gateway = SandboxGateway(
            base_url=sandbox.url, api_key=api_key, timeout_s=TIMEOUT_S, fault=lambda _: fault
        )
        made.append(gateway)
        return gateway

    yield make
    for gateway in made:
        await gateway.close()


@pytest.fixture
def gateway(gateway_with: Callable[..., SandboxGateway]) -> SandboxGateway:
    return gateway_with()


async def on_something(gateway: SandboxGateway, kind: CallKind, amount: int = 2000) -> GatewayCall:
    if kind in {CallKind.CHARGE, CallKind.AUTHORIZE}:
        return call(kind, amount)
    cancels = kind is CallKind.CANCEL_ACTION
    charged = CallKind.CHARGE if cancels or kind is CallKind.REFUND else CallKind.AUTHORIZE
    parent = call(charged, 10000, instrument=WAITS if cancels else None)
    outcome = await gateway.perform(parent)
    assert isinstance(outcome, ActionRequired if cancels else Approved), outcome
    return call(kind, amount, parent=parent)


def done(kind: CallKind) -> type[Approved | Cancelled]:
    return Cancelled if kind is CallKind.CANCEL_ACTION else Approved


def effects(sandbox: Sandbox, asked: GatewayCall) -> int:
    """How many entries of the record have this key and are done."""
    books = sandbox.books()
    try:
        return sum(e.key == asked.key and e.state in {"approved", "cancelled"} for e in books.entries())
    finally:
        books.close()


BEFORE = [LineFault.REFUSE, LineFault.HANG_BEFORE, LineFault.ERROR_THEN_SUCCESS]
AFTER = [LineFault.HANG_AFTER, LineFault.CUT_AFTER]


async def every_kind(check: Callable[[CallKind], Awaitable[None]]) -> None:
    """All kinds at once: what hangs for one hangs for all."""
    await asyncio.gather(*(check(kind) for kind in KINDS))


@pytest.mark.parametrize("fault", BEFORE)
async def test_faults_before_the_effect(
    sandbox: Sandbox, gateway_with: Callable[..., SandboxGateway], fault: LineFault
):
    plain, faulty = gateway_with(), gateway_with(fault)

    async def check(kind: CallKind) -> None:
        asked = await on_something(plain, kind)
        assert isinstance(await faulty.perform(asked), Unknown)
        assert effects(sandbox, asked) == 0
        assert await plain.inquire(asked) == NeverSeen()
        assert isinstance(await plain.perform(asked), done(kind))
        assert effects(sandbox, asked) == 1

    await every_kind(check)


@pytest.mark.parametrize("fault", AFTER)
async def test_faults_after_the_effect(
    sandbox: Sandbox, gateway_with: Callable[..., SandboxGateway], fault: LineFault
):
    plain, faulty = gateway_with(), gateway_with(fault)

    async def check(kind: CallKind) -> None:
        asked = await on_something(plain, kind)
        assert isinstance(await faulty.perform(asked), Unknown)
        assert effects(sandbox, asked) == 1
        assert isinstance(await plain.inquire(asked), done(kind))
        assert isinstance(await plain.perform(asked), done(kind))
        assert effects(sandbox, asked) == 1

    await every_kind(check)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_comes_twice_is_never_taken_for_another_requests(
    sandbox: Sandbox, gateway_with: Callable[..., SandboxGateway], kind: CallKind
):
    gateway = gateway_with(LineFault.ANSWER_TWICE)
    plain = gateway_with()
    first = await on_something(plain, kind)
    assert isinstance(await gateway.perform(first), done(kind))
    for _ in range(3):
        next_one = call(amount_minor=777_51)
        outcome = await gateway.perform(next_one)
        assert isinstance(outcome, Unknown) or (
            isinstance(outcome, Declined) and outcome.code == "insufficient_funds"
        )
        assert isinstance(await plain.inquire(next_one), Declined | NeverSeen)
    assert effects(sandbox, first) == 1


async def test_a_shut_door_is_certainly_not_sent(sandbox: Sandbox, gateway: SandboxGateway):
    asked = call()
    assert sandbox.ask("POST", "/v1/door", json={"shut_for_s": 0.8}).status_code == 200
    await asyncio.sleep(0.1)
    outcome = await gateway.perform(asked)
    assert isinstance(outcome, NotSent)
    assert isinstance(await gateway.inquire(asked), NotSent)
    await asyncio.sleep(1.0)
    assert await gateway.inquire(asked) == NeverSeen()
    assert isinstance(await gateway.perform(asked), Approved)


async def test_an_address_where_nobody_listens_is_certainly_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gateway = SandboxGateway(base_url=f"http://127.0.0.1:{port}", api_key="x", timeout_s=1)
    assert isinstance(await gateway.perform(call()), NotSent)
    assert isinstance(await gateway.inquire(call()), NotSent)
    await gateway.close()


@pytest.mark.parametrize(
    ("ending", "at_first"),
    [(51, Declined), (26, Pending), (27, Pending), (28, Unknown), (31, object), (36, Pending)],
)
async def test_amounts_steer_as_in_process(gateway: SandboxGateway, ending: int, at_first: type):
    expected: dict[int, type[Inquiry]] = {51: Declined, 27: Declined, 28: NeverSeen}

    async def check(kind: CallKind) -> None:
        asked = await on_something(gateway, kind, 2000 + ending)
        assert isinstance(await gateway.perform(asked), at_first)
        await asyncio.sleep(1.0 if ending in {26, 27, 36} else 0)
        assert isinstance(await gateway.inquire(asked), expected.get(ending, done(kind)))

    await every_kind(check)


@pytest.mark.parametrize(("ending", "later"), [(21, NeverSeen), (22, Approved), (29, NeverSeen)])
async def test_amounts_that_leave_us_without_an_answer(gateway: SandboxGateway, ending: int, later: type):
    asked = call(amount_minor=2000 + ending)
    assert isinstance(await gateway.perform(asked), Unknown)
    assert isinstance(await gateway.inquire(asked), later)
    if ending == 29:
        await asyncio.sleep(1.5)
        assert isinstance(await gateway.inquire(asked), Approved)


@pytest.mark.parametrize(
    ("instrument", "expected"),
    [
        (Card("4242424242424242", 12, 2040, "123"), Approved),
        (Card("4000000000009995", 12, 2040, "123"), Declined),
        (Upi("success@razorpay"), Approved),
        (Upi("failure@razorpay"), Declined),
        (Bank("HDFC"), Approved),
        (Wallet("EMPTY"), Declined),
        (None, Approved),
    ],
)
async def test_instruments_travel(gateway: SandboxGateway, instrument: object, expected: type):
    outcome = await gateway.perform(call(instrument=instrument))  # type: ignore[arg-type] # one of several
    assert isinstance(outcome, expected), outcome


async def test_actions_travel(sandbox: Sandbox, gateway: SandboxGateway):
    asked = call(instrument=Upi(None), method=PaymentMethod.UPI)
    outcome = await gateway.perform(asked)
    assert isinstance(outcome, ActionRequired)
    assert outcome.action is ActionType.UPI_INTENT
    assert outcome.upi_uri is not None
    assert outcome.url is not None
    assert outcome.url.startswith(sandbox.url)
    async with httpx.AsyncClient() as browser:
        await browser.post(outcome.url, data={"choice": "approve"})
    assert isinstance(await gateway.inquire(asked), Approved)


async def test_a_wrong_api_key_is_a_refusal(gateway_with: Callable[..., SandboxGateway]):
    gateway = gateway_with(api_key="another")
    outcome = await gateway.perform(call())
    assert isinstance(outcome, Declined)
    assert outcome.code == "gateway_rejected"
    assert isinstance(await gateway.inquire(call()), Unknown)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/operations/charge", b"{"),
        ("/v1/operations/charge", b'{"key": "k"}'),
        ("/v1/operations/steal", b"{}"),
        ("/v1/operations/charge", b"x" * 20_000),
        (
            "/v1/operations/charge",
            b'{"key":"k","transaction_id":"t","amount_minor":1,"currency":"XXX","method":"UPI"}',
        ),
        (
            "/v1/operations/charge",
            b'{"key":"k","transaction_id":"t","amount_minor":0,"currency":"INR","method":"UPI"}',
        ),
    ],
)
def test_what_makes_no_sense_is_refused(sandbox: Sandbox, path: str, body: bytes):
    assert sandbox.ask("POST", path, content=body).status_code == 422


def test_an_unknown_fault_is_refused_by_name(sandbox: Sandbox):
    body = {"key": "k9", "transaction_id": "t", "amount_minor": 100, "currency": "INR", "method": "UPI"}
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Sandbox-Fault": "explode"}
    answer = httpx.post(f"{sandbox.url}/v1/operations/charge", json=body, headers=headers)
    assert answer.status_code == 422
    assert "hang_before" in answer.json()["error"]["message"]


def test_without_the_api_key_there_is_nothing(sandbox: Sandbox):
    for verb, path in (("GET", "/v1/operations/k"), ("PUT", "/v1/faults"), ("GET", "/v1/movements")):
        answer = httpx.request(verb, sandbox.url + path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_faults_by_a_seeded_rate_never_move_money_twice(sandbox: Sandbox, gateway: SandboxGateway):
    line = [fault.value for fault in LineFault if "hang" not in fault.value]
    rates = dict.fromkeys(line, 0.12)
    assert sandbox.ask("PUT", "/v1/faults", json={"seed": 7, "rates": rates}).json()["rates"] == rates
    unknown = 0
    try:
        calls = [call() for _ in range(60)]
        for asked in calls:
            outcome = await gateway.perform(asked)
            for _ in range(20):
                if isinstance(outcome, Approved):
                    break
                unknown += 1
                outcome = await gateway.perform(asked)
            assert isinstance(outcome, Approved)
            assert outcome == await gateway.inquire(asked)
    finally:
        sandbox.ask("PUT", "/v1/faults", json={"rates": {}})
    assert unknown > 5
    books = sandbox.books()
    keys = [movement.key for movement in books.movements()]
    books.close()
    assert [keys.count(asked.key) for asked in calls] == [1] * 60


@pytest.mark.parametrize("asked", [{"rates": {"explode": 0.1}}, {"rates": {"refuse": 2}}, {"rate": {}}, []])
def test_rates_that_are_none(sandbox: Sandbox, asked: object):
    assert sandbox.ask("PUT", "/v1/faults", json=asked).status_code == 422
    assert set(sandbox.ask("GET", "/v1/faults").json()["faults"]) == set(FAULTS)


async def test_movements_over_http(sandbox: Sandbox, gateway: SandboxGateway):
    asked = call()
    await gateway.perform(asked)
    moved = sandbox.ask("GET", "/v1/movements").json()["movements"]
    assert [m["amount_minor"] for m in moved if m["key"] == asked.key] == [14950]


async def test_banks_and_wallets_over_http(
    gateway: SandboxGateway, gateway_with: Callable[..., SandboxGateway]
):
    assert await gateway.list_instruments() == Listing(BANKS, WALLETS)
    assert isinstance(await gateway_with(api_key="another-key").list_instruments(), Unknown)
