"""The inbox: what gateways told us by webhook, each event with what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from datetime import datetime

InboxId = NewType("InboxId", int)


class InboxState(StrEnum):
    """PENDING is to be applied. PARKED and MISMATCH wait for a person; the other two are final."""

    PENDING = "PENDING"
    APPLIED = "APPLIED"
    IGNORED = "IGNORED"
    MISMATCH = "MISMATCH"
    PARKED = "PARKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxWrite:
    """What became of an event, written with the change that it made.

    ``expected_epoch`` is the claim's; a row that somebody else has claimed since is left to them. ``due_at`` is when
    a PENDING one is tried again.
    """

    inbox_id: InboxId
    expected_epoch: int
    state: InboxState
    why: str
    payment_id: int | None = None
    due_at: datetime | None = None
