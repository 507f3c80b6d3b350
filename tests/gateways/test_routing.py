"""Routing rules: which accounts a charge is offered to, in which order, and which rule says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.errors import Refusal
from eci_payments.domain.ids import MerchantId
from eci_payments.domain.methods import Card, PaymentMethod, Upi
from eci_payments.gateways.accounts import Account, narrowed
from eci_payments.gateways.routing import Gateways
from eci_payments.gateways.rules import AmountRange, BinRange, Rule, Wanted
from support.gateway import CAPABILITIES, ScriptedGateway

M = PaymentMethod
CARD = Card("4111110000000003", 12, 2030, "123")


def account(name: str, merchants: set[int] | None = None, **able: object) -> Account:
    gateway = ScriptedGateway(name, replace(CAPABILITIES, **able))  # type: ignore[arg-type] # its own fields
    return Account(gateway, None if merchants is None else frozenset(map(MerchantId, merchants)))


def wanted(method: PaymentMethod = M.UPI, currency: str = "INR", amount_minor: int = 10000, **also) -> Wanted:
    return Wanted(
        merchant_id=MerchantId(also.pop("merchant", 1)),
        method=method,
        currency=currency,
        amount_minor=amount_minor,
        **also,
    )


def names(gateways: Gateways, charge: Wanted) -> list[str]:
    return [gateway.name for gateway in gateways.choose(charge)]


RULES = [
    Rule(name="small-upi", accounts=("b",), methods=frozenset({M.UPI}), amount=AmountRange("INR", 1, 5000)),
    Rule(name="shop-2", accounts=("a",), merchants=frozenset({MerchantId(2)})),
    Rule(
        name="corporate", accounts=("c", "a"), bins=(BinRange("4111", "4111"), BinRange("520000", "529999"))
    ),
    Rule(name="yen", accounts=("c",), currencies=frozenset({"JPY"})),
    Rule(name="rest", accounts=("a", "b")),
]


@pytest.mark.parametrize(
    ("charge", "tried"),
    [
        (wanted(amount_minor=5000), ["b"]),
        (wanted(amount_minor=5001), ["a", "b"]),
        (wanted(currency="JPY", amount_minor=5000), ["c"]),
        (wanted(M.CREDIT_CARD, instrument=CARD), ["c", "a"]),
        (wanted(M.CREDIT_CARD, instrument=replace(CARD, number="5299990000000000")), ["c", "a"]),
        (wanted(M.CREDIT_CARD, instrument=replace(CARD, number="5300000000000000")), ["a", "b"]),
        (wanted(M.CREDIT_CARD), ["a", "b"]),
        (wanted(instrument=Upi("a@b")), ["a", "b"]),
        (wanted(merchant=2), ["a"]),
    ],
)
def test_the_first_rule_that_fits_decides(charge, tried):
    assert names(Gateways([account("a"), account("b"), account("c")], RULES), charge) == tried


def test_without_rules_all_are_tried_in_their_order():
    assert names(Gateways([account("b"), account("a")]), wanted()) == ["b", "a"]


def test_an_account_takes_only_its_merchants_methods_and_currencies():
    gateways = Gateways(
        [
            account("others", {2}),
            account("cards", methods=frozenset({M.CREDIT_CARD})),
            account("yen", currencies=frozenset({"JPY"})),
            account("upi-in-yen", currencies_of={M.UPI: frozenset({"JPY"})}),
            account("all"),
        ]
    )
    assert names(gateways, wanted()) == ["all"]
    assert names(gateways, wanted(M.CREDIT_CARD, merchant=2)) == ["others", "cards", "upi-in-yen", "all"]


def test_where_no_rule_fits_nothing_is_guessed():
    gateways = Gateways([account("a")], [RULES[1]])
    with pytest.raises(Refusal) as refused:
        gateways.choose(wanted())
    assert refused.value.code == "method_not_supported"


def test_an_account_that_needs_details_is_passed_over_without_them():
    careful = account("careful", instrument_required=frozenset({M.UPI}))
    assert names(Gateways([careful, account("easy")]), wanted()) == ["easy"]
    assert names(Gateways([careful, account("easy")]), wanted(instrument=Upi())) == ["careful", "easy"]
    with pytest.raises(Refusal) as refused:
        Gateways([careful]).choose(wanted())
    assert refused.value.code == "instrument_required"


def test_what_may_be_offered_before_the_card_and_the_amount_are_known():
    gateways = Gateways([account("a"), account("b"), account("c")], RULES)

    def offered(charge: Wanted, *, amount_known: bool) -> list[str]:
        return [found.name for found in gateways.offering(charge, amount_known=amount_known)]

    assert offered(wanted(), amount_known=False) == ["b", "c", "a"]
    assert offered(wanted(amount_minor=100), amount_known=True) == ["b"]
    assert offered(wanted(M.CREDIT_CARD), amount_known=True) == ["c", "a", "b"]


def test_an_account_is_narrower_than_its_adapter_and_never_wider():
    able = narrowed(CAPABILITIES, methods=frozenset({M.UPI}), currencies=frozenset({"INR"}))
    assert able.takes(M.UPI, "INR")
    assert not able.takes(M.UPI, "JPY")
    assert not able.takes(M.WALLET, "INR")
    assert narrowed(CAPABILITIES, never_seen_after_s=5).never_seen_after_s == CAPABILITIES.never_seen_after_s
    assert narrowed(CAPABILITIES, never_seen_after_s=500).never_seen_after_s == 500
    with pytest.raises(ValueError, match="WALLET"):
        narrowed(able, methods=frozenset({M.WALLET}))
    with pytest.raises(ValueError, match="JPY"):
        narrowed(able, currencies=frozenset({"JPY"}))


_sets = {
    "merchants": st.frozensets(st.sampled_from([MerchantId(1), MerchantId(2)]), min_size=1),
    "methods": st.frozensets(st.sampled_from([M.CREDIT_CARD, M.UPI]), min_size=1),
    "currencies": st.frozensets(st.sampled_from(["INR", "JPY"]), min_size=1),
    "amount": st.builds(
        lambda code, ends: AmountRange(code, min(ends), max(ends)),
        st.sampled_from(["INR", "JPY"]),
        st.tuples(st.integers(1, 6), st.integers(1, 6)),
    ),
    "bins": st.lists(
        st.sampled_from(
            [
                BinRange("4111", "4111"),
                BinRange("41", "42"),
                BinRange("411100", "411199"),
                BinRange("52", "55"),
            ]
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
}
_rules = st.builds(
    Rule,
    name=st.just("r"),
    accounts=st.just(("a",)),
    **{name: st.none() | values for name, values in _sets.items()},
)
_charges = st.builds(
    wanted,
    st.sampled_from([M.CREDIT_CARD, M.UPI]),
    st.sampled_from(["INR", "JPY"]),
    st.integers(1, 6),
    merchant=st.sampled_from([1, 2]),
    instrument=st.sampled_from([None, CARD, replace(CARD, number="5211110000000000")]),
)


@given(_rules, _rules, _charges)
def test_a_rule_that_covers_another_fits_whatever_that_one_fits(wider, narrower, charge):
    if wider.covers(narrower) and narrower.fits(charge):
        assert wider.fits(charge)


@given(_rules, _charges)
def test_every_rule_covers_itself_and_one_that_fits_may_fit(rule, charge):
    if rule.fits(charge):
        assert rule.covers(rule)
        assert rule.may_fit(charge, amount_known=True)
        assert rule.may_fit(charge, amount_known=False)
