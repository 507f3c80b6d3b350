"""The auditor names each promise that is broken: answers that are right, and one thing about them changed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from proof import promises
from proof.books import AtGateway, Heard
from proof.promises import Request
from support.books import AT, right


def answer(place: int, status: int = 201, said: str = "COMPLETED", **fields) -> promises.Heard:
    document = {
        "payment_id": 1, "transaction_id": "TXN1", "status": said, "gateway": "sandbox",
        "amount_captured_minor": 100, "amount_refunded_minor": 0,
    }  # fmt: skip
    return promises.Heard(place, status, json.dumps(document | fields).encode())


def asked(*answers: promises.Heard, **fields) -> Request:
    return Request(
        **({"verb": "charge", "order": "order-1", "key": "k", "payload": "100"} | fields), answers=answers
    )


def books():
    found = right()
    found.heard[0] = replace(found.heard[0], body={"payment_status": "COMPLETED"})
    return found


PAID_TWICE = asked(answer(1), answer(2))


def test_nothing_is_wrong_with_answers_that_are_right():
    assert promises.audit(books(), [PAID_TWICE, asked(payload="200")]) == []


def another_charge(found):
    found.gateway["KEY2"] = AtGateway("KEY2", "charge", "approved", "TXN1", "KEY2", 100, "INR")


def release(*, paid_for_s: float):
    def put(found):
        at = AT + timedelta(seconds=paid_for_s)
        found.heard.append(Heard(9, "inventory", "TXN1-1-inventory", {}, at))

    return put


def order_heard(**body):
    def put(found):
        found.heard[0] = replace(found.heard[0], body=body)

    return put


BREAKS = {
    "an_answer_stays": (None, [asked(answer(1), answer(2, status=202, amount=1))]),
    "one_request_for_a_key": (None, [PAID_TWICE, asked(answer(3), payload="200")]),
    "one_payment_for_an_order": (None, [asked(answer(1, payment_id=2))]),
    "what_was_told_was_done": (None, [asked(answer(1, amount_captured_minor=101))]),
    "what_was_told_stays": (None, [asked(answer(1, said="REFUNDED"))]),
    "nothing_unasked": (another_charge, [PAID_TWICE]),
    "the_order_service_knows": (order_heard(payment_status="FAILED"), [PAID_TWICE]),
    "stock_is_kept_while_paid": (release(paid_for_s=21.0), [PAID_TWICE]),
}


@pytest.mark.parametrize("law", BREAKS)
def test_each_law_names_what_breaks_it(law):
    found = books()
    breaks, requests = BREAKS[law]
    if breaks is not None:
        breaks(found)
    wrong = promises.audit(found, requests)
    assert any(each.startswith(f"{law}:") for each in wrong), wrong


def test_every_law_is_broken_here():
    assert BREAKS.keys() == {law.__name__ for law in promises.LAWS}


def test_a_release_that_was_right_when_it_was_claimed_may_still_arrive():
    found = books()
    release(paid_for_s=19.0)(found)
    assert promises.audit(found, [PAID_TWICE]) == []
