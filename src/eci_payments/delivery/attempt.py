"""What follows from one try: the peer's answer becomes the conclusion that is written down. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eci_payments.delivery.backoff import Park, after_failure, retry_after_s
from eci_payments.store.deliveries import DeliveryState
from eci_payments.store.delivery_claims import Claimed, Conclusion

if TYPE_CHECKING:
    from eci_payments.delivery.sender import Answer

MAX_ERROR_CHARACTERS = 200
"""Enough to tell what happened; it stands in a table and on an operator's screen."""
_UNPRINTABLE = re.compile(r"[^ -~]+")


def conclusion(claimed: Claimed, answer: Answer, *, max_age_s: float, spread: float) -> Conclusion:
    """Any 2xx is taken; 410 parks; everything else is tried again until it has been tried for ``max_age_s``."""
    if answer.status is not None and 200 <= answer.status < 300:  # noqa: PLR2004 - RFC 9110, 15.3: Successful
        return Conclusion(claimed=claimed, state=DeliveryState.DELIVERED, status=answer.status)
    follows = after_failure(
        tries=claimed.tries,
        age_s=claimed.age_s,
        max_age_s=max_age_s,
        status=answer.status,
        retry_after_s=retry_after_s(answer.retry_after, claimed.claimed_at),
        spread=spread,
    )
    if isinstance(follows, Park):
        return parked(claimed, follows.reason, answer.status)
    return Conclusion(
        claimed=claimed,
        state=DeliveryState.PENDING,
        delay_s=follows.delay_s,
        status=answer.status,
        error=words(answer.error or f"HTTP {answer.status}"),
    )


def parked(claimed: Claimed, reason: str, status: int | None = None) -> Conclusion:
    """The end of trying, until an operator replays it."""
    return Conclusion(claimed=claimed, state=DeliveryState.PARKED, status=status, error=words(reason))


def words(text: str) -> str:
    """Text from outside as it may stand in a row and a log: printable ASCII, and not much of it."""
    return _UNPRINTABLE.sub(" ", text)[:MAX_ERROR_CHARACTERS]
