"""The short way to the routes under `/v1`: no further layer between the door and the handler.

The edge's routes read, check and answer requests themselves, errors included, so that nothing of what a framework wraps
around a route has anything to do for them. Whatever no route of the edge takes goes on to the app that is wrapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from eci_payments.api.edge import EdgeRoute


class Direct:
    """Wraps the app. ``routes`` are the app's first, in its order, so that both find the same one."""

    def __init__(self, app: ASGIApp, routes: Sequence[EdgeRoute]) -> None:
        self._app = app
        self._routes = routes
        self._plain = {
            (method, route.path): route
            for route in routes
            if not route.param_convertors
            for method in route.methods or ()
            if self._first({"type": "http", "method": method, "path": route.path}) is route
        }
        """The routes of paths without ids, which are found at once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Any ASGI event; only requests for the edge are taken."""
        route = self._found(scope) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        response = await route.answer(scope, receive)
        await response(scope, receive, send)

    def _found(self, scope: Scope) -> EdgeRoute | None:
        route = self._plain.get((scope["method"], scope["path"]))
        if route is None:
            return self._first(scope)
        scope["route"], scope["path_params"] = route, {}
        return route

    def _first(self, scope: Scope) -> EdgeRoute | None:
        """The route that takes it; None where none does, or one that owns the path will refuse the method."""
        for route in self._routes:
            if route.path_regex.match(scope["path"]) is None:
                continue
            match, found = route.matches(scope)
            if match is Match.FULL:
                if scope["method"] not in (route.methods or ()):
                    return None
                scope.update(found)
                scope["route"] = route
                return route
        return None
