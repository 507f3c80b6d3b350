"""What can be paid with: told from what the gateways can, remembered, and true when a gateway does not answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.money import currency
from eci_payments.gateways.contract import Capabilities, Listing, Unknown
from eci_payments.gateways.routing import Gateways
from eci_payments.operations import offers
from eci_payments.operations.engine import Engine
from eci_payments.operations.offers import Offers
from eci_payments.operations.rules import Rules
from support.gateway import CAPABILITIES, ScriptedGateway
from support.waiting import until

PATH = "/v1/payment-methods"
M = PaymentMethod
INR = currency("INR")


@dataclass
class TellingGateway(ScriptedGateway):
    """Tells what the test says, as often as it is asked."""

    answers_with: object = field(default_factory=lambda: Listing({"HDFC": "HDFC Bank"}, {"paytm": "Paytm"}))
    asked: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def list_instruments(self) -> object:
        self.asked += 1
        await self.may_answer.wait()
        return self.answers_with


def telling(name: str = "telling", *, waits: bool = False) -> TellingGateway:
    gateway = TellingGateway(name, replace(CAPABILITIES, lists_instruments=True))
    if not waits:
        gateway.may_answer.set()
    return gateway


def over(*gateways: ScriptedGateway, max_charge_amount: Decimal = Decimal(100000)) -> Offers:
    engine = Engine(None, None, None, Gateways(gateways), Rules(max_charge_amount=max_charge_amount))  # type: ignore[arg-type] # none is used
    return Offers(engine)


async def methods(found: Offers, code: str = "INR", **asked: int) -> dict[str, list[str]]:
    return {
        o.method: [p.gateway.name for p in o.places]
        for o in await found.of(SINGLE_SHOP, currency(code), **asked)
    }


async def test_all_methods_of_the_simulator_with_its_banks_and_wallets(api):
    told = (await api.get(PATH)).json()
    assert told["currency"] == "INR"
    by_method = {each["payment_method"]: each["gateways"] for each in told["payment_methods"]}
    assert set(by_method) == set(M)
    assert by_method["COD"] == []
    (bank,), (wallet,), (card,) = (by_method[m] for m in ("NET_BANKING", "WALLET", "CREDIT_CARD"))
    assert {"code": "HDFC", "name": "HDFC Bank"} in bank["banks"]
    assert {"code": "paytm", "name": "Paytm"} in wallet["wallets"]
    assert (bank["wallets"], wallet["banks"], card["banks"], card["wallets"]) == (None,) * 4
    names = [each["name"] for each in bank["banks"]]
    assert names == sorted(names)


async def test_what_is_told_can_be_paid_with(api):
    told = (await api.get(PATH)).json()["payment_methods"]
    (bank,) = (each["gateways"][0]["banks"] for each in told if each["payment_method"] == "NET_BANKING")
    paid = await api.paid(payment_method="NET_BANKING", payment_details={"bank": {"code": bank[0]["code"]}})
    assert paid["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("code", "least", "most", "most_minor"),
    [
        ("INR", "0.01", "100000.00", 10**7),
        ("JPY", "1", "100000", 10**5),
        ("KWD", "0.001", "100000.000", 10**8),
    ],
)
async def test_limits_are_in_the_currencys_digits(api, code, least, most, most_minor):
    response = await api.get(PATH, params={"currency": code})
    assert f'"min_amount":{least},"min_amount_minor":1,"max_amount":{most},' in response.text
    assert response.json()["max_amount_minor"] == most_minor


async def test_an_amount_above_the_limit_can_be_paid_with_nothing(api):
    assert (await api.get(PATH, params={"amount": "100000.01"})).json()["payment_methods"] == []
    assert len((await api.get(PATH, params={"amount": "100000"})).json()["payment_methods"]) == len(M)


@pytest.mark.parametrize(
    ("query", "field_name"),
    [
        ("amount=1.001", "amount"),
        ("amount=0", "amount"),
        ("amount=1e3", "amount"),
        ("currency=XAU", "currency"),
        ("currency=inr", "currency"),
        ("currency=JPY&amount=1.5", "amount"),
        ("method=UPI", "method"),
    ],
)
async def test_what_makes_no_sense_is_refused(api, query, field_name):
    refused = await api.get(f"{PATH}?{query}")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field_name)


async def test_gateways_stand_where_they_are_able_in_the_order_of_choice():
    cards = frozenset({M.CREDIT_CARD, M.DEBIT_CARD})
    first = ScriptedGateway("first", Capabilities(methods=cards, currencies=frozenset({"INR"})))
    second = telling("second")
    assert await methods(over(first, second)) == {
        M.CREDIT_CARD: ["first", "second"],
        M.DEBIT_CARD: ["first", "second"],
        M.UPI: ["second"],
        M.WALLET: ["second"],
        M.NET_BANKING: ["second"],
        M.COD: [],
    }
    assert (await methods(over(first, second), "USD"))[M.CREDIT_CARD] == ["second"]
    assert await methods(over(first), "USD") == {M.COD: []}


async def test_a_method_that_the_account_has_switched_off_is_not_offered():
    gateway = telling()
    gateway.answers_with = Listing({}, {}, frozenset({M.UPI}))
    assert await methods(over(gateway)) == {M.UPI: ["telling"], M.COD: []}


async def test_a_gateway_is_asked_once_and_remembered():
    gateway = telling()
    found = over(gateway)
    await asyncio.gather(*(methods(found) for _ in range(20)))
    await methods(found)
    assert gateway.asked == 1


async def test_a_gateway_that_does_not_answer_holds_nobody_up_and_is_told_later(monkeypatch):
    monkeypatch.setattr(offers, "PATIENCE_S", 0.05)
    gateway = telling(waits=True)
    found = over(gateway)
    (bank,) = (offer for offer in await found.of(SINGLE_SHOP, INR) if offer.method is M.NET_BANKING)
    assert bank.places[0].listing is None
    gateway.may_answer.set()

    async def told() -> bool:
        return (await found.of(SINGLE_SHOP, INR))[0].places[0].listing == gateway.answers_with

    await until(told)
    assert gateway.asked == 1


async def test_a_gateway_that_fails_keeps_what_it_told_before_and_is_left_alone_for_a_while(monkeypatch):
    monkeypatch.setattr(offers, "FRESH_S", 0.0)
    gateway = telling()
    found = over(gateway)
    before = await found.of(SINGLE_SHOP, INR)
    gateway.answers_with = Unknown("it is down")
    for _ in range(5):
        assert await found.of(SINGLE_SHOP, INR) == before
        await asyncio.sleep(0)
    assert gateway.asked == 2


async def test_a_limit_with_more_digits_than_the_currency_is_rounded_down():
    assert over(max_charge_amount=Decimal("1000.5")).most_minor(currency("JPY")) == 1000
