"""What the OpenAPI document says beside the signatures: headers, examples, and every problem of each route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from eci_payments.api.edge import Documented
from eci_payments.api.examples import problems
from eci_payments.api.idempotency_key import HEADER, PATTERN
from eci_payments.operations.problems import CATALOGUE, CONTENT_TYPE

if TYPE_CHECKING:
    from pydantic import BaseModel

PROBLEM = {"$ref": "#/components/schemas/ProblemDocument"}
_TEXT = {"type": "string"}
_SECONDS = {
    "description": "Seconds to wait before asking again.",
    "schema": {"type": "integer", "minimum": 0},
}
_HEADERS: dict[str, dict[str, Any]] = {
    "X-Correlation-Id": {
        "description": "The request's own, or its trace id.",
        "schema": _TEXT | {"pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "Location": {"description": "Where the payment is.", "schema": _TEXT | {"format": "uri-reference"}},
    "Idempotent-Replayed": {
        "description": "true: this is the first request's answer, byte for byte.",
        "schema": _TEXT | {"enum": ["true"]},
    },
    "Retry-After": _SECONDS,
    "Allow": {"description": "The methods that this path takes.", "schema": _TEXT},
    "Accept": {"description": "What would be taken.", "schema": _TEXT},
    "WWW-Authenticate": {"description": "What is missing (RFC 6750).", "schema": _TEXT},
    "Link": {"description": 'The next page, rel="next" (RFC 8288).', "schema": _TEXT},
}
_CORRELATION = {
    "name": "X-Correlation-Id",
    "in": "header",
    "required": False,
    "description": "Comes back in the answer, in logs and in what peers are told: 1 to 64 of `A-Z a-z 0-9 . _ -`."
    " Anything else is replaced by the trace id.",
    "schema": {"type": "string"},
}
ALWAYS = ("internal_error", "database_unavailable")
READING = ("validation_failed", *ALWAYS)
WRITING = (
    "malformed_json",
    "idempotency_key_invalid",
    "idempotency_key_in_flight",
    "payload_too_large",
    "unsupported_media_type",
    "validation_failed",
    "idempotency_key_reused",
    "busy",
    "restore_in_progress",
    *ALWAYS,
)


def headers(*names: str) -> dict[str, Any]:
    """These headers, and the one that every response has."""
    return {name: _HEADERS[name] for name in (*names, "X-Correlation-Id")}


def success(description: str, example: object, *names: str) -> dict[str, Any]:
    """A response with this example and these headers."""
    return {
        "description": description,
        "headers": headers(*names),
        "content": {"application/json": {"example": example}},
    }


def errors(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The responses for these problems, one per status, each problem with its example."""
    by_status: dict[int | str, list[str]] = {}
    for code in codes:
        by_status.setdefault(CATALOGUE[code].status, []).append(code)
    return {status: _error(status, found) for status, found in sorted(by_status.items())}


_CLOSED = {401, 403}
_WAITING = {409, 429, 502, 503}


def _error(status: int | str, codes: list[str]) -> dict[str, Any]:
    extra = [
        *(["Retry-After"] if status in _WAITING else []),
        *(["WWW-Authenticate"] if status in _CLOSED else []),
        *(["Accept"] if "unsupported_media_type" in codes else []),
        *(["Idempotent-Replayed"] if "gateway_declined" in codes else []),
    ]
    return {
        "description": "; ".join(CATALOGUE[code].title for code in codes),
        "headers": headers(*extra),
        "content": {CONTENT_TYPE: {"schema": PROBLEM, "examples": problems(*codes)}},
    }


def key_header(*, required: bool) -> dict[str, Any]:
    """The Idempotency-Key parameter."""
    return {
        "name": HEADER,
        "in": "header",
        "required": required,
        "description": "A name of your own making for this request: repeating it changes nothing and gets the same"
        " answer for 24 hours (IDEMPOTENCY_WINDOW_HOURS). A quoted structured-field string, or the characters bare.",
        "schema": {"type": "string", "pattern": PATTERN},
        "example": "order-42-try-1",
    }


def mutation(
    summary: str,
    model: type[BaseModel],
    *codes: str,
    answers: dict[int | str, dict[str, Any]],
    bodies: dict[str, Any] | None = None,
    key_required: bool = False,
) -> Documented:
    """The documentation of a mutation: its answers, what it can be refused for, its headers and bodies."""
    extra: dict[str, Any] = {"parameters": [key_header(required=key_required), _CORRELATION]}
    if bodies:
        extra["requestBody"] = {"content": {"application/json": {"examples": bodies}}}
    missing = ("idempotency_key_missing",) if key_required else ()
    return Documented(
        summary=summary,
        response_model=model,
        responses=answers | errors(*missing, *codes, *WRITING),
        openapi_extra=extra,
    )


def read(
    summary: str,
    model: type[BaseModel] | None,
    *codes: str,
    answers: dict[int | str, dict[str, Any]],
    parameters: tuple[dict[str, Any], ...] = (),
    response_class: type[Response] = JSONResponse,
) -> Documented:
    """The documentation of a read."""
    return Documented(
        summary=summary,
        response_model=model,
        responses=answers | errors(*codes, *READING),
        openapi_extra={"parameters": [*parameters, _CORRELATION]},
        response_class=response_class,
    )
