"""Masking against text that nobody would write: masked twice is masked once, and nothing private is left of it."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.observability.masking import CUT, LONGEST_INPUT, mask
from support.cards import card_numbers, grouped

if TYPE_CHECKING:
    from collections.abc import Callable

PIECES = (
    *(
        "",
        " ",
        "  ",
        "\n",
        "\t",
        "\0",
        "\u00a0",
        "\u200b",
        "\ud800",
        "\U0001f4b3",
        "é",
        "%20",
        "%40",
        "%2B",
        "%",
    ),
    *(
        "'",
        '"',
        "\\",
        '\\"',
        "\\\\'",
        "b'",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "<",
        ">",
        ",",
        ";",
        "&",
        "|",
        "#",
        "?",
    ),
    *("=", ":", "=>", ": ", " = ", "://", "@", "+", "-", "--", "_", ".", "*", "****", "...[cut]"),
    *(
        "cvc",
        "cvc=",
        '"cvv": ',
        "holder=",
        "name",
        "phone: ",
        "password=",
        "Authorization: ",
        "Bearer ",
        "basic ",
    ),
    *(
        "cookie: ",
        "('x-api-key', ",
        "card ",
        "number",
        "security code: ",
        "eci",
        "eci_",
        "sk_live_",
        "postgresql://a:",
    ),
    *("0", "4", "42", "4242", "12345678901234", "a", "Z", "word", "****-****-****-4242"),
)
"""What the patterns look for, and what might lead them astray, in parts."""
NOISE = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=12).map("".join)
APART = st.sampled_from([" ", "\n", "\t", "'", '"', "(", ")", "<", ">", ",", ";", " = ", ": "])
"""What cannot be part of what it stands beside."""
LABEL = st.from_regex(r"[a-z][a-z0-9.+_-]{0,20}", fullmatch=True, alphabet=st.characters(max_codepoint=126))
ADDRESSES = st.tuples(LABEL, st.from_regex(r"[a-z]{2,12}(\.[a-z]{2,8}){0,2}", fullmatch=True)).map("@".join)
"""E-mail addresses, and those of UPI, which have no dot after the @."""
SECRET = st.text("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", min_size=12, max_size=40)
KEYS = st.tuples(
    st.sampled_from(["eci_1_", "sk_test_", "sk_live_", "rk_live_", "rzp_live_", "whsec_"]), SECRET
)


@given(NOISE)
@example("cvc=cvc=1 Bearer +")
@example("a@b@c %40 d%40e")
@example('cvc="cvv": ')
@example("holder='Asha' paid 5")
@example("holder=Asha Rao cvc=123")
def test_masked_twice_is_masked_once(text):
    once = mask(text)
    assert mask(once) == once


@given(NOISE, APART, card_numbers(), APART, NOISE, st.data())
def test_no_card_number_is_left_in_any_company(before, left, number, right, after, data):
    written = data.draw(grouped(number))
    masked = mask(f"{before}{left}{written}{right}{after}")
    assert number not in re.sub(r"[^0-9]", "", masked)
    assert not contains_card_number(masked)


@given(NOISE, APART, KEYS, APART, NOISE)
def test_no_key_is_left_in_any_company(before, left, key, right, after):
    prefix, secret = key
    assert secret not in mask(f"{before}{left}{prefix}{secret}{right}{after}").replace(before, "").replace(
        after, ""
    )


WORDS = st.sampled_from(
    [
        "payment",
        "charged",
        "order",
        "at",
        "took",
        "ms",
        "refused by the web server:",
        "GET",
        "201",
        "of",
        "->",
        "in flight",
    ]
)
CODES = st.text("0123456789", min_size=3, max_size=4)
NAMES = st.sampled_from(["cvc=", "cvv: ", "security code: ", '"cvc": ', "card_cvc=>"])
QUOTES = st.sampled_from(["", "'", '"'])
COMPANY = st.lists(
    WORDS
    | st.sampled_from(
        ["holder=Asha Rao", "phone: 98765 43210", "name='x'", '{"holder": "Asha"}', "password=a b"]
    )
)


@given(COMPANY, NAMES, CODES, QUOTES, COMPANY)
@example(["holder=Asha Rao"], "cvc=", "123", "", [])
def test_no_security_code_is_left_beside_other_private_values(before, name, code, quote, after):
    text = " ".join([*before, f"{name}{quote}{code}{quote}", *after])
    assert code not in mask(text).replace("98765 43210", "")


@given(NOISE, APART, ADDRESSES, APART, NOISE)
def test_no_address_is_left_in_any_company(before, left, address, right, after):
    assert address not in mask(f"{before}{left}{address}{right}{after}")


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1))  # noqa: DTZ001 - Hypothesis wants bounds without a zone
OWN = st.one_of(
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=26, max_size=26).map("TXN{}".format),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=12, max_size=12).map("REF{}".format),
    MOMENTS.map(lambda at: at.replace(tzinfo=UTC).isoformat()),
    st.integers(1, 10**12).map(str),
    st.uuids().map(str),
    st.uuids().map(lambda unique: unique.hex),
    st.sampled_from(
        ["/v1/payments/{payment_id}/refund", "127.0.0.1:8086", "order-1001", "eci_payments.api.server"]
    ),
).filter(lambda text: not contains_card_number(text))
"""What we write ourselves: ids, references, times, traces, routes. What looks like a card number is never shown."""


@given(st.lists(WORDS | OWN, min_size=1, max_size=12))
def test_ids_and_times_of_our_own_stay_in_every_sentence(words):
    text = " | ".join(words)
    assert mask(text) == text


@given(st.sampled_from(PIECES), st.sampled_from(PIECES), st.integers(1, 40_000))
@settings(max_examples=60)
@example("cvc=1 ", "", 40_000)
@example("a@a ", "", 40_000)
def test_however_long_it_is_and_whatever_is_repeated_the_answer_has_a_bound(first, second, times):
    masked = mask(((first + second) * times)[: 2 * LONGEST_INPUT])
    assert len(masked) <= LONGEST_INPUT + len(CUT)


def calls_of(masking: Callable[[], object]) -> int:
    """How many functions are called meanwhile, ours and C's."""
    count = 0

    def seen(_frame: object, event: str, _about: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        masking()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "unit", [a + b for a in ("4", "cvc=", "a@", "'", "+1 ", "sk_", ", '") for b in ("", " ", "\\", "4 2")]
)
def test_the_work_grows_with_the_length_and_not_with_its_square(unit):
    """Counted in calls: what a text of eight times the length takes is eight times as much, and little more."""
    short, long = ((unit * length)[:length] for length in (4_000, 32_000))
    assert calls_of(lambda: mask(long)) <= 9 * calls_of(lambda: mask(short)) + 200
