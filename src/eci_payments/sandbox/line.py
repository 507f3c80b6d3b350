"""The line under a request: to cut it, to leave it hanging, or to write an answer on it twice."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

EXTENSION = "eci.sandbox.line"
"""Where our server puts the connection's transport (see `server`); other servers have none."""


REST_S = 0.3
"""How long a connection with an answer too many stays open, for whoever would use it again."""


class Cut:
    """An answer that never comes: the line is cut, after ``after_s`` or when the other side has gone.

    ``begun`` cuts it in the middle of the answer instead of before it.
    """

    def __init__(self, after_s: float = 0.0, *, begun: bool = False) -> None:
        self._after_s = after_s
        self._begun = begun

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, and cut."""
        if self._after_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(_gone(receive), self._after_s)
        transport = line_of(scope)
        if transport is not None and not self._begun:
            transport.abort()
            await _gone(receive)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"state": "appr', "more_body": True})
        if transport is not None:
            transport.close()
            await _gone(receive)


class Twice:
    """One answer, written twice on the same connection: only the first belongs to a request."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Both at once where we hold the line; elsewhere just one."""
        transport = line_of(scope)
        if transport is None:
            await _answer(send, self._body)
            return
        size = len(self._body)
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
        transport.write(2 * (head.encode() + self._body))
        with suppress(TimeoutError):
            await asyncio.wait_for(_gone(receive), REST_S)
        transport.close()
        await asyncio.sleep(0)  # so that the server notices


def line_of(scope: Scope) -> asyncio.Transport | None:
    """The connection itself, under our own server."""
    found: asyncio.Transport | None = scope.get("extensions", {}).get(EXTENSION, {}).get("transport")
    return found


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
