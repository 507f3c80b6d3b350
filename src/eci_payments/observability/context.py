"""Whose request this is: correlation id, trace and merchant, carried to every log line, row and call made for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.observability.traces import TraceContext, begin_trace, parse_traceparent

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
trace: ContextVar[TraceContext | None] = ContextVar("trace", default=None)
merchant_id: ContextVar[int | None] = ContextVar("merchant_id", default=None)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What the headers of a request say about whose it is."""

    correlation_id: str
    trace: TraceContext


def of_headers(headers: Iterable[tuple[bytes, bytes]]) -> RequestContext:
    """The context of a request with these headers (names in lower case, as ASGI gives them).

    The trace goes on with a span of our own. The correlation id is the caller's, or else the trace id.
    """
    wanted: dict[bytes, list[str]] = {name: [] for name in _HEADERS}
    for name, value in headers:
        if name in wanted:
            wanted[name].append(value.decode("latin-1"))
    span = _trace_of(wanted[b"traceparent"], wanted[b"tracestate"])
    ids = wanted[b"x-correlation-id"]
    return RequestContext((len(ids) == 1 and valid_correlation_id(ids[0])) or span.trace_id, span)


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
    came_from = parse_traceparent(traceparent)
    span = came_from.child() if came_from else begin_trace()
    before = correlation_id.get(), trace.get(), merchant_id.get()
    _set(valid_correlation_id(correlation) or span.trace_id, span, merchant)
    try:
        yield span
    finally:
        _set(*before)


def outgoing_headers() -> dict[str, str]:
    """The headers that hand the context on with a call: each call is a span of its own."""
    span, correlation = trace.get(), correlation_id.get()
    headers = {"X-Correlation-Id": correlation} if correlation else {}
    if span:
        headers["traceparent"] = span.child().traceparent
        if span.tracestate:
            headers["tracestate"] = span.tracestate
    return headers


def _set(correlation: str | None, span: TraceContext | None, merchant: int | None) -> None:
    correlation_id.set(correlation)
    trace.set(span)
    merchant_id.set(merchant)


def _trace_of(traceparents: list[str], tracestates: list[str]) -> TraceContext:
    came_from = parse_traceparent(traceparents[0], ",".join(tracestates)) if len(traceparents) == 1 else None
    return came_from.child() if came_from else begin_trace()


_HEADERS = (b"x-correlation-id", b"traceparent", b"tracestate")
