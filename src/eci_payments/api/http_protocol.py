"""HTTP/1.1 on the socket: uvicorn's protocol, where its own answers are problem details and its patience has limits.

What the web server refuses by itself (malformed requests, heads that are too large, clients that are too slow) is a
400 ``malformed_request`` like any other error of the contract, sent when its turn has come: never in the place of the
answer to an earlier request. A connection that is told to stop takes what the client had already sent.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from eci_payments.api.connections import CONNECTIONS_MAX, Connections
from eci_payments.api.stream.response import ABORT
from eci_payments.observability import context
from eci_payments.operations.problems import CATALOGUE, CONTENT_TYPE, problem_document

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from uvicorn._types import ASGI3Application, ASGISendEvent, HTTPResponseStartEvent

MAX_HEAD_BYTES = 32768
"""Request line and header fields: several times what browsers and proxies send, and nothing that fills memory."""
MAX_HEADER_FIELDS = 100
HEAD_TIMEOUT_S = 10.0
"""From the first byte of a request to the end of its head, and from connecting to the first byte."""
BODY_TIMEOUT_S = 30.0
"""For a body of at most 64 KiB: 2 KiB/s is slower than any line that is still one."""
LINGER_S = 1.0
"""After a refusal, what the client still sends is read and dropped, so that the answer is not lost to a reset."""
DRAIN_S = 0.3
"""When the server stops: for requests that are on the wire of connections that seem idle."""

TOO_LARGE = f"The head of the request is larger than {MAX_HEAD_BYTES} bytes or {MAX_HEADER_FIELDS} fields."
HEAD_TOO_SLOW = f"The head of the request took longer than {HEAD_TIMEOUT_S:g} s."
BODY_TOO_SLOW = f"The body of the request took longer than {BODY_TIMEOUT_S:g} s."
NO_HOST = "A request has exactly one Host."
NOT_HTTP = "This is no well-formed HTTP/1.1 request."
_DETAILS: dict[type[Exception], str] = {
    httptools.HttpParserInvalidMethodError: "There is no such method in HTTP.",
    httptools.HttpParserInvalidURLError: "The target of the request is malformed.",
}

_CONTROLS = bytes(each for each in (*range(32), 127) if each not in b"\t\n")
"""What may stand in no field of a head."""

log = logging.getLogger(__name__)


class Phase(Enum):
    """What is read next on a connection."""

    BETWEEN = "a request has not begun"
    HEAD = "the head of a request has begun"
    BODY = "the head of a request is complete"


class Refused(Exception):
    """Breaks off parsing; the text is the detail of the problem."""


class Cycle(RequestResponseCycle):
    """One request and its response, where the server's own answer to a crash is a problem as well."""

    problem_base = ""
    _head: HTTPResponseStartEvent | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """As uvicorn does it; but an answer whose length is known goes out in one piece, its head with its body."""
        if message["type"] == "http.response.start" and not self.response_started and self._head is None:
            if any(name == b"content-length" for name, _ in message["headers"]):
                self._head = message
                return
        elif (head := self._head) is not None:
            self._head = None
            whole = self._whole(head, message)
            if whole is not None:
                self._send_whole(whole)
                return
            await super().send(head)
        await super().send(message)

    def _whole(self, head: HTTPResponseStartEvent, message: ASGISendEvent) -> bytes | None:
        """Head and body as they are on the wire; None for what is not as simple as nearly every answer is."""
        if message["type"] != "http.response.body" or message.get("more_body"):
            return None
        body = message.get("body", b"")
        if self.flow.write_paused or self.disconnected or not self.keep_alive:
            return None
        lines = [STATUS_LINE[head["status"]]]
        for name, value in self.default_headers:
            lines += name, b": ", value, b"\r\n"
        headers = list(head["headers"])
        fields = b"".join([b"%b: %b\n" % field for field in headers])
        length = b"content-length: %d\n" % len(body)
        if length not in fields or b"connection: " in fields:
            return None
        if len(fields.translate(None, _CONTROLS)) != len(fields):
            return None
        if fields.count(b"\n") != len(headers) or self.scope["method"] == "HEAD":
            return None
        return b"".join([*lines, fields.replace(b"\n", b"\r\n"), b"\r\n", body])

    def _send_whole(self, whole: bytes) -> None:
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(whole)
        self.message_event.set()
        self.on_response()

    async def send_500_response(self) -> None:
        """What the app could not answer for itself."""
        self._head = None
        known = context.correlation_id.get() or context.of_headers(self.scope["headers"]).correlation_id
        problem = CATALOGUE["internal_error"]
        detail = "Something broke on our side; it is logged."
        body = problem_document(problem, detail, base=self.problem_base, correlation_id=known)
        await self.send(
            {"type": "http.response.start", "status": problem.status, "headers": _headers(body, known)}
        )
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


class HttpProtocol(HttpToolsProtocol):
    """One connection. Made through `protocol_class`, which knows where problems are explained."""

    cycle_class: type[Cycle] = Cycle
    places = Connections()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase = Phase.BETWEEN
        self._chunk_bytes = 0
        self._head_bytes = 0
        self._deadline: tuple[bool, TimerHandle] | None = None
        self._running: RequestResponseCycle | None = None
        self._is_draining = False
        self._is_refused = False
        self._refusal: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """A client may wait before its first byte, but not for ever."""
        super().connection_made(transport)
        self._watch()
        self.places.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._unwatch()
        self.places.closed(self)
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Make room for another connection; nothing is being answered here."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse what came; where that ends in a refusal, what follows is dropped unread."""
        if self._is_refused:
            return
        self._unset_keepalive_if_required()
        self._chunk_bytes = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._ignore_upgrade()
        except httptools.HttpParserError as error:
            self._refuse(_detail_of(error))
            return
        self._bound()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._phase = Phase.HEAD

    def on_headers_complete(self) -> None:
        """A head is complete: the request goes to the app if the head is one that we take."""
        self._check_head()
        super().on_headers_complete()
        self._phase = Phase.BODY

    def on_message_complete(self) -> None:
        """A request is complete."""
        super().on_message_complete()
        self._phase = Phase.BETWEEN
        self._head_bytes = (
            -self._chunk_bytes
        )  # what else is in this chunk may be a head of any length up to here

    def on_response_complete(self) -> None:
        """An answer is complete; a refusal that waited for it is sent."""
        super().on_response_complete()
        if not self._is_answering():
            self.places.rests(self)
            if self._refusal is not None:
                self._send_refusal(self._refusal)

    def shutdown(self) -> None:
        """Answer what was begun or is on the wire, then close."""
        self._is_draining = True
        if self._is_answering():
            super().shutdown()
        else:
            self.loop.call_later(DRAIN_S, self._close_if_idle)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        cycle.__class__ = self.cycle_class
        extensions: dict[str, Any] = cycle.scope.setdefault("extensions", {})
        extensions[ABORT] = self.transport.abort
        self._running = cycle
        self.places.answers(self)
        if self._is_draining and not self.pipeline:
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        return bool(self.pipeline) or (self._running is not None and not self._running.response_complete)

    def _check_head(self) -> None:
        size, hosts = len(self.url), 0
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            hosts += name == b"host"
        if size > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADER_FIELDS:
            raise Refused(TOO_LARGE)
        if hosts != 1 and self.parser.get_http_version() == "1.1":
            raise Refused(NO_HOST)  # RFC 9112, 3.2

    def _ignore_upgrade(self) -> None:
        """The request is answered as if nothing had been asked; what follows it cannot be parsed any more."""
        self._phase = Phase.BETWEEN
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _bound(self) -> None:
        if self._phase is Phase.BETWEEN and self._is_answering():
            self._head_bytes = 0
            self._unwatch()
            return
        if self._phase is Phase.HEAD:
            self._head_bytes += self._chunk_bytes
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(TOO_LARGE)
                return
        self._watch()

    def _watch(self) -> None:
        """Count the time of this body or head. The time of a head goes on from connecting to its end."""
        is_body = self._phase is Phase.BODY
        if self._deadline is not None and self._deadline[0] is is_body:
            return
        self._unwatch()
        wait_s = BODY_TIMEOUT_S if is_body else HEAD_TIMEOUT_S
        self._deadline = (is_body, self.loop.call_later(wait_s, self._too_slow))

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline[1].cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._phase is Phase.BETWEEN:
            self._close_if_idle()
        else:
            self._refuse(BODY_TOO_SLOW if self._phase is Phase.BODY else HEAD_TOO_SLOW)

    def _close_if_idle(self) -> None:
        if not self._is_answering() and not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, detail: str) -> None:
        """Answer 400 as soon as it is this request's turn, and take nothing more on this connection."""
        self._is_refused = True
        self._unwatch()
        refusal = self._refusal_of(detail)
        if self._phase is Phase.BODY and not self._take_back():
            self.transport.close()
        elif self._is_answering():
            self._refusal = refusal
        else:
            self._send_refusal(refusal)

    def _take_back(self) -> bool:
        """Take the request that turned out malformed from the app; False when its answer has begun."""
        queued = [entry for entry in self.pipeline if entry[0] is self.cycle]
        if queued:
            self.pipeline.remove(queued[0])
        elif self.cycle.response_started:
            return False
        self.cycle.disconnected = self.cycle.response_complete = True
        self.cycle.message_event.set()
        return True

    def _refusal_of(self, detail: str) -> bytes:
        known = context.of_headers(self.headers if self._phase is not Phase.BETWEEN and self.headers else ())
        with context.working_for(correlation=known.correlation_id, traceparent=known.trace.traceparent):
            log.warning(
                "refused by the web server: %s", detail, extra={"client": self.client and self.client[0]}
            )
        problem, base = CATALOGUE["malformed_request"], self.cycle_class.problem_base
        body = problem_document(problem, detail, base=base, correlation_id=known.correlation_id)
        fields = [*self.server_state.default_headers, *_headers(body, known.correlation_id)]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        return b"HTTP/1.1 400 Bad Request\r\n" + lines + b"\r\n" + body

    def _send_refusal(self, refusal: bytes) -> None:
        self._refusal = None
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self.transport.write(refusal)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)


def protocol_class(problem_base: str, most: int = CONNECTIONS_MAX) -> type[HttpProtocol]:
    """The protocol whose problems are explained at ``{problem_base}/problems/{code}``, for ``most`` connections."""
    cycle = type("Cycle", (Cycle,), {"problem_base": problem_base})
    return type("HttpProtocol", (HttpProtocol,), {"cycle_class": cycle, "places": Connections(most)})


def _detail_of(error: httptools.HttpParserError) -> str:
    if isinstance(error.__context__, Refused):
        return str(error.__context__)
    kinds = [type(error), type(error.__context__)]
    return next((_DETAILS[kind] for kind in kinds if kind in _DETAILS), NOT_HTTP)


def _headers(body: bytes, correlation_id: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-correlation-id", correlation_id.encode()),
        (b"connection", b"close"),
    ]
