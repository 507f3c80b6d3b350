"""One stream as a response: messages as they come, heartbeats between them, and an end in every case."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.api.stream.messages import HEARTBEAT, Message, ended, retry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from eci_payments.api.stream.feed import Feed, Subscription

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_S = 15.0
"""Well below the minute after which proxies give up a silent connection; and how often a key is looked at again."""
WRITE_TIMEOUT_S = 10.0
"""A reader that takes nothing for so long, with all buffers on the way full, has gone."""
RETRY_MS, RETRY_SPREAD_MS = 1500, 2000
"""Streams that end together, because their process does, do not all come back in one moment."""
ABORT = "eci.abort"
"""Where a request's scope has what cuts its connection, unread bytes and all."""
HEAD = "eci.head"
"""Set in a request's scope where only the head of the answer will be sent."""
STREAM = (b"content-type", f"{MEDIA_TYPE}; charset=utf-8".encode())
"""The header by which the answer is known to be a stream."""
_HEADERS = [
    STREAM,
    (b"x-accel-buffering", b"no"),  # a proxy that gathers the answer before it sends it would keep all of it
]
SETTLED, AGE, UNAUTHORIZED = "settled", "max_age", "unauthorized"


@dataclass(frozen=True, slots=True)
class EventStream:
    """``first`` is said at once; the stream ends after ``lasts_s``, and when ``still_admitted`` says no."""

    feed: Feed
    subscription: Subscription
    first: Message | None
    lasts_s: float
    still_admitted: Callable[[], Awaitable[bool]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. The place in the feed is given back whatever happens."""
        try:
            await self._answer(scope, receive, send)
        finally:
            self.feed.leave(self.subscription)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if scope.get(HEAD):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        gone = asyncio.create_task(_gone(receive))
        saying = asyncio.create_task(self._say_all(send))
        try:
            await asyncio.wait({gone, saying}, return_when=asyncio.FIRST_COMPLETED)
            if saying.done() and isinstance(saying.exception(), TimeoutError):
                await _cut(scope, gone)
            elif saying.done():
                saying.result()
        finally:
            for task in (gone, saying):
                task.cancel()
            await asyncio.gather(gone, saying, return_exceptions=True)

    async def _say_all(self, send: Send) -> None:
        """Raises TimeoutError when the reader takes nothing."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.lasts_s
        begin = retry(RETRY_MS + secrets.randbelow(RETRY_SPREAD_MS))
        await _say(send, begin + (self.first.text if self.first else b""))
        reason = SETTLED if self.first and self.first.settled else None
        while reason is None:
            messages = await self._awaited(min(HEARTBEAT_S, until - loop.time()))
            if messages:
                await _say(send, b"".join(message.text for message in messages))
                reason = SETTLED if messages[-1].settled else None
            reason = reason or self.subscription.ended
            if reason is None and loop.time() >= until:
                reason = AGE
            if reason is None and not messages:
                reason = None if await self.still_admitted() else UNAUTHORIZED
                await _say(send, HEARTBEAT)
        await _say(send, ended(reason), more=False)

    async def _awaited(self, within_s: float) -> list[Message]:
        """What comes within this time, as soon as something does."""
        try:
            async with asyncio.timeout(max(within_s, 0)):
                await self.subscription.woken()
        except TimeoutError:
            pass
        return self.subscription.taken()


async def _say(send: Send, text: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await send({"type": "http.response.body", "body": text, "more_body": more})


async def _gone(receive: Receive) -> None:
    """Come back when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(scope: Scope, gone: asyncio.Task[None]) -> None:
    """End a connection whose reader reads nothing: closing it would wait for him."""
    abort = (scope.get("extensions") or {}).get(ABORT)
    if abort is not None:
        abort()
        await asyncio.wait({gone}, timeout=1.0)
