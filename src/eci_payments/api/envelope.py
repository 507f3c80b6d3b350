"""What every request and response has, whatever route takes it: plain ASGI around the whole app.

A context (correlation id, trace), the headers that every response carries, HEAD as a GET without its body, the access
log, the measures, and an answer for whatever goes wrong further in. Refusals by a rate limit (429) have one line of the
access log for each address and second, and one more with the number of the others.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING

from eci_payments.api.answering import refused
from eci_payments.api.cors import Cors
from eci_payments.api.stream.response import HEAD, STREAM
from eci_payments.observability.context import enter, merchant_id, of_headers
from eci_payments.observability.logs import log_access
from eci_payments.observability.repeats import Repeats
from eci_payments.observability.spans import NOTHING, Kind, of_request

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from eci_payments.api.services import Services
    from eci_payments.observability.spans import Nothing, Span

ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-frame-options", b"DENY"),
)
"""On every response, unless a route says otherwise (OWASP ASVS 5.0, 3.4): nothing of ours is cached, framed, sniffed
or read by other origins. CORS headers there are only where PAGE_ORIGINS opens a payment to a page (`cors`)."""
_ALWAYS_NAMES = frozenset(name for name, _ in ALWAYS)
UNMATCHED = "unmatched"
"""The route of a request that no route takes: paths are the callers' and have no bound."""
UNTRACED = frozenset({"/health", "/livez", "/readyz", "/metrics"})
"""Routes that machines ask every few seconds: nobody looks for their traces."""
SERVER_ERROR = 500
TOO_MANY = 429

log = logging.getLogger(__name__)


class Envelope:
    """Wraps the app. One `_Exchange` per request."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._cors = Cors(services.settings.page_origins)
        self._too_many = Repeats(_told_of_more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Any ASGI event; only HTTP requests are wrapped."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        context = of_headers(scope["headers"])
        enter(context)
        exchange = _Exchange(scope, send, [*self._cors.headers(scope), *_named(context.correlation_id)])
        with of_request(context, Kind.SERVER) as span:
            try:
                await self._app(exchange.scope, receive, exchange.send)
            except Exception as error:
                if exchange.status:
                    raise
                await refused(error, scope, self._services.problem_base)(scope, receive, exchange.send)
            finally:
                self._note(exchange, (exchange.begun_at or perf_counter()) - begun)
                if span is not NOTHING:
                    _describe(span, exchange, context.correlation_id)

    def _note(self, exchange: _Exchange, seconds: float) -> None:
        scope, route = exchange.scope, exchange.route
        self._services.metrics.request_ended(scope["method"], route, exchange.status, seconds)
        client = scope.get("client")
        if exchange.status == TOO_MANY and not self._too_many.is_first(client[0] if client else ""):
            return
        log_access(
            method=exchange.method,
            route=route,
            status=exchange.status,
            duration_ms=seconds * 1000,
            path=scope["path"],
            client=client[0] if client else None,
        )


def _told_of_more(client: str, times: int) -> None:
    log.info("more requests were answered 429", extra={"client": client, "times": times, "status": TOO_MANY})


def _describe(span: Span | Nothing, exchange: _Exchange, correlation_id: str) -> None:
    scope, route, status = exchange.scope, exchange.route, exchange.status
    if route in UNTRACED:
        span.forget()
    span.rename(exchange.method if route == UNMATCHED else f"{exchange.method} {route}")
    span.tell(
        method=exchange.method, scheme=scope["scheme"], path=scope["path"], correlation_id=correlation_id
    )
    if route != UNMATCHED:
        span.tell(route=route)
    if (merchant := merchant_id.get()) is not None:
        span.tell(merchant_id=merchant)
    if status:
        span.tell(status=status)
    if not 0 < status < SERVER_ERROR:
        span.fail(str(status) if status else "broken off")


class _Exchange:
    """One request with its response, as the wrapped app sees them."""

    def __init__(self, scope: Scope, send: Send, own: list[tuple[bytes, bytes]]) -> None:
        self.method: str = scope["method"]
        self.bodiless = self.method == "HEAD"
        self.scope: Scope = {**scope, "method": "GET", HEAD: True} if self.bodiless else scope
        self.status = 0
        self.begun_at: float | None = None
        """When the answer of a stream began: how long its reader stays says nothing of us."""
        self._send = send
        self._own = own
        self._usual = [*own, *ALWAYS]

    @property
    def route(self) -> str:
        """The template of the route that took the request."""
        return getattr(self.scope.get("route"), "path_format", None) or UNMATCHED

    async def send(self, message: Message) -> None:
        """Pass the response on, with what every response has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if STREAM in message["headers"]:
                self.begun_at = perf_counter()
            message["headers"] = [*message["headers"], *self._added(message["headers"])]
        elif self.bodiless:
            message = {**message, "body": b""}
        await self._send(message)

    def _added(self, present: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        own = {name for name, _ in present} & _ALWAYS_NAMES
        return [*self._own, *(header for header in ALWAYS if header[0] not in own)] if own else self._usual


def _named(correlation_id: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-correlation-id", correlation_id.encode())]
