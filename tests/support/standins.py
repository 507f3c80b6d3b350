"""The stand-in peers over real HTTP, in a thread of their own."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import uvicorn

from eci_payments.standins import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StandIns:
    """A running stand-in server, seen from a test."""

    def __init__(self, url: str) -> None:
        self.url = url

    def switch(
        self, peer: str, mode: str = "up", delay_s: float = 0.0, retry_after: str | None = None
    ) -> None:
        """Make a peer behave like this from now on."""
        told = {"mode": mode, "delay_s": delay_s, "retry_after": retry_after}
        request = Request(f"{self.url}/switches/{peer}", json.dumps(told).encode(), method="PUT")
        urlopen(request, timeout=5).close()

    def received(self, peer: str | None = None, *, taken: bool = True) -> list[dict[str, Any]]:
        """What arrived, oldest first; only what was answered with 2xx unless ``taken`` is False."""
        calls: list[dict[str, Any]] = []
        after = 0
        while True:
            query = {"after": after, "limit": 1000} | ({"peer": peer} if peer else {})
            with urlopen(f"{self.url}/received?{urlencode(query)}", timeout=5) as answer:
                page = json.load(answer)
            if not page["received"]:
                return [call for call in calls if call["answered"] < 300 or not taken]
            calls += page["received"]
            after = page["next_after"]


@contextmanager
def standins_running(journal: Path) -> Iterator[StandIns]:
    """Stand-ins on a free port, with their journal in this file."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(journal), log_level="critical", access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield StandIns(f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        server.should_exit = server.force_exit = True  # a test may leave calls that wait
        thread.join()
        listening.close()
