"""What a charge is held against, as pure rules; and fingerprints of cards."""

from __future__ import annotations

from hashlib import sha256

import pytest

from eci_payments.domain.card_fingerprints import card_keys
from eci_payments.domain.ids import MerchantId, PaymentId
from eci_payments.domain.limits import Limit, LimitKind, limits
from eci_payments.domain.screening import Screen, Total, Use, Window, place, why_not

ONE = MerchantId(1)
NUMBER = "4242424242424242"


def user_limit(**fields):
    return Limit(kind=LimitKind.USER, currency="INR", window_s=3600, **fields)


def screen(*windows, **fields):
    return Screen(merchant_id=ONE, currency="INR", actor="a", about="x", windows=windows, **fields)


def beside(subject, amount_minor, currency="INR", merchant=ONE):
    return Use(merchant, subject, PaymentId(9), 1, currency, amount_minor)


@pytest.mark.parametrize(
    ("limit", "used", "amount", "refused"),
    [
        (user_limit(amount_minor=100), Total(0, 0), 100, False),
        (user_limit(amount_minor=100), Total(1, 1), 100, True),
        (user_limit(charges=2), Total(10**9, 1), 10**9, False),
        (user_limit(charges=2), Total(0, 2), 1, True),
        (user_limit(charges=0), Total(0, 0), 1, True),
        (user_limit(amount_minor=100, charges=5), Total(50, 4), 51, True),
        (user_limit(amount_minor=100, charges=5), Total(50, 5), 50, True),
    ],
)
def test_a_window(limit, used, amount, refused):
    window = Window(limit, ("user:7",))
    asked = screen(window)
    why = why_not(asked, amount, {place(asked, window, "user:7"): used}, (), frozenset())
    assert why == ("user limit" if refused else None)


def test_what_begins_beside_it_counts_where_it_is_the_same():
    window = Window(user_limit(amount_minor=100), ("user:7",))
    for use, counts in (
        (beside("user:7", 60), True),
        (beside("user:8", 60), False),
        (beside("user:7", 60, "JPY"), False),
        (beside("user:7", 60, merchant=MerchantId(2)), False),
    ):
        assert (why_not(screen(window), 50, {}, (use,), frozenset()) is not None) is counts


def test_a_card_counts_under_all_its_fingerprints():
    limit = Limit(kind=LimitKind.CARD, currency="INR", window_s=60, amount_minor=100)
    window = Window(limit, ("card:k2:b", "card:k1:a"))
    asked = screen(window)
    totals = {
        place(asked, window, "card:k2:b"): Total(40, 1),
        place(asked, window, "card:k1:a"): Total(40, 1),
    }
    assert why_not(asked, 20, totals, (), frozenset()) is None
    assert why_not(asked, 21, totals, (), frozenset()) == "card limit"


def test_one_charge_and_the_block_list():
    most = Limit(kind=LimitKind.CHARGE, currency="INR", amount_minor=100)
    assert why_not(screen(most=most), 100, {}, (), frozenset()) is None
    assert why_not(screen(most=most), 101, {}, (), frozenset()) == "charge limit"
    blocked = screen(blocked=("user:7", "bin:424242"))
    assert why_not(blocked, 1, {}, (), frozenset({(1, "bin:424242")})) == "blocked bin"
    assert why_not(blocked, 1, {}, (), frozenset({(2, "bin:424242")})) is None


def test_what_is_limited_in_another_currency_is_not_looked_at():
    known = limits([user_limit(amount_minor=1)])
    assert known.screens("INR")
    assert not known.screens("JPY")
    approval = Limit(kind=LimitKind.REFUND_APPROVAL, currency="INR", amount_minor=1)
    assert not limits([approval]).screens("INR")


def test_fingerprints_are_keyed_and_of_one_merchant():
    keys = card_keys(f"k2:{'ab' * 32},k1:{'cd' * 32}")
    present, earlier = keys.fingerprints(1, NUMBER)
    assert (present[:3], earlier[:3], len(present)) == ("k2:", "k1:", 67)
    assert keys.fingerprints(2, NUMBER)[0] != present
    assert sha256(NUMBER.encode()).hexdigest() not in present
    assert card_keys(f"k1:{'cd' * 32}").fingerprints(1, NUMBER) == (earlier,)
    assert "ab" * 32 not in repr(keys)
    assert "abab" not in repr(keys)


@pytest.mark.parametrize(
    "text",
    ["", "k1", f"k1:{'ab' * 31}", f"K1:{'ab' * 32}", f"k1:{'ab' * 32},k1:{'cd' * 32}", f"a:{'ab' * 32} b:{'ab' * 32}",
     " ".join(f"k{n}:{n:064x}" for n in range(5))],
)  # fmt: skip
def test_what_is_no_set_of_keys(text):
    with pytest.raises(ValueError, match="card keys"):
        card_keys(text)
