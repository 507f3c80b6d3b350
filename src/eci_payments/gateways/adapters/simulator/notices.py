"""Notices: what the gateway will tell the shop by webhook, written in the same commit as what it tells of."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from eci_payments.gateways.adapters.simulator.declines import DeclineCode
from eci_payments.gateways.adapters.simulator.disputes import Dispute, find_dispute
from eci_payments.gateways.adapters.simulator.entry import Entry, State
from eci_payments.gateways.adapters.simulator.table import find
from eci_payments.gateways.contract import CallKind

if TYPE_CHECKING:
    import sqlite3

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
MAX_ATTEMPTS = 14
"""With the waits above: about eight minutes, then the notice is parked. A shop under test is soon back, or gone."""
BATCH = 32


class NoticeFault(StrEnum):
    """How a notice can go wrong on demand."""

    LATE = "webhook_late"
    DOUBLE = "webhook_double"
    REORDER = "webhook_reorder"
    BAD_SIGNATURE = "webhook_bad_signature"
    WRONG_AMOUNT = "webhook_wrong_amount"


@dataclass(frozen=True, slots=True)
class Announcing:
    """That notices are written, and how long late ones and overtaken ones are kept back, in seconds."""

    late_s: float = 10.0
    held_s: float = 3.0

    def delay(self, fault: NoticeFault | None) -> float:
        """What this fault adds."""
        return (
            {NoticeFault.LATE: self.late_s, NoticeFault.REORDER: self.held_s}.get(fault, 0.0)
            if fault
            else 0.0
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """One event, to be sent: its id, the operation as it then was, and how often it has been tried."""

    event_id: str
    entry: Entry
    happened_at_s: float
    attempts: int
    fault: NoticeFault | None
    dispute: Dispute | None = None
    """What the event is about, where it is a dispute; ``entry`` is the charge then."""


_ADD = """
INSERT INTO notices VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL)
ON CONFLICT (event_id) DO UPDATE SET happens_at_s = excluded.happens_at_s, due_at_s = excluded.due_at_s
WHERE excluded.happens_at_s < notices.happens_at_s AND notices.attempts = 0
"""
_CLAIM = """
UPDATE notices SET attempts = attempts + 1, due_at_s = ? + min(?, ? * (1 << min(attempts, 16)))
WHERE event_id IN (SELECT event_id FROM notices WHERE due_at_s <= ? ORDER BY due_at_s, rowid LIMIT ?)
RETURNING event_id, key, state, code, fault, happens_at_s, attempts
"""
_LIST = """
SELECT event_id, key, state, fault, attempts, due_at_s IS NOT NULL AS waiting, last_answer
FROM notices WHERE happens_at_s <= ? ORDER BY happens_at_s DESC, rowid DESC LIMIT ?
"""


def announce(
    connection: sqlite3.Connection, entry: Entry, now_s: float, how: Announcing, fault: NoticeFault | None
) -> None:
    """Write the notices of an entry that has just been put: of what it is, and of what it will turn into."""
    _forget_what_will_not_be(connection, entry.key, now_s)
    if entry.state is not State.ABSENT:
        known_at_s = now_s if not entry.silent_left else now_s + how.late_s
        _add(connection, entry, entry.state, entry.code, known_at_s, how, fault)
    if entry.turns_into is not None and entry.turns_at_s is not None:
        _add(connection, entry, entry.turns_into, entry.turn_code, entry.turns_at_s, how, fault)


def announce_dispute(connection: sqlite3.Connection, dispute: Dispute, now_s: float) -> None:
    """Write the notice of a dispute that was raised or decided."""
    row = _row(dispute.reference, dispute.root_key, dispute.state, None, None, now_s, now_s)
    connection.execute(_ADD, row)


def _add(
    connection: sqlite3.Connection,
    entry: Entry,
    state: State,
    code: DeclineCode | None,
    at_s: float,
    how: Announcing,
    fault: NoticeFault | None,
) -> None:
    due_at_s = at_s + how.delay(fault)
    connection.execute(_ADD, _row(entry.key, entry.root_key, state, code, fault, at_s, due_at_s))
    if entry.kind is CallKind.CANCEL_ACTION and state is State.CANCELLED:
        connection.execute(_ADD, _row(entry.root_key, entry.root_key, state, None, None, at_s, due_at_s))


def _forget_what_will_not_be(connection: sqlite3.Connection, key: str, now_s: float) -> None:
    connection.execute("DELETE FROM notices WHERE key = ? AND happens_at_s > ?", (key, now_s))


def claim(connection: sqlite3.Connection, now_s: float) -> list[Notice]:
    """Due notices, each put off to its next try: whoever sends it and dies leaves it to the next."""
    claimed = connection.execute(_CLAIM, (now_s, LAST_RETRY_S, FIRST_RETRY_S, now_s, BATCH)).fetchall()
    return [notice for row in claimed if (notice := _notice(connection, row)) is not None]


def settle(connection: sqlite3.Connection, event_id: str, answer: str, *, done: bool) -> None:
    """Note what the shop answered; ``done`` ends it, as does the last try."""
    ends = "due_at_s = NULL" if done else f"due_at_s = iif(attempts >= {MAX_ATTEMPTS}, NULL, due_at_s)"
    connection.execute(f"UPDATE notices SET last_answer = ?, {ends} WHERE event_id = ?", (answer, event_id))


def listed(connection: sqlite3.Connection, now_s: float, limit: int) -> list[dict[str, Any]]:
    """The newest notices, for people and tests."""
    cursor = connection.execute(_LIST, (now_s, limit))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) | {"waiting": bool(row[5])} for row in cursor]


def _notice(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Notice | None:
    event_id, key, state, code, fault, happened_at_s, attempts = row
    entry = find(connection, key, happened_at_s)
    if entry is None:
        return _of_dispute(connection, row)
    then = replace(entry, state=State(state), code=DeclineCode(code) if code else None, silent_left=0)
    return Notice(event_id, then, happened_at_s, attempts, NoticeFault(fault) if fault else None)


def _of_dispute(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Notice | None:
    event_id, reference, state, _, _, happened_at_s, attempts = row
    dispute = find_dispute(connection, reference)
    charge = None if dispute is None else find(connection, dispute.root_key, happened_at_s)
    if dispute is None or charge is None:
        return None
    return Notice(event_id, charge, happened_at_s, attempts, None, replace(dispute, state=state))


def _row(
    key: str,
    root_key: str,
    state: str,
    code: DeclineCode | None,
    fault: NoticeFault | None,
    at_s: float,
    due_at_s: float,
) -> tuple[object, ...]:
    digest = hashlib.sha256(f"event {key} {state}".encode()).digest()
    event_id = "evt_" + base64.b32encode(digest).decode().lower()[:26]
    return (event_id, key, root_key, state, code, fault, at_s, due_at_s)
