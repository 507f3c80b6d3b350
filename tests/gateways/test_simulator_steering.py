"""Every line of the steering table, for every kind of operation; and every published instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eci_payments.domain.methods import Bank, Card, PaymentMethod, Upi, Wallet
from eci_payments.gateways.adapters.simulator.instruments import TEST_CARDS, passes_luhn
from eci_payments.gateways.adapters.simulator.steering import BY_ENDING
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    CallKind,
    Cancelled,
    Declined,
    NeverSeen,
    NotSent,
    Pending,
    Unknown,
)
from support.simulator import call

if TYPE_CHECKING:
    from pathlib import Path

    from eci_payments.gateways.contract import GatewayCall
    from support.simulator import Simulator

DECLINES = {
    5: "do_not_honor",
    6: "processing_error",
    11: "authentication_required",
    14: "invalid_card_number",
    43: "lost_or_stolen",
    51: "insufficient_funds",
    54: "expired_card",
    55: "authentication_failed",
    59: "suspected_fraud",
    61: "limit_exceeded",
    77: "incorrect_cvc",
    91: "issuer_unavailable",
}
ODD = {21, 22, 23, 24, 26, 27, 28, 29, 31, 32, 35, 36}
KINDS = list(CallKind)
ACTION_CARD = "4000002500003155"


def card(number: str, year: int = 2040) -> Card:
    return Card(number, 12, year, "123")


async def on_something(simulator: Simulator, kind: CallKind, ending: int) -> GatewayCall:
    """A call of this kind, of 2000 and the ending, on a charge that can bear it."""
    amount = 2000 + ending
    if kind in {CallKind.CHARGE, CallKind.AUTHORIZE}:
        return call(kind, amount)
    cancels = kind is CallKind.CANCEL_ACTION
    charged = CallKind.CHARGE if cancels or kind is CallKind.REFUND else CallKind.AUTHORIZE
    parent = call(charged, 10000, instrument=card(ACTION_CARD) if cancels else None)
    outcome = await simulator.gateway.perform(parent)
    assert isinstance(outcome, ActionRequired if cancels else Approved)
    return call(kind, amount, parent=parent)


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def done(kind: CallKind) -> type[Approved | Cancelled]:
    return Cancelled if kind is CallKind.CANCEL_ACTION else Approved


def test_the_table_is_the_one_that_is_tested_here():
    assert set(BY_ENDING) == set(DECLINES) | ODD


@pytest.mark.parametrize(
    "amount_minor", [10000, 14950, 6000, 25000, 49900, 149900, 99999, 1, 117882, 55888, 52395, 10297, 3333]
)
async def test_ordinary_amounts_are_approved(simulator: Simulator, amount_minor: int):
    outcome = await simulator.gateway.perform(call(amount_minor=amount_minor))
    assert isinstance(outcome, Approved)
    assert outcome.amount_minor == amount_minor


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("ending", "code"), DECLINES.items())
async def test_declines(simulator: Simulator, kind: CallKind, ending: int, code: str):
    asked = await on_something(simulator, kind, ending)
    outcome = await simulator.gateway.perform(asked)
    assert isinstance(outcome, Declined)
    assert outcome.code == code
    assert await simulator.gateway.inquire(asked) == outcome


@pytest.mark.parametrize("kind", KINDS)
async def test_21_lost_on_the_way_and_done_when_it_is_sent_again(simulator: Simulator, kind: CallKind):
    asked = await on_something(simulator, kind, 21)
    assert isinstance(await simulator.gateway.perform(asked), Unknown)
    assert await simulator.gateway.inquire(asked) == NeverSeen()
    simulator.clock.now_s += 10_000
    if kind is not CallKind.CANCEL_ACTION:  # the action's own time has run out meanwhile
        assert await simulator.gateway.inquire(asked) == NeverSeen()
    assert isinstance(await simulator.gateway.perform(asked), done(kind))
    assert isinstance(await simulator.gateway.inquire(asked), done(kind))


@pytest.mark.parametrize("kind", KINDS)
async def test_22_done_but_nobody_was_told(simulator: Simulator, kind: CallKind):
    asked = await on_something(simulator, kind, 22)
    assert isinstance(await simulator.gateway.perform(asked), Unknown)
    assert isinstance(await simulator.gateway.inquire(asked), done(kind))
    assert isinstance(await simulator.gateway.perform(asked), done(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("ending", "end"), [(23, "done"), (24, "declined")])
async def test_23_24_silent_inquiries(simulator: Simulator, kind: CallKind, ending: int, end: str):
    asked = await on_something(simulator, kind, ending)
    assert isinstance(await simulator.gateway.perform(asked), Unknown)
    for _ in range(simulator.record.pace.silent_inquiries):
        assert isinstance(await simulator.gateway.inquire(asked), Unknown)
    assert isinstance(await simulator.gateway.inquire(asked), Declined if end == "declined" else done(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("ending", "end"), [(26, "done"), (27, "declined"), (36, "done")])
async def test_26_27_36_pending(simulator: Simulator, kind: CallKind, ending: int, end: str):
    asked = await on_something(simulator, kind, ending)
    assert isinstance(await simulator.gateway.perform(asked), Pending)
    pace = simulator.record.pace
    simulator.clock.now_s += (pace.deemed_s if ending == 36 else pace.settle_s) - 0.01
    assert isinstance(await simulator.gateway.inquire(asked), Pending)
    simulator.clock.now_s += 0.02
    assert isinstance(await simulator.gateway.inquire(asked), Declined if end == "declined" else done(kind))


@pytest.mark.parametrize("kind", KINDS)
async def test_28_never_leaves(simulator: Simulator, kind: CallKind):
    asked = await on_something(simulator, kind, 28)
    assert isinstance(await simulator.gateway.perform(asked), NotSent)
    assert await simulator.gateway.inquire(asked) == NeverSeen()
    assert asked.key not in {entry.key for entry in simulator.record.entries()}


@pytest.mark.parametrize("kind", KINDS)
async def test_29_comes_late(simulator: Simulator, kind: CallKind):
    asked = await on_something(simulator, kind, 29)
    assert isinstance(await simulator.gateway.perform(asked), Unknown)
    simulator.clock.now_s += simulator.gateway.capabilities.never_seen_after_s
    assert await simulator.gateway.inquire(asked) == NeverSeen()
    assert asked.key not in {movement.key for movement in simulator.record.movements()}
    simulator.clock.now_s += simulator.record.pace.late_s
    assert isinstance(await simulator.gateway.inquire(asked), done(kind))


@pytest.mark.parametrize("kind", KINDS)
async def test_29_sent_again_before_it_came_happens_once(simulator: Simulator, kind: CallKind):
    asked = await on_something(simulator, kind, 29)
    await simulator.gateway.perform(asked)
    assert isinstance(await simulator.gateway.perform(asked), done(kind))
    simulator.clock.now_s += 2 * simulator.record.pace.late_s
    assert isinstance(await simulator.gateway.inquire(asked), done(kind))
    assert len([e for e in simulator.record.entries() if e.key == asked.key]) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_31_slow(simulator: Simulator, kind: CallKind):
    asked = await on_something(simulator, kind, 31)
    assert isinstance(await simulator.gateway.perform(asked), done(kind))


@pytest.mark.parametrize("kind", [CallKind.CHARGE, CallKind.CAPTURE, CallKind.REFUND])
async def test_32_half_of_it(simulator: Simulator, kind: CallKind):
    outcome = await simulator.gateway.perform(await on_something(simulator, kind, 32))
    assert isinstance(outcome, Approved)
    assert outcome.amount_minor == 1016


@pytest.mark.parametrize("kind", KINDS)
async def test_35_asks_the_customer(simulator: Simulator, kind: CallKind):
    outcome = await simulator.gateway.perform(await on_something(simulator, kind, 35))
    charging = kind in {CallKind.CHARGE, CallKind.AUTHORIZE}
    assert isinstance(outcome, ActionRequired if charging else done(kind))


CARDS = [
    ("4242424242424242", None),
    ("4000000000000002", "do_not_honor"),
    ("4000000000009995", "insufficient_funds"),
    ("4000000000009987", "lost_or_stolen"),
    ("4000000000009979", "lost_or_stolen"),
    ("4000000000000069", "expired_card"),
    ("4000000000000127", "incorrect_cvc"),
    ("4000000000000119", "processing_error"),
    ("4242424242424241", "invalid_card_number"),
    ("4000000000000341", "do_not_honor"),
]


@pytest.mark.parametrize(("number", "code"), CARDS)
async def test_published_cards(simulator: Simulator, number: str, code: str | None):
    outcome = await simulator.gateway.perform(call(instrument=card(number)))
    if code is None:
        assert isinstance(outcome, Approved)
        assert outcome.card_brand == "visa"
    else:
        assert isinstance(outcome, Declined)
        assert outcome.code == code


async def test_the_card_that_is_accepted_and_then_declined_when_charged(simulator: Simulator):
    authorize = call(CallKind.AUTHORIZE, instrument=card("4000000000000341"))
    assert isinstance(await simulator.gateway.perform(authorize), Approved)
    capture = await simulator.gateway.perform(call(CallKind.CAPTURE, parent=authorize))
    assert isinstance(capture, Declined)
    assert simulator.record.totals("INR").taken_minor == 0
    assert isinstance(await simulator.gateway.perform(call(CallKind.VOID, parent=authorize)), Approved)


@pytest.mark.parametrize("number", ["4000002500003155", "4000 0027 6000 3184"])
async def test_cards_that_ask_for_3d_secure(simulator: Simulator, number: str):
    outcome = await simulator.gateway.perform(call(instrument=card(number)))
    assert isinstance(outcome, ActionRequired)
    assert outcome.action is ActionType.REDIRECT
    assert outcome.url == f"http://127.0.0.1:8087/challenge/{outcome.reference}"
    assert outcome.expires_in_s == 900


async def test_a_card_past_its_date_is_expired(simulator: Simulator):
    outcome = await simulator.gateway.perform(call(instrument=card("4242424242424242", 26)))
    assert isinstance(outcome, Declined)
    assert outcome.code == "expired_card"


async def test_no_card_number_and_no_security_code_is_in_the_file(simulator: Simulator, tmp_path: Path):
    for number in TEST_CARDS:
        await simulator.gateway.perform(call(instrument=Card(number, 12, 2040, "987", "A. Holder")))
    written = everything_in(tmp_path)
    assert not any(number.encode() in written for number in TEST_CARDS)
    assert b"Holder" not in written


@pytest.mark.parametrize(
    ("vpa", "expected"),
    [
        ("success@razorpay", Approved),
        ("failure@razorpay", Declined),
        ("someone@okbank", Approved),
        ("collect@simulator", ActionRequired),
        ("deemed@simulator", Pending),
    ],
)
async def test_upi_addresses(simulator: Simulator, vpa: str, expected: type):
    outcome = await simulator.gateway.perform(call(instrument=Upi(vpa), method=PaymentMethod.UPI))
    assert isinstance(outcome, expected)
    if isinstance(outcome, ActionRequired):
        assert outcome.action is ActionType.UPI_COLLECT


async def test_a_collect_request_that_nobody_approves_ends_cancelled(simulator: Simulator):
    asked = call(instrument=Upi("expired@simulator"), method=PaymentMethod.UPI)
    assert isinstance(await simulator.gateway.perform(asked), ActionRequired)
    simulator.clock.now_s += simulator.record.pace.settle_s
    assert isinstance(await simulator.gateway.inquire(asked), Cancelled)


async def test_a_upi_intent_is_a_link(simulator: Simulator):
    asked = call(instrument=Upi(None), method=PaymentMethod.UPI, amount_minor=14950)
    outcome = await simulator.gateway.perform(asked)
    assert isinstance(outcome, ActionRequired)
    assert outcome.upi_uri == (
        "upi://pay?pa=shop@simulator&pn=Simulated%20Shop"
        f"&tr={asked.transaction_id}&tn=Order%20{asked.order_id}&am=149.50&cu=INR"
    )


async def test_upi_pays_in_rupees_only(simulator: Simulator):
    asked = call(instrument=Upi(None), method=PaymentMethod.UPI, currency="KWD")
    outcome = await simulator.gateway.perform(asked)
    assert isinstance(outcome, Declined)
    assert outcome.code == "currency_not_supported"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("HDFC", None),
        ("paytm", None),
        ("FAIL", "do_not_honor"),
        ("empty", "insufficient_funds"),
        ("LIMIT", "limit_exceeded"),
        ("DOWN", "issuer_unavailable"),
    ],
)
async def test_banks_and_wallets(simulator: Simulator, code: str, expected: str | None):
    for instrument in (Bank(code), Wallet(code)):
        outcome = await simulator.gateway.perform(call(instrument=instrument))
        assert (outcome.code if isinstance(outcome, Declined) else None) == expected


async def test_a_bank_that_redirects(simulator: Simulator):
    outcome = await simulator.gateway.perform(call(instrument=Bank("REDIRECT")))
    assert isinstance(outcome, ActionRequired)


def test_luhn():
    assert passes_luhn("4242424242424242")
    assert not passes_luhn("4242424242424241")
    assert not passes_luhn("")
    assert not passes_luhn("٤٢٤٢")
