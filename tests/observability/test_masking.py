"""Masking: what must never be read is gone wherever it stands, what we write ourselves stays, in linear time."""

from __future__ import annotations

import json
import re
import time
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.observability.masking import CUT, LONGEST_INPUT, mask
from eci_payments.observability.names import Privacy, privacy_of
from support.cards import card_numbers, grouped

PAN = "4242424242424242"


def digits_of(text: str) -> str:
    return re.sub(r"\D", "", text)


@given(card_numbers(), st.data())
def test_a_card_number_never_survives_in_any_form_or_place(number, data):
    written = data.draw(grouped(number))
    frame = data.draw(
        st.sampled_from(
            [
                "{}",
                "charge of {} refused",
                '{{"payment_details": {{"card": {{"number": "{}"}}}}}}',
                "Card(number='{}')",
                "GET /v1/payments/transaction/{}?x={} HTTP/1.1",
                "[parameters: ('{}', 1)]",
                "\n{}\n{}\n",
                "order_id={}&user_id=7",
                "x{}y",
                "+{}",
                "{}@okaxis",
                "12 {} 34",
            ]
        )
    )
    masked = mask(frame.format(*[written] * frame.count("{}")))
    assert not contains_card_number(masked)
    assert number not in digits_of(masked)


def test_a_masked_card_number_shows_the_last_four_digits_alone():
    assert mask(f"paid with {PAN}.") == "paid with ****-****-****-4242."
    assert mask("paid with 5555 5555-5555 4444.") == "paid with ****-****-****-4444."
    assert mask(f'{{"number": "{PAN}"}}') == '{"number": "****-****-****-4242"}'


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key eci_live_0a1b2c3d4e5f used", "key eci_**** used"),
        ("key sk_test_4eC39HqLyjWDarjtT1zdp7dc", "key sk_****"),
        ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_****"),
        ("Authorization: Bearer abc.def-123", "Authorization: ****"),
        ("sent Bearer abc.def-123 there", "sent Bearer **** there"),
        ("basic QWxhZGRpbjpvcGVu", "basic ****"),
        ("{'authorization': 'Digest a=b, c=d', 'x': 1}", "{'authorization': '****', 'x': 1}"),
        (
            "[(b'x-api-key', b'zz'), (b'cookie', b'a=b; c')]",
            "[(b'x-api-key', b'****'), (b'cookie', b'****')]",
        ),
        ("cookie: a=b; c=d\nhost: x", "cookie: ****\nhost: x"),
        ("to asha.rao+1@mail.example.co.in.", "to ****@****"),
        ("vpa asha-9@okaxis", "vpa ****@****"),
        ("/pay/asha%40okaxis", "/pay/****@****"),
        ("call +91 98765-43210 now", "call +**** now"),
        ("call %2B919876543210 now", "call +**** now"),
        ("call +1 (415) 555-2671", "call +****"),
        ("postgresql://shop:s3cret@db:5432/payments", "postgresql://shop:****@db:5432/payments"),
        ("postgresql+asyncpg://shop:s3%40cret@db/d", "postgresql+asyncpg://shop:****@db/d"),
        ("cvc=123, cvv: 4567", "cvc=****, cvv: ****"),
        ("Card(cvc='123', holder='Asha Rao', exp_month=12)", "Card(cvc='****', holder='****', exp_month=12)"),
        ('{"cvc":"123","name":"Asha","amount":5}', '{"cvc":"****","name":"****","amount":5}'),
        (
            '{\\"cvc\\": \\"123\\", \\"phone\\": \\"98765\\"}',
            '{\\"cvc\\": \\"****\\", \\"phone\\": \\"****\\"}',
        ),
        ("holder=Asha Rao, amount=5", "holder=****, amount=5"),
        ("security code: 123", "security code: ****"),
        ("phone number: 98765 43210; ok", "phone number: ****; ok"),
        ("newPassword=hunter2 for bob", "newPassword=**** for bob"),
        ("X-Api-Key: zzz", "X-Api-Key: ****"),
        ("cvc='12", "cvc='****"),
        ("holder=Asha Rao cvc=123", "holder=**** cvc=****"),
        ("holder: Asha security code: 123", "holder: **** code: ****"),
    ],
)
def test_what_must_not_be_read(text, masked):
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "payment 9007199254740991 concluded",
        "TXNABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "REFA1B2C3D4E5F6",
        "2026-11-23T06:57:27.123456Z",
        "2026-11-23T06:57:27.123456+05:30",
        "in 12.5 ms, 0 of 64, 1e+100, +5",
        "eci_payments.api.server listens",
        'File "/srv/src/eci_payments/settings/loading.py", line 42, in load',
        "NameError: name 'x' is not defined",
        "Task <Task pending name=Task-1> was destroyed",
        "127.0.0.1:8086 - GET /v1/payments/charge 201",
        "a risk_score of 5; task_name=sweep; host name: db",
        "order-1001 at 10:15: approved, code: ok",
        "1795417047123 ms since the epoch",
    ],
)
def test_what_we_write_ourselves_stays_as_it_is(text):
    assert mask(text) == text


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2099, 12, 31)))  # noqa: DTZ001 - Hypothesis wants bounds without a zone
def test_times_stay_as_they_are(moment):
    text = moment.replace(tzinfo=UTC).isoformat()
    assert mask(text) == text
    assert mask(f"at {text}Z, {moment:%H:%M:%S}") == f"at {text}Z, {moment:%H:%M:%S}"


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=26, max_size=26))
def test_transaction_ids_stay_unless_thirteen_digits_of_a_card_stand_in_them(suffix):
    text = f"TXN{suffix}"
    assert mask(text) == text or contains_card_number(text)


@given(st.uuids(), st.integers(1, 2**53 - 1))
def test_other_ids_stay_unless_they_could_be_a_card_number(unique: uuid.UUID, number: int):
    for text in (str(unique), str(number)):
        assert mask(text) == text or contains_card_number(text)


_private = st.text(min_size=1).map(lambda text: f"<{text}>")
_fields = st.dictionaries(st.sampled_from(["cvc", "holder", "first_name", "phone", "password"]), _private)


@given(_fields)
def test_private_fields_of_a_json_text_never_survive(private):
    masked = mask("body " + json.dumps({"amount": 1, **private}))
    for value in private.values():
        assert json.dumps(value)[1:-1] not in masked


@given(st.text())
def test_any_text_can_be_masked(text):
    assert isinstance(mask(text), str)


@given(st.integers(0, 130), card_numbers())
def test_a_cut_leaves_no_part_of_what_it_cuts(before_cut, number):
    filler = "lorem ipsum dolor " * (LONGEST_INPUT // 18 + 1)
    spaced = "-".join(number)
    text = filler[: LONGEST_INPUT - before_cut] + " " + spaced + filler
    masked = mask(text)
    assert masked.endswith(CUT)
    assert len(masked) <= LONGEST_INPUT + len(CUT)
    assert not digits_of(masked)


HOSTILE = [
    *(
        "a",
        "@",
        "a@",
        "+",
        "+1 ",
        "\\",
        "'",
        '"',
        "cvc",
        "cvc=",
        "cvc='",
        "cvc=\\",
        "name='",
        "pan',",
        "Bearer ",
        "://",
    ),
    *(
        "://a:",
        "a:",
        "a=",
        "%40",
        "%2B1",
        "(",
        "4 2 ",
        "sk_a",
        "holder=",
        "cookie:",
        "a-",
        "+1a",
        "_",
        "x=b'\\",
    ),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_with_length_and_not_with_its_square(unit):
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        timings = []
        for _ in range(4):
            started = time.process_time()
            mask(text)
            timings.append(time.process_time() - started)
        return min(timings)

    # Eight times the length: eight times the time, were it a square it would be sixty-four times.
    assert seconds(48_000) < 24 * max(seconds(6_000), 0.0005)


@pytest.mark.parametrize(
    ("name", "privacy"),
    [
        ("cvc", Privacy.SECRET),
        ("Security-Code", Privacy.SECRET),
        ("cardSecurityCode", Privacy.SECRET),
        ("x-api-key", Privacy.SECRET),
        ("webhook_secret", Privacy.SECRET),
        ("auth.token", Privacy.SECRET),
        ("card_pan", Privacy.SECRET),
        ("Set-Cookie", Privacy.HEADER),
        ("holder", Privacy.PERSON),
        ("customer_phone", Privacy.PERSON),
        ("nameOnCard", Privacy.PERSON),
        ("name", Privacy.RECORD),
        ("e-mail", Privacy.RECORD),
        ("placeholder", Privacy.OPEN),
        ("japan", Privacy.OPEN),
        ("service_name", Privacy.OPEN),
        ("order_id", Privacy.OPEN),
        ("", Privacy.OPEN),
    ],
)
def test_names_that_announce_something_private(name, privacy):
    assert privacy_of(name) is privacy
