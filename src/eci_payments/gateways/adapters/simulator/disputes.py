"""Disputes in the record: raised and decided by whoever plays the bank; what a charge owes is not changed by them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

OPEN, WON, LOST = "open", "won", "lost"
ENDS = frozenset({WON, LOST})


@dataclass(frozen=True, slots=True)
class Dispute:
    """One chargeback of the charge with ``root_key``, in minor units of its currency."""

    reference: str
    root_key: str
    amount_minor: int
    reason: str
    state: str


def raised(connection: sqlite3.Connection, root_key: str, amount_minor: int, reason: str) -> Dispute:
    """A new one."""
    dispute = Dispute(f"dp_{secrets.token_hex(10)}", root_key, amount_minor, reason, OPEN)
    connection.execute(
        "INSERT INTO disputes VALUES (?, ?, ?, ?, ?)",
        (dispute.reference, root_key, amount_minor, reason, OPEN),
    )
    return dispute


def decided(connection: sqlite3.Connection, reference: str, state: str) -> Dispute | None:
    """The dispute as it was decided; None when there is none. One that was decided can be decided again."""
    connection.execute("UPDATE disputes SET state = ? WHERE reference = ?", (state, reference))
    return find_dispute(connection, reference)


def find_dispute(connection: sqlite3.Connection, reference: str) -> Dispute | None:
    """The dispute with this id."""
    row = connection.execute(
        "SELECT reference, root_key, amount_minor, reason, state FROM disputes WHERE reference = ?",
        (reference,),
    ).fetchone()
    return None if row is None else Dispute(*row)


def listed_disputes(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """All of them, for people and tests."""
    cursor = connection.execute("SELECT * FROM disputes ORDER BY rowid")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
