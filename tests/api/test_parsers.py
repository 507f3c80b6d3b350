"""The parsers of the edge, by property: whatever comes in, they read it exactly or refuse it by name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eci_payments.api.cursor import Cursor, Cursors
from eci_payments.api.errors import WireError
from eci_payments.api.idempotency_key import PATTERN, read_key
from eci_payments.api.json_text import MAX_DEPTH, decoded
from eci_payments.api.query import read_query
from eci_payments.api.schemas.closed import WireRules
from eci_payments.api.schemas.requests import ChargeBody
from eci_payments.api.schemas.return_url import origin
from eci_payments.api.validation import checked
from eci_payments.domain.ids import MerchantId, OrderId, PaymentId, UserId
from eci_payments.domain.methods import Bank, Card, PaymentMethod, Wallet
from eci_payments.operations.commands import Capture, Charge, Confirm, RefundPayment
from eci_payments.operations.fingerprint import canonical, fingerprint
from eci_payments.store.reads import Filter

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**60), 10**60) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


@given(VALUES)
def test_json_is_read_exactly(value):
    assert decoded(json.dumps(value).encode()) == value
    assert decoded(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_exactly(number):
    text = str(number).replace("E+", "e")
    assert decoded(text.encode()) == number


@pytest.mark.parametrize("text", ["42.0", "42.000", "4.2e1", "420e-1"])
def test_a_whole_number_is_an_integer_however_it_is_written(text):
    """As JSON Schema has it, so that the document and the service mean the same integers."""
    found = decoded(text.encode())
    assert (type(found), found) == (int, 42)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b'"' + b"\\u" * 3)
@example(b"[" * 65536)
@example(b'{"":' * 65536)
@example(b'"[' * 30000)
@example(b"1" * 65536)
@example(b"-1e" + b"9" * 60000)
@example(b"[" + b"1e9," * 16000 + b"1]")
def test_whatever_comes_is_read_or_refused(body):
    try:
        decoded(body)
    except WireError as refused:
        assert refused.code == "malformed_json"  # noqa: PT017 - not always refused


@given(st.integers(0, 40), st.sampled_from(["[]", '{"a":}', "mixed"]))
def test_depth_is_bounded_exactly(depth, kind):
    opening, closing = ("[", "]") if kind == "[]" else ('{"a":', "}")
    text = opening * depth + '"[[[[{{{{\\"[["' + closing * depth
    if depth <= MAX_DEPTH:
        decoded(text.encode())
    else:
        with pytest.raises(WireError, match="levels deep"):
            decoded(text.encode())


@given(VALUES)
def test_whatever_a_document_is_it_is_a_charge_or_refused_by_field(value):
    try:
        checked(ChargeBody, value, WireRules())
    except WireError as refused:
        assert refused.code in {"validation_failed", "card_data_not_allowed"}  # noqa: PT017 - as above
        assert refused.errors  # noqa: PT017 - as above


@given(
    st.text(
        st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"'), min_size=1, max_size=255
    )
)
def test_a_key_is_the_same_bare_and_in_quotes(key):
    quoted = read_key({"headers": [(b"idempotency-key", f'"{key}"'.encode())]}, required=True)
    assert quoted == key
    if key == key.strip():
        assert read_key({"headers": [(b"idempotency-key", key.encode())]}, required=True) == key


@given(st.binary(max_size=300))
def test_whatever_a_key_is_it_is_read_or_refused(value):
    try:
        key = read_key({"headers": [(b"idempotency-key", value)]}, required=True)
    except WireError as refused:
        assert refused.code == "idempotency_key_invalid"  # noqa: PT017 - as above
    else:
        assert key is not None
        assert 1 <= len(key) <= 255
        assert '"' not in key


def test_the_documented_form_of_a_key_is_the_one_that_is_taken():

    for key in ("k", "a b", '"k"', '" k "', "a" * 255, '"' + "a" * 255 + '"'):
        assert re.fullmatch(PATTERN, key)
    for key in ("", '""', '"', '"a', 'a"', "a\n", "é", "a" * 256):
        assert not re.fullmatch(PATTERN, key)


@given(st.binary(max_size=200))
def test_whatever_a_query_is_it_is_read_or_refused(query):
    try:
        read = read_query({"query_string": query}, {"page": int})
    except WireError as refused:
        assert refused.code == "validation_failed"  # noqa: PT017 - as above
    else:
        assert set(read) <= {"page"}


MOMENTS = st.datetimes(timezones=st.just(UTC))
SECRET = b"k" * 32


@given(MOMENTS, st.integers(1, 2**53), st.integers(1, 10**6))
def test_a_cursor_comes_back_as_it_went(moment, payment_id, page):
    cursors = Cursors(SECRET, MerchantId(1), Filter(user_id="u"))
    cursor = Cursor(moment, payment_id, page)
    assert cursors.read(cursors.written(cursor)) == cursor


@given(st.text(max_size=100), st.binary(max_size=60))
def test_a_cursor_of_somebody_else_is_refused(text, noise):
    cursors = Cursors(SECRET, MerchantId(1), Filter())
    written = cursors.written(Cursor(datetime(2026, 1, 1, tzinfo=UTC), 1, 2))
    for other in (
        Cursors(SECRET, MerchantId(2), Filter()),
        Cursors(SECRET, MerchantId(1), Filter(status="FAILED")),
        Cursors(b"o" * 32, MerchantId(1), Filter()),
    ):
        with pytest.raises(WireError):
            other.read(written)
    for forged in (text, noise.hex(), written[:-4] + text):
        if forged != written:
            with pytest.raises(WireError):
                cursors.read(forged)


CARD = Card("4242424242424242", 12, 2030, "123")
A_CHARGE = Charge(
    order_id=OrderId("o"),
    user_id=UserId("u"),
    amount_minor=100,
    currency="INR",
    method=PaymentMethod.CREDIT_CARD,
    instrument=CARD,
    metadata={"a": "1", "b": "2"},
)
SCOPE = "POST /v1/payments/charge"


def test_the_security_code_never_enters_a_fingerprint():
    assert b"4242424242424242" in canonical(SCOPE, A_CHARGE)
    assert b"987" not in canonical(SCOPE, replace(A_CHARGE, instrument=replace(CARD, cvc="987")))
    other = replace(A_CHARGE, instrument=replace(CARD, cvc="9876"))
    assert fingerprint(SECRET, SCOPE, other) == fingerprint(SECRET, SCOPE, A_CHARGE)


def test_the_order_of_metadata_makes_no_difference():
    turned = replace(A_CHARGE, metadata={"b": "2", "a": "1"})
    assert fingerprint(SECRET, SCOPE, turned) == fingerprint(SECRET, SCOPE, A_CHARGE)


def test_everything_else_makes_a_difference():
    others = [
        replace(A_CHARGE, order_id=OrderId("p")),
        replace(A_CHARGE, user_id=UserId("v")),
        replace(A_CHARGE, amount_minor=101),
        replace(A_CHARGE, currency="USD"),
        replace(A_CHARGE, method=PaymentMethod.DEBIT_CARD),
        replace(A_CHARGE, reference="r"),
        replace(A_CHARGE, capture=False),
        replace(A_CHARGE, instrument=None),
        replace(A_CHARGE, instrument=replace(CARD, number="5555555555554444")),
        replace(A_CHARGE, instrument=replace(CARD, exp_year=2031)),
        replace(A_CHARGE, instrument=replace(CARD, holder="A")),
        replace(A_CHARGE, return_url="https://shop.example/"),
        replace(A_CHARGE, metadata={"a": "1"}),
        replace(A_CHARGE, metadata={"a": "1", "b": "2", "c": "3"}),
    ]
    prints = {fingerprint(SECRET, SCOPE, each) for each in (A_CHARGE, *others)}
    assert len(prints) == len(others) + 1
    assert fingerprint(b"o" * 32, SCOPE, A_CHARGE) not in prints
    assert fingerprint(SECRET, "POST /v1/payments", A_CHARGE) not in prints


def test_instruments_of_one_form_are_told_apart():
    bank = Confirm(payment_id=PaymentId(1), instrument=Bank("HDFC"))
    wallet = Confirm(payment_id=PaymentId(1), instrument=Wallet("HDFC"))
    assert fingerprint(SECRET, SCOPE, bank) != fingerprint(SECRET, SCOPE, wallet)


@given(st.decimals(min_value="0.0001", max_value="1000000", places=4), st.integers(0, 3))
def test_amounts_are_equal_however_they_are_written(amount, zeros):
    def of(written: int | str | Decimal) -> bytes:
        return fingerprint(
            SECRET, SCOPE, RefundPayment(payment_id=PaymentId(1), reason="because", amount=written)
        )

    plain = f"{amount:f}"
    assert of(amount) == of(plain) == of(plain + "0" * zeros) == of(Decimal(plain).normalize())
    assert of(plain) != of(amount + Decimal("0.0001"))


@given(st.integers(1, 10**9))
def test_whole_amounts_are_equal_as_integers_and_decimals(amount):
    def of(written: int | str | Decimal) -> bytes:
        return fingerprint(SECRET, SCOPE, Capture(payment_id=PaymentId(1), amount=written))

    assert of(amount) == of(str(amount)) == of(f"{amount}.00") == of(Decimal(amount))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://shop.example", "https://shop.example:443"),
        ("https://shop.example:443/x?y#z", "https://shop.example:443"),
        ("https://SHOP.example/", "https://shop.example:443"),
        ("http://127.0.0.1:8086/", "http://127.0.0.1:8086"),
        ("https://user@shop.example/", None),
        ("https:///x", None),
        ("https://[::1", None),
        ("https://shop.example:99999/", None),
    ],
)
def test_origins(address, expected):
    assert origin(address) == expected


def test_times_that_are_far_apart_keep_their_order_in_cursors():
    cursors = Cursors(SECRET, MerchantId(1), Filter())
    for moment in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC) - timedelta(days=1)):
        assert cursors.read(cursors.written(Cursor(moment, 1, 1))).created_at == moment
