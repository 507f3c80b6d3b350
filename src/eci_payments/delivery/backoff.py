"""When a delivery that was not taken is tried again, and when trying ends. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

FIRST_DELAY_S = 1.0
"""After the first failed try; doubled after each further one (contract: 0 s, +1 s, +2 s, then doubling)."""
MAX_DELAY_S = 3600.0
"""The longest pause of our own choosing (contract)."""
UNJITTERED_TRIES = 2
"""The first two pauses are exact; from the third on each is spread, so that a queue does not return as one wave."""
JITTER = 0.5
"""A spread pause is between this part of its length and the whole of it."""
MAX_RETRY_AFTER_S = 24 * 3600.0
"""A peer may put a delivery off for a day; a longer wish is taken for a mistake and counts as a day."""
GONE = 410
"""The peer will never want this delivery (contract; Standard Webhooks: 410 ends it)."""
_DOUBLINGS = 12
"""2^12 s is more than `MAX_DELAY_S`: no larger power is ever computed."""
_LONGEST_DATE = 64
_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after ``delay_s``."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Park:
    """Stop trying, for the reason given; an operator may replay it."""

    reason: str


def after_failure(
    *,
    tries: int,
    age_s: float,
    max_age_s: float,
    status: int | None,
    retry_after_s: float | None,
    spread: float,
) -> Again | Park:
    """What becomes of a delivery whose ``tries``-th try has just failed.

    ``age_s`` is the time since its first try, ``status`` the peer's answer (None: there was none), ``retry_after_s``
    the peer's own wish, ``spread`` a random number in [0, 1). The last try falls at ``max_age_s``, not beyond,
    unless the peer itself asked for longer.
    """
    if status == GONE:
        return Park("the peer answered 410: it will never take this delivery")
    if age_s >= max_age_s:
        return Park(f"not taken in {max_age_s / 3600:g} h and {tries} tries")
    own_delay_s = min(delay_s(tries, spread), max_age_s - age_s)
    return Again(max(own_delay_s, min(retry_after_s or 0.0, MAX_RETRY_AFTER_S)))


def delay_s(tries: int, spread: float) -> float:
    """Our own pause after the ``tries``-th failed try (1, 2, …), in seconds."""
    whole_s = min(FIRST_DELAY_S * 2.0 ** min(tries - 1, _DOUBLINGS), MAX_DELAY_S)
    if tries <= UNJITTERED_TRIES:
        return whole_s
    return whole_s * (JITTER + (1 - JITTER) * spread)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` asks for (RFC 9110, 10.2.3): a number of them, or an HTTP-date.

    None for an absent or malformed header; never negative. ``now`` is only compared with the date in it.
    """
    value = (header or "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        at = parsedate_to_datetime(value[:_LONGEST_DATE])
    except (ValueError, OverflowError, TypeError, IndexError):  # the parser of mail dates fails in many ways
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=now.tzinfo)
    return max((at - now).total_seconds(), 0.0)
