"""The record's table: opening the file, and entries in and out of it."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.adapters.simulator.book import Book
from eci_payments.gateways.adapters.simulator.declines import DeclineCode
from eci_payments.gateways.adapters.simulator.entry import Entry, State, at
from eci_payments.gateways.adapters.simulator.schema import SCHEMA
from eci_payments.gateways.contract import ActionType, CallKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MEMORY = ":memory:"
BUSY_S = 2.0
"""How long one waits for the file while another process commits, which takes a millisecond."""
OPENING_S, OPENING_WAIT_S = 10.0, 0.05
"""Several processes may make the file at once; changing its journal mode does not wait by itself."""

_NAMES = tuple(field.name for field in fields(Entry))
_COLUMNS = ", ".join(_NAMES)
_BY_KEY = f"SELECT {_COLUMNS} FROM operations WHERE key = ?"
_BY_REFERENCE = f"SELECT {_COLUMNS} FROM operations WHERE reference = ?"
_OF_ROOT = f"SELECT {_COLUMNS} FROM operations WHERE root_key = ? AND key <> root_key"
_ALL = f"SELECT {_COLUMNS} FROM operations ORDER BY created_at_s, key"

_READERS: dict[str, Callable[[Any], Any]] = {
    "kind": CallKind,
    "method": PaymentMethod,
    "state": State,
    "code": DeclineCode,
    "turns_into": State,
    "turn_code": DeclineCode,
    "action": ActionType,
    "capture_code": DeclineCode,
    "final": bool,
}
_READ = tuple(_READERS.get(name) for name in _NAMES)


class _Row:
    """How these columns of an entry are written; the others are NULL."""

    def __init__(self, names: Sequence[str]) -> None:
        places = ", ".join("?" * len(names))
        self.sql = f"INSERT OR REPLACE INTO operations ({', '.join(names)}) VALUES ({places})"
        self._read = attrgetter(*names)
        readers = [_READERS.get(name) for name in names]
        self._plain = [(place, int if read is bool else str) for place, read in enumerate(readers) if read]

    def values(self, entry: Entry) -> list[Any]:
        """As plain numbers and texts: SQLite's module would look for an adapter of anything else."""
        row = list(self._read(entry))
        for place, plain in self._plain:
            if (value := row[place]) is not None:
                row[place] = plain(value)
        return row


_OFTEN_NULL = (
    "parent_key", "code", "turns_at_s", "turns_into", "turn_code", "action", "return_url", "capture_code", "card_brand",
)  # fmt: skip
"""What an entry does not hold that is a charge and was simply approved."""
_often_null = attrgetter(*_OFTEN_NULL)
_NULLS = (None,) * len(_OFTEN_NULL)
_WHOLE, _SIMPLE = _Row(_NAMES), _Row([name for name in _NAMES if name not in _OFTEN_NULL])


def opened(path: Path | str) -> sqlite3.Connection:
    """A connection to the record, made when it is not there. Raises sqlite3.Error when it cannot be."""
    give_up_at = time.monotonic() + OPENING_S
    while True:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise
            if time.monotonic() > give_up_at:
                raise
            time.sleep(OPENING_WAIT_S)
        else:
            return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # NORMAL: a killed process loses nothing that was committed. Only a power cut could, and no money hangs on it.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")


def put(connection: sqlite3.Connection, entry: Entry) -> None:
    """Write an entry, in place of the one with its key."""
    row = _SIMPLE if _often_null(entry) == _NULLS else _WHOLE
    connection.execute(row.sql, row.values(entry))


def find(connection: sqlite3.Connection, key: str, now_s: float) -> Entry | None:
    """The entry with our key, as it stands at this time."""
    row = connection.execute(_BY_KEY, (key,)).fetchone()
    return None if row is None else at(_entry(row), now_s)


def find_by_reference(connection: sqlite3.Connection, reference: str, now_s: float) -> Entry | None:
    """The entry with the gateway's own id, as it stands at this time."""
    row = connection.execute(_BY_REFERENCE, (reference,)).fetchone()
    return None if row is None else at(_entry(row), now_s)


def book_of(
    connection: sqlite3.Connection, key: str | None, reference: str | None, now_s: float
) -> Book | None:
    """The book of the charge that our key or the gateway's id names, or that this entry belongs to."""
    named = find(connection, key, now_s) if key is not None else None
    if named is None and reference is not None:
        named = find_by_reference(connection, reference, now_s)
    root = named if named is None or named.root_key == named.key else find(connection, named.root_key, now_s)
    if root is None:
        return None
    parts = connection.execute(_OF_ROOT, (root.key,)).fetchall()
    return Book(root, tuple(at(_entry(part), now_s) for part in parts))


def every_entry(connection: sqlite3.Connection, now_s: float) -> Iterator[Entry]:
    """Every entry as it stands at this time, oldest first."""
    for row in connection.execute(_ALL):
        yield at(_entry(row), now_s)


def _entry(row: tuple[Any, ...]) -> Entry:
    values = (
        value if read is None or value is None else read(value)
        for value, read in zip(row, _READ, strict=True)
    )
    return Entry(**dict(zip(_NAMES, values, strict=True)))
