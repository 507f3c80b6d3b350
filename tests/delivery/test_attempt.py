from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eci_payments.delivery.attempt import MAX_ERROR_CHARACTERS, conclusion, words
from eci_payments.delivery.sender import Answer
from eci_payments.domain.ids import DeliveryId
from eci_payments.store.delivery_claims import Claimed, Conclusion
from support.shop import MERCHANT, event, payment

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MAX_AGE_S = 72 * 3600.0


def ended(answer: Answer, **fields: Any) -> Conclusion:
    claimed = Claimed(
        **{
            "merchant_id": MERCHANT,
            "delivery_id": DeliveryId(1),
            "destination": "order",
            "lease_epoch": 1,
            "tries": 1,
            "age_s": 0.0,
            "claimed_at": NOW,
            "event": event(payment()),
            **fields,
        }
    )
    return conclusion(claimed, answer, max_age_s=MAX_AGE_S, spread=0.5)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status: int):
    ends = ended(Answer(status))
    assert (ends.state, ends.status, ends.error) == ("DELIVERED", status, None)


@pytest.mark.parametrize("status", [100, 199, 300, 301, 307, 400, 401, 404, 409, 422, 429, 500, 503])
def test_everything_else_is_tried_again(status: int):
    ends = ended(Answer(status))
    assert (ends.state, ends.delay_s, ends.error) == ("PENDING", 1.0, f"HTTP {status}")


def test_no_answer_is_tried_again_and_says_why():
    ends = ended(Answer(None, error="no answer within 5 s"), tries=2)
    assert (ends.state, ends.delay_s, ends.status, ends.error) == (
        "PENDING",
        2.0,
        None,
        "no answer within 5 s",
    )


def test_a_date_to_come_back_at_is_measured_from_the_databases_clock():
    at = format_datetime(NOW + timedelta(hours=5), usegmt=True)
    assert ended(Answer(503, retry_after=at)).delay_s == 5 * 3600


@pytest.mark.parametrize(
    ("answer", "age_s", "word"),
    [(Answer(410), 0.0, "410"), (Answer(503), MAX_AGE_S, "72 h"), (Answer(None), MAX_AGE_S, "72 h")],
)
def test_the_end_of_trying_is_parked_with_its_reason(answer: Answer, age_s: float, word: str):
    ends = ended(answer, age_s=age_s, tries=90)
    assert ends.state == "PARKED"
    assert ends.status == answer.status
    assert word in (ends.error or "")


@given(st.text())
def test_words_from_outside_are_short_and_printable(text: str):
    kept = words(text)
    assert len(kept) <= MAX_ERROR_CHARACTERS
    assert kept.isascii()
    assert all(character.isprintable() for character in kept)
