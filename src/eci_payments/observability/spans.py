"""Spans: what was done for a request, from when to when, and within what. For whoever collects traces.

A span stands around a block of work. It is recorded where the process records at all (`tracing`), within a trace, if
that trace is sampled; otherwise the block runs as if nothing stood around it, and `NOTHING` takes what it tells.

What a span may tell is a closed set, `About`: names, numbers of ours and states. Whatever is text is masked like a log
line before it leaves. No span ever holds a body, a header, an amount, or the message of an exception.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, Self, TypedDict, Unpack
from urllib.parse import urlsplit

from eci_payments.domain.errors import Refusal
from eci_payments.observability import context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from eci_payments.observability.context import RequestContext
    from eci_payments.observability.traces import TraceContext

log = logging.getLogger(__name__)

FIRST_FAILURE = 400
"""A status from here on is a failure to whoever called (the semantic conventions for HTTP clients)."""


class Kind(Enum):
    """What a span is to its trace, in OpenTelemetry's words."""

    INTERNAL = "a step on the way"
    SERVER = "a request that was answered"
    CLIENT = "a request to somebody else"
    CONSUMER = "work that was stored and is done later"


class About(TypedDict, total=False):
    """What a span may tell, and under which name it is sent (`NAMES`)."""

    method: str
    route: str
    status: int
    scheme: str
    path: str
    url: str
    server: str
    port: int
    resends: int
    correlation_id: str
    merchant_id: int
    payment_id: int
    operation_id: int
    operation: str
    gateway: str
    call: str
    outcome: str
    refused: str
    event_id: int
    event_type: str
    delivery_id: int
    peer: str
    state: str


NAMES: Final = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "scheme": "url.scheme",
    "path": "url.path",
    "url": "url.full",
    "server": "server.address",
    "port": "server.port",
    "resends": "http.request.resend_count",
}
"""The semantic conventions' names; every other one of `About` stands under ``eci.`` and its own."""


class Recorder(Protocol):
    """Takes spans that have ended. Never waits, and never raises for what is wrong outside of the process."""

    def record(self, span: Span) -> None:
        """Take one."""
        ...

    def counts(self) -> Mapping[str, int]:
        """How many there were since the start, by what became of them."""
        ...


class _Process:
    recorder: ClassVar[Recorder | None] = None


def record_with(recorder: Recorder | None) -> None:
    """From now on the process's spans go there; None: nowhere."""
    _Process.recorder = recorder


def counts() -> Mapping[str, int]:
    """The recorder's counts; empty where nothing is recorded."""
    return _Process.recorder.counts() if _Process.recorder is not None else {}


class Span:
    """One block of work while it runs, as a context manager: inside, it is the place in the trace."""

    __slots__ = (
        "_before",
        "about",
        "begun_ns",
        "context",
        "ended_ns",
        "error",
        "is_kept",
        "kind",
        "name",
        "parent",
    )

    def __init__(self, name: str, kind: Kind, own: TraceContext, parent: TraceContext | None) -> None:
        self.name = name
        self.kind = kind
        self.context = own
        self.parent = parent
        self.about: About = {}
        self.error: str | None = None
        self.is_kept = True
        self.begun_ns = time.time_ns()
        self.ended_ns = 0
        self._before: tuple[TraceContext | None, Span | Nothing] = (None, NOTHING)

    def tell(self, **about: Unpack[About]) -> None:
        """Add what is known of it by now."""
        self.about.update(about)

    def fail(self, error: str) -> None:
        """It went wrong: a status code, or the name of an exception or of an outcome; never a message."""
        self.error = error

    def answered(self, status: int) -> None:
        """The other side of a call has answered."""
        self.tell(status=status)
        if status >= FIRST_FAILURE:
            self.fail(str(status))

    def rename(self, name: str) -> None:
        """What it is, where that is known only in the end."""
        self.name = name

    def forget(self) -> None:
        """Nobody wants to see it."""
        self.is_kept = False

    def __enter__(self) -> Self:
        self._before = context.trace.get(), _innermost.get()
        context.trace.set(self.context)
        _innermost.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(raised, Refusal):
            self.tell(refused=raised.code.value)
        elif kind is not None:
            self.fail(kind.__qualname__)
        self.ended_ns = time.time_ns()
        trace, span = self._before
        context.trace.set(trace)
        _innermost.set(span)
        _record(self)


class Nothing:
    """In the place of a span that nobody records. False, so that nothing need be found out for it."""

    __slots__ = ()

    def __bool__(self) -> Literal[False]:
        return False

    def tell(self, **about: Unpack[About]) -> None:
        """Dropped."""

    def fail(self, error: str) -> None:
        """Dropped."""

    def answered(self, status: int) -> None:
        """Dropped."""

    def rename(self, name: str) -> None:
        """Dropped."""

    def forget(self) -> None:
        """There is nothing to forget."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


NOTHING: Final = Nothing()
_innermost: ContextVar[Span | Nothing] = ContextVar("span", default=NOTHING)


def span(name: str, kind: Kind = Kind.INTERNAL) -> Span | Nothing:
    """A span within the one that is open. ``name`` is one of few: what differs from one to the next is told."""
    if _Process.recorder is None:
        return NOTHING
    parent = context.trace.get()
    return Span(name, kind, parent.child(), parent) if parent is not None and parent.sampled else NOTHING


def client_call(verb: str, url: str) -> Span | Nothing:
    """The span of one HTTP request to somebody else. Only the address up to its query is told."""
    call = span(verb, Kind.CLIENT)
    if call:
        parts = urlsplit(url)
        server = parts.hostname or ""
        call.tell(
            method=verb, url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", server=server
        )
        call.tell(port=parts.port or (443 if parts.scheme == "https" else 80))
    return call


def innermost() -> Span | Nothing:
    """The span that is open here."""
    return _innermost.get()


def of_request(request: RequestContext, kind: Kind, name: str = "") -> Span | Nothing:
    """The span that a request's context has drawn for its work."""
    if _Process.recorder is None or not request.trace.sampled:
        return NOTHING
    return Span(name, kind, request.trace, request.parent)


@contextmanager
def going_on(
    name: str, *, correlation: str | None, traceparent: str | None, merchant: int | None = None
) -> Iterator[Span | Nothing]:
    """Work done later, as `context.working_for`, with its span: within the trace that was stored, or a new one."""
    request = context.stored(correlation, traceparent)
    with context.working_in(request, merchant), of_request(request, Kind.CONSUMER, name) as made:
        if merchant is not None:
            made.tell(merchant_id=merchant)
        yield made


def _record(ended: Span) -> None:
    recorder = _Process.recorder
    if recorder is None or not ended.is_kept:
        return
    try:
        recorder.record(ended)
    except Exception:
        log.exception("a span could not be recorded")
