"""A server on loopback that records what it is asked and answers from a script."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Recorded:
    """One request: what matters of it. ``body`` is the JSON, or the fields of a form; ``headers`` in lower case."""

    verb: str
    path: str
    authorization: str | None
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Recorder:
    """``answers`` maps verb and path (without query) to a status and a JSON body; anything else is an empty 200.

    A body may be a function of the request. Several answers in a list are given one after another, the last for good.
    """

    answers: dict[tuple[str, str], tuple[int, Any] | list[tuple[int, Any]]] = field(default_factory=dict)
    requests: list[Recorded] = field(default_factory=list)
    url: str = ""

    def answer(self, request: Recorded) -> tuple[int, Any]:
        """What this request gets."""
        found = self.answers.get((request.verb, request.path.partition("?")[0]), (200, {}))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        status, body = found
        return status, body(request) if callable(body) else body


def _body(raw: bytes, headers: dict[str, str]) -> Any:
    if not raw:
        return None
    is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return dict(parse_qsl(raw.decode())) if is_form else json.loads(raw)


def recording() -> Iterator[Recorder]:
    """A recorder that runs until the generator is closed."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Recorded(
                self.command, self.path, headers.get("authorization"), _body(raw, headers), headers
            )
            recorder.requests.append(request)
            status, answer = recorder.answer(request)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _take  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
