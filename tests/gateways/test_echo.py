"""What gateways repeat of a card: no form of it is left in any outcome, and what is no card's stays as it was."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.ids import GatewayKey, MerchantId, TransactionId
from eci_payments.domain.methods import Card, PaymentMethod
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    CallKind,
    Cancelled,
    Declined,
    GatewayCall,
    NotSent,
    Pending,
    Prepared,
    Unknown,
)
from eci_payments.gateways.echo import without_card_data
from support.cards import card_numbers, grouped

CARD = Card("5301250070000191", 12, 2031, "917", "Zephyrine Quartermaine")
CALL = GatewayCall(
    CallKind.CHARGE,
    GatewayKey("k"),
    MerchantId(1),
    TransactionId("TXN"),
    14950,
    "INR",
    PaymentMethod.CREDIT_CARD,
    CARD,
)
LATER = replace(CALL, instrument=None)
RAW = CARD.number.encode()
FORMS = {
    "as it is": CARD.number,
    "in groups": "5301 2500 7000 0191",
    "with slashes": "5301/2500/7000/0191",
    "hex": RAW.hex(),
    "HEX": RAW.hex().upper(),
    "base64": base64.b64encode(RAW).decode(),
    "base64 behind others": base64.b64encode(b"no=" + RAW + b";").decode()[4:-2],
    "base64 behind one": base64.b64encode(b"n" + RAW).decode()[2:-2],
    "sha256": hashlib.sha256(RAW).hexdigest(),
    "md5": hashlib.md5(RAW).hexdigest().upper(),
    "sha512 in base64": base64.b64encode(hashlib.sha512(RAW).digest()).decode(),
    "the code": "917",
    "the code's hash": hashlib.sha256(b"917").hexdigest(),
    "the holder": "ZEPHYRINE Quartermaine",
}


def outcomes(leak: str):
    yield Approved(f"ref-{leak}", 14950, f"A-{leak}", f"approved {leak}", leak)
    yield Declined(leak, f"declined: {leak}", reference=f"pay_{leak}_x")
    yield ActionRequired(f"r {leak}", ActionType.REDIRECT, url=f"https://bank.example/?x={leak}&y=1")
    yield ActionRequired("r", ActionType.UPI_INTENT, upi_uri=f"upi://pay?pa=a@b&tn={leak}")
    yield Pending(f"r.{leak}", leak)
    yield Cancelled(f"r:{leak}")
    yield Unknown(f"why {leak}")
    yield NotSent(leak)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_the_card_that_was_sent_is_left(form):
    leak = FORMS[form]
    for outcome in outcomes(leak):
        clean = without_card_data(outcome, CALL)
        assert type(clean) is type(outcome)
        assert leak.rstrip("=") not in str(astuple(clean)), clean
    assert isinstance(without_card_data(Prepared(f"pi_{leak}x"), CALL), NotSent) or form == "the code"


@given(st.data())
def test_any_number_in_any_grouping_is_found_while_the_card_is_at_hand_and_later(data):
    number = data.draw(card_numbers())
    written = data.draw(grouped(number))
    call = replace(CALL, instrument=replace(CARD, number=number))
    for about in (call, replace(call, instrument=None)):
        for outcome in outcomes(f"<{written}>"):
            assert written not in str(astuple(without_card_data(outcome, about)))


@pytest.mark.parametrize(
    "text", ["the code 917 is wrong", "cvv:917", "CVC=917", "security code 917", "(917)"]
)
def test_a_code_is_found_later_too_by_its_name_and_its_few_digits(text):
    for outcome in (Declined("incorrect_cvc", text), Approved("r", 1, "917", text), Pending("r", text)):
        assert "917" not in str(astuple(without_card_data(outcome, LATER)))
    named = ActionRequired("r", ActionType.REDIRECT, url="https://bank.example/?a=1&cvv=917&b=2")
    assert without_card_data(named, LATER) == replace(named, url="https://bank.example/?a=1&cvv=****&b=2")


def test_what_is_no_card_data_stays_as_it_is():
    for outcome in (
        Approved("pi_3QJ917xkLm24", 14950, "917204", "Approved.", "visa"),
        Declined("insufficient_funds", "There is not enough money in the account.", reference="pay_917aB3"),
        ActionRequired("r-1", ActionType.REDIRECT, "https://bank.example/3ds?token=aB917x&id=1", None, 900),
        Pending("rfnd_Q1", None),
        Unknown("status 503"),
        NotSent("Stripe answered 429 and did nothing"),
        Prepared("order_Q8s2"),
    ):
        assert without_card_data(outcome, CALL) == outcome
        assert without_card_data(outcome, LATER) == outcome
    upi = replace(LATER, method=PaymentMethod.UPI)
    intent = ActionRequired(
        "1234567890123", ActionType.UPI_INTENT, upi_uri="upi://pay?pa=shop@bank&am=149.50"
    )
    assert without_card_data(intent, upi) == intent


def test_an_amount_that_is_the_number_and_fields_of_other_types_tell_nothing():
    assert isinstance(without_card_data(Approved("r", int(CARD.number)), CALL), Unknown)
    assert isinstance(without_card_data(Approved("r", int(CARD.number)), LATER), Unknown)
    strange: list[object] = [{"number": CARD.number}, [CARD.number], int(CARD.number)]
    for value in strange:
        told = ActionRequired("r", ActionType.REDIRECT, url=value, expires_in_s=int(CARD.number))  # type: ignore[arg-type] # one of several
        clean = without_card_data(told, CALL)
        assert CARD.number not in str(astuple(clean))
        assert isinstance(clean, ActionRequired)
        assert clean.expires_in_s is None
