"""Amounts that steer: what the last two digits of an amount in minor units make of an operation.

The numbers of the declines are those of ISO 8583, field 39, where two digits could be had. The endings leave out what
prices and taxes commonly end in (00 10 20 25 30 33 34 40 45 49 50 56 60 66 67 70 75 80 90 95 98 99, and 41 44 72 82 88
97, which GST and its halves make of prices in 99), so that an ordinary amount is simply approved.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eci_payments.gateways.adapters.simulator.declines import DeclineCode as D
from eci_payments.gateways.adapters.simulator.entry import State


class Told(StrEnum):
    """What the first caller hears of what was done."""

    AT_ONCE = "at_once"
    SLOWLY = "slowly"
    NOTHING = "nothing"
    """The line goes dead: the caller's own time-out ends the call."""
    UNREACHABLE = "unreachable"
    """The connection is refused: nothing is sent."""


class After(StrEnum):
    """How long until it turns: each a setting in `Pace`."""

    SETTLEMENT = "settlement"
    DEEMED = "deemed"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Turn:
    """What it becomes by itself, and when."""

    after: After
    into: State
    code: D | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to one operation."""

    what: str
    state: State = State.APPROVED
    code: D | None = None
    told: Told = Told.AT_ONCE
    turn: Turn | None = None
    silent: bool = False
    """Inquiries learn nothing for a while, although it is done."""
    halved: bool = False
    """Approved for half of the amount only."""


def _declined(code: D) -> Plan:
    return Plan(f"declined: {code}", State.DECLINED, code)


PLAIN = Plan("approved")
BY_ENDING: dict[int, Plan] = {
    5: _declined(D.DO_NOT_HONOR),
    6: _declined(D.PROCESSING_ERROR),
    11: _declined(D.AUTHENTICATION_REQUIRED),
    14: _declined(D.INVALID_CARD_NUMBER),
    43: _declined(D.LOST_OR_STOLEN),
    51: _declined(D.INSUFFICIENT_FUNDS),
    54: _declined(D.EXPIRED_CARD),
    55: _declined(D.AUTHENTICATION_FAILED),
    59: _declined(D.SUSPECTED_FRAUD),
    61: _declined(D.LIMIT_EXCEEDED),
    77: _declined(D.INCORRECT_CVC),
    91: _declined(D.ISSUER_UNAVAILABLE),
    21: Plan("no answer, and nothing happened; sent again it is done", State.ABSENT, told=Told.NOTHING),
    22: Plan("done, but no answer", told=Told.NOTHING),
    23: Plan("no answer, inquiries learn nothing at first; it was approved", told=Told.NOTHING, silent=True),
    24: Plan(
        "no answer, inquiries learn nothing at first; it was declined",
        State.DECLINED,
        D.DO_NOT_HONOR,
        told=Told.NOTHING,
        silent=True,
    ),
    26: Plan("pending, approved after a while", State.PENDING, turn=Turn(After.SETTLEMENT, State.APPROVED)),
    27: Plan(
        "pending, declined after a while",
        State.PENDING,
        turn=Turn(After.SETTLEMENT, State.DECLINED, D.DO_NOT_HONOR),
    ),
    28: Plan("not sent: the connection is refused", State.ABSENT, told=Told.UNREACHABLE),
    29: Plan(
        "no answer, inquiries say never seen; done long after",
        State.ABSENT,
        told=Told.NOTHING,
        turn=Turn(After.LATE, State.APPROVED),
    ),
    31: Plan("approved, with a slow answer", told=Told.SLOWLY),
    32: Plan("approved for half of the amount", halved=True),
    35: Plan("the customer has to approve it on the bank's page", State.ACTION),
    36: Plan(
        "deemed: pending for long, then approved", State.PENDING, turn=Turn(After.DEEMED, State.APPROVED)
    ),
}
"""The endings that steer; every other is `PLAIN`."""


def plan_for(amount_minor: int) -> Plan:
    """What an amount's last two digits of minor units ask for."""
    return BY_ENDING.get(amount_minor % 100, PLAIN)
