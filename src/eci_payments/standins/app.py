"""The stand-ins as one ASGI app: the endpoints of both shapes, a journal, and switches for tests."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from eci_payments.standins import checks
from eci_payments.standins.journal import Call, Journal
from eci_payments.standins.page import HEADERS, page
from eci_payments.standins.switches import ANSWERS, Mode, Switch, switch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request

    Check = Callable[[dict[str, Any]], str | None]

PEERS = ("order", "inventory", "notification")
MAX_LISTED = 1000
SHOWN = 100
"""Calls on the page."""


def create_app(journal_path: Path | str) -> Starlette:
    """The app; its journal is the SQLite file at ``journal_path``, made when it is missing."""
    standins = _Standins(Journal(journal_path))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        standins.journal.close()

    order, stock, notes = (standins.endpoint(peer) for peer in PEERS)
    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v1/orders/{order_id}/payment-status", order(checks.payment_status), methods=["PATCH"]),
            Route("/v1/orders/{order_id}/status", order(checks.order_status), methods=["PATCH"]),
            Route("/v1/inventory/release", stock(checks.release), methods=["POST"]),
            Route("/v1/notifications", notes(checks.notification, 201), methods=["POST"]),
            Route("/v1/notifications/events", notes(checks.notification_event, 202), methods=["POST"]),
            Route("/", standins.overview),
            Route("/health", _health),
            Route("/received", standins.received),
            Route("/switches", standins.show_switches),
            Route("/switches/{peer}", standins.set_switch, methods=["PUT"]),
        ],
    )


class _Standins:
    """The three peers' state: what they were told, and how they behave."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.switches = dict.fromkeys(PEERS, Switch())

    def endpoint(self, peer: str) -> Callable[..., Callable[[Request], Any]]:
        """Makes an endpoint of this peer from the check of its body and the status of success."""

        def checked_by(check: Check, success: int = 200) -> Callable[[Request], Any]:
            async def take(request: Request) -> Response:
                return await self._take(request, peer, check, success)

            return take

        return checked_by

    async def overview(self, request: Request) -> Response:
        """A page for people, JSON for everybody else."""
        calls = self.journal.newest(SHOWN)
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(page(calls, self.journal.counts(), self.switches), headers=HEADERS)
        return JSONResponse({"taken": self.journal.counts(), "newest": calls})

    async def received(self, request: Request) -> Response:
        """What arrived, oldest first, by peer and order; ``after`` continues where ``next_after`` left off."""
        asked = request.query_params
        try:
            after, limit = int(asked.get("after", 0)), int(asked.get("limit", 100))
        except ValueError:
            return JSONResponse({"detail": "after and limit are integers"}, 400)
        calls = self.journal.read(
            peer=asked.get("peer"),
            order_id=asked.get("order_id"),
            after=after,
            limit=min(max(limit, 1), MAX_LISTED),
        )
        return JSONResponse({"received": calls, "next_after": calls[-1]["number"] if calls else after})

    async def show_switches(self, _: Request) -> Response:
        """How each peer behaves."""
        return JSONResponse({peer: _shown(switch) for peer, switch in self.switches.items()})

    async def set_switch(self, request: Request) -> Response:
        """Make a peer behave: ``PUT /switches/order {"mode": "down"}``."""
        peer = request.path_params["peer"]
        if peer not in self.switches:
            return JSONResponse({"detail": f"peers are {', '.join(PEERS)}"}, 404)
        try:
            self.switches[peer] = switch(await request.json())
        except ValueError as error:
            return JSONResponse({"detail": str(error)}, 422)
        return JSONResponse(_shown(self.switches[peer]))

    async def _take(self, request: Request, peer: str, check: Check, success: int) -> Response:
        body = await request.body()
        told = self.switches[peer]
        await asyncio.sleep(told.delay_s)
        parsed, wrong = _checked(body, check)
        answered = ANSWERS.get(told.mode) or (422 if wrong else success)
        self.journal.write(_call(request, peer, body, parsed, answered))
        if told.mode is not Mode.UP:
            return Response(status_code=answered, headers=_refusal_headers(told))
        return JSONResponse({"detail": wrong} if wrong else {"accepted": True}, answered)


def _checked(body: bytes, check: Check) -> tuple[dict[str, Any], str | None]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}, "the body is not JSON"
    if not isinstance(parsed, dict):
        return {}, "the body is not an object"
    return parsed, check(parsed)


def _call(request: Request, peer: str, body: bytes, parsed: dict[str, Any], answered: int) -> Call:
    order_id = request.path_params.get("order_id", parsed.get("order_id"))
    return Call(
        received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        peer=peer,
        method=request.method,
        path=request.scope["raw_path"].decode("ascii", "replace"),
        order_id=None if order_id is None else str(order_id),
        idempotency_key=request.headers.get("idempotency-key"),
        correlation_id=request.headers.get("x-correlation-id"),
        traceparent=request.headers.get("traceparent"),
        answered=answered,
        body=body.decode("utf-8", "replace"),
    )


def _refusal_headers(told: Switch) -> dict[str, str]:
    headers = {"Retry-After": told.retry_after} if told.retry_after is not None else {}
    return headers | ({"Location": "/elsewhere"} if told.mode is Mode.MOVED else {})


def _shown(told: Switch) -> dict[str, Any]:
    return {"mode": told.mode, "delay_s": told.delay_s, "retry_after": told.retry_after}


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "healthy"})
