"""The gateway's webhooks as they came: a letter box, a process of its own, and how a life of the service opens it.

The sandbox sends them, signed, with whatever fault it was asked for; the box keeps every byte and takes all of them. It
is read from the beginning in each life: whoever was killed over a letter finds it once more.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from eci_payments.gateways.adapters.sandbox.events import read_webhook
from eci_payments.gateways.hooks import BadWebhook
from eci_payments.operations.ingest.receive import receive
from proof.watch import PHASE

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from proof.house import House

SECRET = "whsec_" + base64.b64encode(b"what the proof's gateway signs by").decode()
SOON_S = 30.0
"""What the gateway has to tell within this time is waited for; money that comes a day late is not."""
PATIENCE_S = 20.0
_WAITING = """
SELECT count(*) FROM notices n JOIN operations o ON o.key = n.root_key
WHERE o.merchant_id = ? AND n.due_at_s IS NOT NULL AND n.happens_at_s < ?
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """One webhook as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def merchant(self) -> int:
        """Whose it says it is."""
        return int(json.loads(self.body)["data"]["merchant_id"])


@dataclass(slots=True)
class Post:
    """What was found in the box: letters, different ones among them, and those that nobody of ours had signed."""

    letters: int = 0
    events: int = 0
    refused: int = 0


def serve_box(file: Path, listening: socket.socket) -> None:
    """Keep whatever comes, until the process is told to stop."""
    with closing(sqlite3.connect(file)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute(
            "CREATE TABLE IF NOT EXISTS letters (number INTEGER PRIMARY KEY, headers TEXT, body BLOB)"
        )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = json.dumps({name.lower(): value for name, value in self.headers.items()})
            with closing(sqlite3.connect(file, timeout=20)) as box, box:
                box.execute("INSERT INTO letters (headers, body) VALUES (?, ?)", (headers, body))
            self._say(204)

        def do_GET(self) -> None:
            self._say(204)

        def _say(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.serve_forever()


async def open_box(house: House, *, wait: bool) -> Post:
    """Take in what has come for this merchant, and have a worker apply it; with ``wait``, all that is still to come."""
    if wait:
        await _until_told(house)
    post, names = Post(), set()
    for letter in _letters(house.place.box):
        if letter.merchant != house.merchant:
            continue
        post.letters += 1
        PHASE.set("webhook")
        try:
            event = read_webhook(letter.headers, letter.body, (SECRET,), time.time())
        except BadWebhook:
            post.refused += 1
            continue
        names.add(event.event_id)
        await receive(house.payments.engine, house.gateway.name, event)
    while await house.round("inbox"):
        pass
    post.events = len(names)
    return post


async def _until_told(house: House) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while _untold(house) and time.monotonic() < give_up_at:  # noqa: ASYNC110 - the gateway is another process
        await asyncio.sleep(0.02)


def _untold(house: House) -> int:
    with closing(sqlite3.connect(house.place.record, timeout=20)) as record:
        found = record.execute(_WAITING, (house.merchant, time.time() + SOON_S)).fetchone()
    return int(found[0])


def _letters(box: Path) -> list[Letter]:
    with closing(sqlite3.connect(box, timeout=20)) as connection:
        rows = connection.execute("SELECT headers, body FROM letters ORDER BY number").fetchall()
    return [Letter(json.loads(headers), bytes(body)) for headers, body in rows]
