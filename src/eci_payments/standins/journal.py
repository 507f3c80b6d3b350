"""What the stand-ins were told, in one SQLite file that outlives them."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_TABLE = """
CREATE TABLE IF NOT EXISTS received (
    number INTEGER PRIMARY KEY,
    received_at TEXT NOT NULL,
    peer TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    order_id TEXT,
    idempotency_key TEXT,
    correlation_id TEXT,
    traceparent TEXT,
    answered INTEGER NOT NULL,
    repeat INTEGER NOT NULL,
    body TEXT NOT NULL
)"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS received_order_idx ON received (order_id, number)",
    "CREATE INDEX IF NOT EXISTS received_key_idx ON received (peer, idempotency_key, answered)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that arrived. ``order_id`` is text; ``body`` is the JSON as it came; ``answered`` is our status."""

    received_at: str
    peer: str
    method: str
    path: str
    order_id: str | None
    idempotency_key: str | None
    correlation_id: str | None
    traceparent: str | None
    answered: int
    body: str


class Journal:
    """Every call in the order in which it arrived; a crash of the machine may lose the last ones."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF", _TABLE, *_INDEXES):
            self._connection.execute(statement)

    def write(self, call: Call) -> None:
        """Keep it; ``repeat`` marks a call whose key this peer has taken before."""
        self._connection.execute(
            "INSERT INTO received (received_at, peer, method, path, order_id, idempotency_key, correlation_id,"
            " traceparent, answered, body, repeat) VALUES (:received_at, :peer, :method, :path, :order_id,"
            " :idempotency_key, :correlation_id, :traceparent, :answered, :body, EXISTS (SELECT 1 FROM received"
            " WHERE peer = :peer AND idempotency_key = :idempotency_key AND answered < 300))",
            asdict(call),
        )

    def read(
        self, *, peer: str | None = None, order_id: str | None = None, after: int = 0, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Calls numbered above ``after``, oldest first."""
        rows = self._connection.execute(
            "SELECT * FROM received WHERE number > :after AND (:peer IS NULL OR peer = :peer)"
            " AND (:order_id IS NULL OR order_id = :order_id) ORDER BY number LIMIT :limit",
            {"peer": peer, "order_id": order_id, "after": after, "limit": limit},
        )
        return [dict(row) | {"repeat": bool(row["repeat"])} for row in rows]

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """The last calls, newest first."""
        rows = self._connection.execute("SELECT * FROM received ORDER BY number DESC LIMIT ?", (limit,))
        return [dict(row) | {"repeat": bool(row["repeat"])} for row in rows]

    def counts(self) -> dict[str, int]:
        """How many calls each peer has taken."""
        rows = self._connection.execute(
            "SELECT peer, count(*) FROM received WHERE answered < 300 GROUP BY peer"
        )
        return dict(rows.fetchall())

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()
