"""Whose request this is: correlation id, trace and merchant, carried to every log line, row and call made for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.domain.quick import quick
from eci_payments.observability.traces import TraceContext, begin_trace, parse_traceparent

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
trace: ContextVar[TraceContext | None] = ContextVar("trace", default=None)
merchant_id: ContextVar[int | None] = ContextVar("merchant_id", default=None)


@quick
@dataclass(frozen=True, slots=True)
class RequestContext:
    """What the headers of a request say about whose it is."""

    correlation_id: str
    trace: TraceContext
    """The span of our own that its work is."""
    parent: TraceContext | None = None
    """The span that it comes from, where somebody told us one."""


def of_headers(headers: Iterable[tuple[bytes, bytes]]) -> RequestContext:
    """The context of a request with these headers (names in lower case, as ASGI gives them).

    The trace goes on with a span of our own. The correlation id is the caller's, or else the trace id.
    """
    given = [(name, value) for name, value in headers if name in _HEADERS]
    if not given:
        return _going_on(None, None)
    wanted: dict[bytes, list[str]] = {name: [] for name in _HEADERS}
    for name, value in given:
        wanted[name].append(value.decode("latin-1"))
    traceparents, tracestate = wanted[b"traceparent"], ",".join(wanted[b"tracestate"])
    came_from = parse_traceparent(traceparents[0], tracestate) if len(traceparents) == 1 else None
    ids = wanted[b"x-correlation-id"]
    return _going_on(ids[0] if len(ids) == 1 else None, came_from)


def stored(correlation: str | None, traceparent: str | None) -> RequestContext:
    """The context of work done later, by what was stored with it."""
    return _going_on(correlation, parse_traceparent(traceparent))


def valid_correlation_id(text: str | None) -> str | None:
    """The id itself if it is one (1 to 64 of ``A-Z a-z 0-9 . _ -``, no card number), else None."""
    return text if text and _CORRELATION_ID.fullmatch(text) and not contains_card_number(text) else None


def enter(request: RequestContext) -> None:
    """Make this the context of the task that calls: for a server that gives each request a task of its own."""
    _set(request.correlation_id, request.trace, None)


@contextmanager
def working_for(
    *, correlation: str | None, traceparent: str | None = None, merchant: int | None = None
) -> Iterator[TraceContext]:
    """For work done later (a delivery, a recovery): the context that was stored with it, with a span of its own."""
    with working_in(stored(correlation, traceparent), merchant) as span:
        yield span


@contextmanager
def working_in(request: RequestContext, merchant: int | None = None) -> Iterator[TraceContext]:
    """The same, within a context that is known already."""
    before = correlation_id.get(), trace.get(), merchant_id.get()
    _set(request.correlation_id, request.trace, merchant)
    try:
        yield request.trace
    finally:
        _set(*before)


def outgoing_headers() -> dict[str, str]:
    """The headers that hand the context on with a call. Every call is made within a span of its own."""
    span, correlation = trace.get(), correlation_id.get()
    headers = {"X-Correlation-Id": correlation} if correlation else {}
    if span:
        headers["traceparent"] = span.traceparent
        if span.tracestate:
            headers["tracestate"] = span.tracestate
    return headers


def _set(correlation: str | None, span: TraceContext | None, merchant: int | None) -> None:
    correlation_id.set(correlation)
    trace.set(span)
    merchant_id.set(merchant)


def _going_on(correlation: str | None, came_from: TraceContext | None) -> RequestContext:
    span = came_from.child() if came_from else begin_trace()
    return RequestContext(valid_correlation_id(correlation) or span.trace_id, span, came_from)


_HEADERS = frozenset({b"x-correlation-id", b"traceparent", b"tracestate"})
