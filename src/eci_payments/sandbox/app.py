"""The sandbox as one ASGI app over one record: the customer's pages, and with an API key the gateway's API."""

from __future__ import annotations

import asyncio
import hmac
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from eci_payments.gateways.adapters.simulator.notices import Announcing
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.sandbox.admin import Admin
from eci_payments.sandbox.dashboard import Dashboard
from eci_payments.sandbox.faults import FaultPlan
from eci_payments.sandbox.operations import Operations, problem
from eci_payments.sandbox.options import SandboxOptions
from eci_payments.sandbox.pages import Pages
from eci_payments.sandbox.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from eci_payments.sandbox.door import Door

    Endpoint = Callable[[Request], Awaitable[ASGIApp]]


def create_app(
    record: SimulatorRecord | Path | str, options: SandboxOptions | None = None, door: Door | None = None
) -> Starlette:
    """The app over this record, or over the record in this file."""
    options = options or SandboxOptions()
    shared = record if isinstance(record, SimulatorRecord) else SimulatorRecord(record)
    if options.webhook_url is not None:
        shared.announcing = Announcing(options.webhook_late_s, options.webhook_held_s)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with _telling(shared, options):
            yield
        await asyncio.to_thread(shared.close)

    return Starlette(
        lifespan=lifespan,
        routes=[*_pages(shared), *_api(shared, options, door)],
        exception_handlers={ClientDisconnect: _gone},
    )


@asynccontextmanager
async def _telling(record: SimulatorRecord, options: SandboxOptions) -> AsyncIterator[None]:
    if options.webhook_url is None:
        yield
        return
    sending = asyncio.create_task(Webhooks(record, options).run())
    try:
        yield
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


def _pages(record: SimulatorRecord) -> list[Route]:
    pages = Pages(record)
    return [
        Route("/", pages.home),
        Route("/health", _health),
        Route("/challenge/{reference}", pages.ask, methods=["GET"]),
        Route("/challenge/{reference}", pages.choose, methods=["POST"]),
    ]


def _api(record: SimulatorRecord, options: SandboxOptions, door: Door | None) -> list[Route]:
    if options.api_key is None:
        return []
    key = options.api_key
    plan = FaultPlan()
    operations = Operations(record, options, plan, asyncio.sleep)
    admin = Admin(record, plan, door)
    dashboard = Dashboard(record, options)
    endpoints: list[tuple[str, str, Endpoint]] = [
        ("POST", "/v1/operations/{kind}", operations.post),
        ("GET", "/v1/operations/{key}", operations.get),
        ("GET", "/v1/methods", operations.methods),
        ("GET", "/v1/faults", admin.faults),
        ("PUT", "/v1/faults", admin.set_faults),
        ("POST", "/v1/door", admin.shut_door),
        ("GET", "/v1/movements", admin.movements),
        ("GET", "/v1/webhooks", admin.notices),
        ("POST", "/v1/dashboard/refunds", dashboard.refund),
        ("GET", "/v1/dashboard/disputes", dashboard.disputes),
        ("POST", "/v1/dashboard/disputes", dashboard.dispute),
        ("PUT", "/v1/dashboard/disputes/{reference}", dashboard.decide),
    ]
    return [Route(path, _with_key(key, endpoint), methods=[verb]) for verb, path, endpoint in endpoints]


def _with_key(key: str, endpoint: Endpoint) -> Endpoint:
    expected = f"Bearer {key}".encode()

    async def guarded(request: Request) -> ASGIApp:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, expected):
            answer = problem(401, "unauthorized", "The API key is missing or wrong.")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        return await endpoint(request)

    return guarded


async def _gone(_: Request, __: Exception) -> Response:
    """Who hangs up within a body has asked for nothing, and hears nothing."""
    return Response(status_code=400)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "healthy", "service": "sandbox"})
