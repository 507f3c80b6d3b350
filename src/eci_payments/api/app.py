"""The app: every route, wrapped once."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware

from eci_payments.api.answering import refused
from eci_payments.api.direct import Direct
from eci_payments.api.edge import methods_at, mutation_route, read_route
from eci_payments.api.envelope import Envelope
from eci_payments.api.errors import WireError
from eci_payments.api.guard import Guard
from eci_payments.api.openapi import document
from eci_payments.api.routes import (
    approving,
    charging,
    delivering,
    listing,
    offering,
    reading,
    returning,
    streaming,
)
from eci_payments.api.routes.hooks import add_hook_routes
from eci_payments.api.routes.pages import add_pages
from eci_payments.api.routes.system import add_system_routes
from eci_payments.api.stream.feed import Feed
from eci_payments.api.stream.places import Places
from eci_payments.domain.errors import ensure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from eci_payments.api.edge import EdgeRoute
    from eci_payments.api.services import Services

NOT_ALLOWED = 405


def create_app(services: Services) -> FastAPI:
    """The app over these services. It owns nothing: whoever built the services ends them."""
    app = App(
        services,
        title="ECI Payments",
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_closing_the_door(services),
    )
    for mutation in (*charging.MUTATIONS, *returning.MUTATIONS, *approving.MUTATIONS, *delivering.MUTATIONS):
        app.add_edge_route(mutation_route(mutation, services))
    for read in (*reading.READS, *listing.READS, *offering.READS, *approving.READS, *streaming.READS):
        app.add_edge_route(read_route(read, services))
    add_hook_routes(app, services)
    app.router.routes.append(streaming.stream_route(services, _feed(services)))
    add_system_routes(app, services)
    add_pages(app)
    _describe(app, services)
    _answer_errors(app, services)
    return app


class App(FastAPI):
    """FastAPI's app, which makes its document and serves its pages, behind our own envelope and door.

    The routes of the edge are reached from the door directly (`direct`).
    """

    def __init__(self, services: Services, **options: Any) -> None:
        super().__init__(**options)
        self._services = services
        self._edge: list[EdgeRoute] = []

    def add_edge_route(self, route: EdgeRoute) -> None:
        """A route of the edge; they come before all others."""
        ensure(len(self.router.routes) == len(self._edge), "the routes of the edge come first")
        self.router.routes.append(route)
        self._edge.append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Requests go to our own layers at once; what begins and ends the app is FastAPI's."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Ours in place of FastAPI's: what goes wrong further in is the envelope's to answer."""
        inside = ExceptionMiddleware(AsyncExitStackMiddleware(self.router), handlers=self.exception_handlers)
        app: ASGIApp = Direct(inside, self._edge)
        if self._services.access is not None:
            app = Guard(app, access=self._services.access)
        return Envelope(app, services=self._services)


def _feed(services: Services) -> Feed:
    chosen = services.settings
    places = Places(chosen.max_streams, chosen.max_streams_per_address)
    services.metrics.watch_streams(lambda: places.taken)
    return Feed(services.database, places, chosen.stream_poll_s, services.draining)


def _closing_the_door(services: Services) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        if services.access is not None:
            await services.access.close()

    return lifespan


def create_system_app(services: Services) -> FastAPI:
    """Only what tells how a process is: for workers, which serve nobody's payments."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    add_system_routes(app, services)
    _answer_errors(app, services)
    app.add_middleware(Envelope, services=services)
    return app


def _describe(app: FastAPI, services: Services) -> None:
    built: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not built:
            built.update(document(app, services))
        return built

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to replace the document


def _answer_errors(app: FastAPI, services: Services) -> None:
    """What the router and the system routes raise; the api's own routes answer for themselves."""

    async def answer(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == NOT_ALLOWED:
            allowed = ", ".join(methods_at(app.routes, request.scope["path"]))
            error = HTTPException(NOT_ALLOWED, headers={"Allow": allowed})
        return refused(error, request.scope, services.problem_base)

    app.add_exception_handler(HTTPException, answer)
    app.add_exception_handler(WireError, answer)
