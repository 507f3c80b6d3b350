"""The routes of the api: FastAPI's own, so that its document is made from them, with a handler that is ours.

An endpoint here is a pure function from the checked parts of a request to what is asked: its signature is what the
OpenAPI document shows. The handler reads and checks the request itself, strictly and without FastAPI's dependency
solving, which would cost more than all else on the way to a charge.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from eci_payments.api.answering import answered, refused
from eci_payments.api.bodies import ClientGone, read_document
from eci_payments.api.idempotency_key import read_key
from eci_payments.api.paths import read_path
from eci_payments.api.query import read_query, refuse_query
from eci_payments.api.schemas.closed import Closed
from eci_payments.api.schemas.requests import NothingBody
from eci_payments.api.validation import checked
from eci_payments.domain.keys import KeyClaim, KeyName
from eci_payments.observability.context import correlation_id, merchant_id, trace
from eci_payments.operations.commands import Caller
from eci_payments.operations.fingerprint import fingerprint

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope

    from eci_payments.api.services import Principal, Services
    from eci_payments.domain.change import Answer
    from eci_payments.operations.service import Payments


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What the OpenAPI document says of a route beside its signature."""

    summary: str
    response_model: Any
    tag: str = "payments"
    responses: dict[int | str, dict[str, Any]] = field(default_factory=dict)
    openapi_extra: dict[str, Any] = field(default_factory=dict)
    response_class: type[Response] = JSONResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A request that changes something. ``endpoint`` makes the command of path and body; ``does`` carries it out.

    ``body_model`` None: there is nothing to say in a body. ``owns_path``: other methods of this path are not
    those of a pattern that it also fits.
    """

    method: str
    path: str
    endpoint: Callable[..., Any]
    does: Callable[[Payments, Caller, Any], Awaitable[Answer]]
    documented: Documented
    status: int = 200
    body_model: type[Closed] | None = None
    body_optional: bool = False
    key_required: bool = False
    owns_path: bool = False

    @property
    def scope(self) -> str:
        """What an idempotency key of this request is good for."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A request that changes nothing. ``endpoint`` makes the question of path and query."""

    path: str
    endpoint: Callable[..., Any]
    documented: Documented
    query: dict[str, Callable[[str], Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Described):
    """One that is answered at once and whole: ``answer`` answers the question."""

    answer: Callable[[Services, Principal, Any], Awaitable[Response]]


class EdgeRoute(APIRoute):
    """FastAPI's route, documented by its endpoint's signature and answered by us (``answer``)."""

    def __init__(
        self,
        spec: Mutation | Described,
        method: str,
        status: int,
        handle: Callable[[Scope, Receive], Awaitable[Response]],
    ) -> None:
        self.answer = handle
        self.owns_path = isinstance(spec, Mutation) and spec.owns_path
        about = spec.documented
        super().__init__(
            spec.path,
            spec.endpoint,
            methods=[method],
            status_code=status,
            response_model=about.response_model,
            response_class=about.response_class,
            summary=about.summary,
            tags=[about.tag],
            responses=about.responses,
            openapi_extra=about.openapi_extra,
            operation_id=spec.endpoint.__name__,
            response_description=about.summary,
        )

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Our handler in the place of the one that solves dependencies."""

        async def handle_request(request: Request) -> Response:
            return await self.answer(request.scope, request.receive)

        return handle_request

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As any route; one that owns its path takes every method there, to refuse it."""
        match, child = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL and self.owns_path else match), child


def mutation_route(spec: Mutation, services: Services) -> EdgeRoute:
    """The route of a mutation."""
    model = spec.body_model or NothingBody
    optional = spec.body_optional or spec.body_model is None
    key_scope, wire, secret = spec.scope, services.wire_rules(), services.fingerprint_key
    base = services.problem_base.encode()

    async def command_of(scope: Scope, receive: Receive) -> object:
        document = await read_document(scope, receive, optional=optional)
        body = checked(model, document, wire)
        parts = read_path(scope)
        return spec.endpoint(**parts, body=body) if spec.body_model else spec.endpoint(**parts)

    async def handle(scope: Scope, receive: Receive) -> Response:
        try:
            refuse_query(scope)
            who = await services.identify(scope)
            key = read_key(scope, required=spec.key_required)
            command = await command_of(scope, receive)
            claim = (
                None
                if key is None
                else KeyClaim(KeyName(key_scope, key), fingerprint(secret, key_scope, command))
            )
            done = await spec.does(services.payments, caller_of(who, claim, scope), command)
            return answered(done, base)
        except ClientGone:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - every error has its answer
            return refused(error, scope, services.problem_base)

    return EdgeRoute(spec, spec.method, spec.status, handle)


def read_route(spec: Read, services: Services) -> EdgeRoute:
    """The route of a read."""

    async def handle(scope: Scope, _receive: Receive) -> Response:
        try:
            asked = read_query(scope, spec.query)
            who = await services.identify(scope)
            return await spec.answer(services, who, spec.endpoint(**read_path(scope), **asked))
        except Exception as error:  # noqa: BLE001 - every error has its answer
            return refused(error, scope, services.problem_base)

    return EdgeRoute(spec, "GET", 200, handle)


def caller_of(who: Principal, claim: KeyClaim | None, scope: Scope) -> Caller:
    """Who asks, as operations know them, and logs from here on."""
    merchant_id.set(who.merchant_id)
    span = trace.get()
    client = scope.get("client")
    return Caller(
        merchant_id=who.merchant_id,
        actor=who.actor,
        claim=claim,
        correlation_id=correlation_id.get(),
        traceparent=span.traceparent if span else None,
        origin=client[0] if client else None,
    )


def methods_at(routes: list[Any], path: str) -> list[str]:
    """The methods that some route takes at this path, HEAD beside GET."""
    there = [route for route in routes if getattr(route, "path_regex", None) and route.path_regex.match(path)]
    owners = [route for route in there if getattr(route, "owns_path", False)]
    methods = {method for route in owners or there for method in route.methods or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
