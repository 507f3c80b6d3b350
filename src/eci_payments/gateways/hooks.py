"""What gateways tell us by themselves: the port of their webhooks, and the closed set of what they can say.

A webhook is verified by its adapter over the raw bytes before anything in it is read. Amounts are in ISO 4217 minor
units of ``currency``, whatever the gateway's own units are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from eci_payments.domain.dispute import DisputeState
from eci_payments.gateways.contract import (
    ActionRequired,
    Approved,
    Cancelled,
    Declined,
    NotSent,
    Outcome,
    Pending,
    Unknown,
    outcome_record,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_EVENT_ID = 255


class BadWebhook(Exception):
    """Not signed by the gateway, too old, or no event; the message says which, and never repeats what was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The operation of ours that an event is about: by our key of it or of its charge, or by the charge's ids there."""

    key: str | None = None
    charge_key: str | None = None
    charges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationTold:
    """What became of one operation. ``amount_minor`` is what was asked for, where the event says it."""

    about: Subject
    currency: str
    outcome: Outcome
    amount_minor: int | None = None
    captures: bool = False
    """Money was taken: of an authorization the outcome is that of the capture, if one was asked for."""
    reserves: bool = False
    """Money was reserved, not taken: a charge that takes at once is not done by that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundTold:
    """What became of a refund, ours by its key or one that was made elsewhere (the gateway's dashboard).

    ``may_be_release``: this gateway also calls it a refund when it lets go of money that was never captured.
    """

    about: Subject
    reference: str
    amount_minor: int
    currency: str
    outcome: Outcome
    may_be_release: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeTold:
    """A chargeback of a charge: opened, won or lost. ``reference`` is the gateway's id of the dispute."""

    about: Subject
    reference: str
    state: DisputeState
    amount_minor: int
    currency: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Signed, and nothing that changes a payment; ``why`` says so for people."""

    why: str


Told = OperationTold | RefundTold | DisputeTold | Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEvent:
    """One webhook, in our words. ``merchant_id`` where the gateway says whose it is; else its account does.

    ``payload`` is the event's own JSON, for people; whoever keeps it masks it first.
    """

    event_id: str
    type: str
    occurred_at: datetime
    told: Told
    payload: dict[str, Any]
    merchant_id: int | None = None


@runtime_checkable
class HookedGateway(Protocol):
    """A gateway that sends webhooks."""

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float
    ) -> GatewayEvent:
        """The event in these raw bytes, signed with any of the secrets. Raises BadWebhook.

        ``headers`` have lower-case names; ``now_s`` is seconds since 1970.
        """
        ...


_TOLD: dict[str, type[Told]] = {
    "operation": OperationTold,
    "refund": RefundTold,
    "dispute": DisputeTold,
    "unread": Unread,
}
_NAMES = {kind: name for name, kind in _TOLD.items()}
_OUTCOMES: dict[str, type[Outcome]] = {
    kind.__name__: kind for kind in (Approved, Declined, ActionRequired, Pending, Cancelled, NotSent, Unknown)
}


def told_record(told: Told) -> dict[str, Any]:
    """What was told as plain JSON values, for the inbox."""
    values = {each.name: getattr(told, each.name) for each in fields(told)}
    return {"is": _NAMES[type(told)]} | {name: _plain(name, value) for name, value in values.items()}


def _plain(name: str, value: object) -> object:
    if name == "outcome":
        return outcome_record(value)  # type: ignore[arg-type] # the field of this name is an outcome
    return msgspec.to_builtins(value) if is_dataclass(value) else value


def told_of(record: Mapping[str, Any]) -> Told:
    """What a record of the inbox tells. Raises KeyError or msgspec.ValidationError for one that is none of ours."""
    values = dict(record)
    kind = _TOLD[values.pop("is")]
    if "about" in values:
        values["about"] = msgspec.convert(values["about"], Subject)
    if "outcome" in values:
        outcome = dict(values["outcome"])
        values["outcome"] = msgspec.convert(outcome, _OUTCOMES[outcome.pop("kind")])
    if "state" in values:
        values["state"] = DisputeState(values["state"])
    return kind(**values)
