"""Answers and refusals onto the wire: the one place where an error becomes problem details (RFC 9457)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response

from eci_payments.api.errors import WireError
from eci_payments.domain.errors import Refusal
from eci_payments.observability.context import correlation_id
from eci_payments.observability.masking import mask
from eci_payments.operations.problems import CATALOGUE, CONTENT_TYPE, errors_of, of_refusal, problem_document
from eci_payments.store.away import is_absence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from eci_payments.domain.change import Answer
    from eci_payments.operations.problems import Problem

log = logging.getLogger(__name__)

JSON = "application/json"
CREATED, BAD = 201, 400
LONGEST_INSTANCE = 300
"""Our longest path has fewer characters; what is longer is somebody's own."""
AWAY_RETRY_S = 2
"""A database that fails over is back within seconds; asking sooner only queues up."""
_HTTP_CODES = {404: "route_not_found", 405: "method_not_allowed", 413: "payload_too_large"}


def answered(answer: Answer, base: bytes = b"") -> Response:
    """An operation's answer, as it is stored and replayed: status and bytes untouched. ``base``: where we are found."""
    headers: list[tuple[bytes, bytes]] = []
    if answer.status == CREATED and answer.payment_id is not None:
        headers.append((b"location", b"%b/v1/payments/%d" % (base, answer.payment_id)))
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % answer.retry_after_s))
    if answer.replayed:
        headers.append((b"idempotent-replayed", b"true"))
    return Ready(answer.status, answer.body, _PROBLEM_MEDIA if answer.status >= BAD else _JSON_MEDIA, headers)


class Ready(Response):
    """A response whose body and headers are bytes already, so that nothing is left to be encoded."""

    def __init__(  # not calling up: what Starlette sets up for texts, cookies and tasks, none of these has
        self, status: int, body: bytes, media: tuple[bytes, bytes], headers: list[tuple[bytes, bytes]]
    ) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [*headers, (b"content-length", b"%d" % len(body)), media]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it, over HTTP only."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


_JSON_MEDIA = (b"content-type", JSON.encode())
_PROBLEM_MEDIA = (b"content-type", CONTENT_TYPE.encode())


def refused(error: BaseException, scope: Scope, base: str) -> Response:
    """Any error as problem details. What is nobody's refusal is logged and answered as ours, without a word of it."""
    if isinstance(error, WireError):
        return _problem(CATALOGUE[error.code], error.detail, scope, base, error.headers, errors=error.errors)
    if isinstance(error, Refusal):
        retry = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else {}
        named = {} if error.payment_id is None else {"payment_id": error.payment_id}
        fields = errors_of(error)
        return _problem(of_refusal(error), error.detail, scope, base, retry, errors=fields, **named)
    if isinstance(error, HTTPException):
        return _http_problem(error, scope, base)
    if is_absence(error):
        log.warning("the database is away", extra={"error": type(error).__name__})
        detail = "The database does not answer; what was asked may or may not have been done."
        retry = {"Retry-After": str(AWAY_RETRY_S)}
        return _problem(CATALOGUE["database_unavailable"], detail, scope, base, retry)
    log.error("a request failed", exc_info=error)
    return _problem(
        CATALOGUE["internal_error"], "Something broke on our side; it is logged.", scope, base, {}
    )


def _http_problem(error: HTTPException, scope: Scope, base: str) -> Response:
    """What the router says no to."""
    code = _HTTP_CODES.get(error.status_code, "malformed_request")
    details = {
        "route_not_found": "There is nothing at this path.",
        "method_not_allowed": f"This path takes {(error.headers or {}).get('Allow', 'other methods')}.",
    }
    problem = CATALOGUE[code]
    return _problem(problem, details.get(code, problem.advice), scope, base, error.headers or {})


def _problem(
    problem: Problem, detail: str, scope: Scope, base: str, headers: Mapping[str, str], **members: Any
) -> Response:
    body = problem_document(
        problem,
        detail,
        base=base,
        instance=_instance(scope["path"]),
        correlation_id=correlation_id.get(),
        **members,
    )
    return Response(body, problem.status, dict(headers), media_type=CONTENT_TYPE)


def _instance(path: str) -> str:
    """The request's path as a URI reference, without anything that looks like a card number."""
    return quote(mask(path)[:LONGEST_INSTANCE], safe="/*-._~:@!$&'()+,;=", errors="replace")
