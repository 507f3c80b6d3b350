"""The door of the app, inside the envelope: who asks is settled before anything else is looked at.

Everything is closed but what `scopes.is_public` names, so that a route that somebody adds is closed too. Pure ASGI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.api.access import PRINCIPAL, VERDICT, Access
from eci_payments.api.errors import WireError
from eci_payments.api.leisure import Leisure
from eci_payments.api.principal import OPEN
from eci_payments.api.scopes import NEEDED, TRAILED, is_public, is_signed, operation
from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.observability.context import correlation_id, merchant_id
from eci_payments.observability.masking import mask
from eci_payments.operations.problems import CATALOGUE
from eci_payments.store.admin_events import AdminEvent

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from eci_payments.api.principal import Principal

REFUSED = frozenset({401, 403, 429})
SUBJECT_MAX = 200
"""Characters of a path that the trail keeps."""


class Guard:
    """Wraps the app."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._leisure = Leisure()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Any ASGI event; only HTTP requests are guarded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (address := self._access.origin(scope)) is not None:
            scope["client"] = (address, 0)
        signed = is_signed(scope["path"])
        if not signed and is_public(scope["path"]):
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, send)
        try:
            await (self._signed if signed else self._admitted)(scope, receive, visit)
        except WireError as error:
            visit.status = CATALOGUE[error.code].status
            await self._leisure.turn()
            raise
        finally:
            self._remember(scope, visit.status)

    async def _admitted(self, scope: Scope, receive: Receive, visit: _Visit) -> None:
        principal = scope[PRINCIPAL] = await self._access.admit(scope)
        merchant_id.set(principal.merchant_id)
        self._access.enter(principal, scope)
        try:
            await self._app(scope, receive, visit.send)
        finally:
            self._access.leave(scope)

    async def _signed(self, scope: Scope, receive: Receive, visit: _Visit) -> None:
        """Who signs needs no key, and has a limit of its own; the route verifies the signature."""
        self._access.limit_signed(scope)
        self._access.enter(OPEN, scope)
        try:
            await self._app(scope, receive, visit.send)
        finally:
            self._access.leave(scope)

    def _remember(self, scope: Scope, status: int) -> None:
        """Acts of power and refusals go into the trail."""
        principal: Principal | None = scope.get(PRINCIPAL)
        is_refusal = status in REFUSED
        if not is_refusal and NEEDED.get(operation(scope)) not in TRAILED:
            return
        event = AdminEvent(
            principal.merchant_id if principal else SINGLE_SHOP,
            principal.actor if principal else scope.get("eci.why_not") or "nobody",
            operation(scope) if scope.get("route") else f"{scope['method']} (no route)",
            mask(scope["path"])[:SUBJECT_MAX],
            str(status),
            scope["client"][0] if scope.get("client") else None,
        )
        note = self._access.trail.note_refusal if is_refusal else self._access.trail.note_act
        note(event, correlation_id.get())
        self._access.flush_soon()


class _Visit:
    """One request that was let in: its status, and the headers of its rate limit."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.status = 0
        self._scope = scope
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass the response on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            verdict = self._scope.get(VERDICT)
            if verdict is not None:
                added = [(name.lower().encode(), value.encode()) for name, value in verdict.headers().items()]
                message["headers"] = [*message["headers"], *added]
        await self._send(message)
