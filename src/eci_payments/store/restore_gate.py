"""The gate after a restore: nothing that moves money begins while our books may lag behind the gateways'.

It is one note of the installation, read in the transaction of every batch of units, so that no process can miss it.
What was begun before goes on: conclusions, returns of late money, and answers that are stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eci_payments.store.installation import HOME_MERCHANT
from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession

NAME = "restored"
OPEN = "open"
RETRY_AFTER_S = 30
"""Asking the gateways takes minutes; a caller who comes twice a minute is no burden."""
IS_CLOSED = (
    f"EXISTS (SELECT FROM installation WHERE merchant_id = {HOME_MERCHANT}"
    f" AND name = '{NAME}' AND value <> '{OPEN}')"
)
"""Whether the gate is closed, as an expression of any statement."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A closed gate: since when the gateways may know more than we do, and when it was closed."""

    since: datetime
    closed_at: datetime


async def is_closed(session: ReadSession | WriteSession) -> bool:
    """Whether nothing may begin."""
    (row,) = await run(session, f"SELECT {IS_CLOSED}")
    return bool(row[0])


async def read(session: ReadSession | WriteSession) -> Gate | None:
    """The gate if it is closed."""
    rows = await run(
        session, "SELECT value FROM installation WHERE merchant_id = $1 AND name = $2", HOME_MERCHANT, NAME
    )
    if not rows or rows[0].value == OPEN:
        return None
    since, closed_at = (datetime.fromisoformat(part) for part in rows[0].value.split())
    return Gate(since, closed_at)


async def close(session: WriteSession, since: datetime) -> Gate:
    """Close it; one that is closed stays so, from the earlier of the two times on."""
    gate, (clock,) = await read(session), await run(session, "SELECT now() AS now")
    closed = Gate(min(since, gate.since if gate else since), gate.closed_at if gate else clock.now)
    await _note(session, f"{closed.since.isoformat()} {closed.closed_at.isoformat()}")
    return closed


async def reopen(session: WriteSession) -> None:
    """Let things begin again."""
    await _note(session, OPEN)


async def _note(session: WriteSession, value: str) -> None:
    await run(
        session,
        "INSERT INTO installation (merchant_id, name, value) VALUES ($1, $2, $3)"
        " ON CONFLICT (merchant_id, name) DO UPDATE SET value = excluded.value",
        HOME_MERCHANT,
        NAME,
        value,
    )
