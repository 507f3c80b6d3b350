"""The OpenAPI 3.1 document: FastAPI's, made from the routes and models, with what it does not know of problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from eci_payments import __version__
from eci_payments.api.documented import errors, headers
from eci_payments.api.links import add_links
from eci_payments.api.schemas.responses import ProblemDocument
from eci_payments.api.scopes import BY_TOKEN, NEEDED, is_public, page_scope

if TYPE_CHECKING:
    from fastapi import FastAPI

    from eci_payments.api.services import Services
    from eci_payments.settings import Settings

_ABOUT = """\
Takes an order's money exactly once, by card, UPI, wallet, net banking or cash on delivery, and gives it back.

Every mutation takes an `Idempotency-Key`; repeating a request with its key changes nothing and gets the same answer.
Every error is `application/problem+json` (RFC 9457), and its `type` leads to a page about it. Fields and query
parameters that are not named here are refused; null is the same as absent where it is allowed. Amounts are exact
decimals in major units, with `amount_minor` beside each.
"""


def document(app: FastAPI, services: Services) -> dict[str, Any]:
    """The document, built anew, with the limits of this installation."""
    built = get_openapi(
        title="ECI Payments",
        version=__version__,
        openapi_version="3.1.0",
        description=_ABOUT,
        routes=app.routes,
        servers=[{"url": services.problem_base or "/"}],
        license_info={"name": "MIT", "identifier": "MIT"},
        tags=[
            {"name": "payments", "description": "Payments and refunds"},
            {"name": "gateways", "description": "What gateways tell us"},
            {"name": "system", "description": "For machines that look after the service"},
        ],
    )
    _add_problem_schemas(built)
    _restore_examples(app, built)
    _fit_to_installation(built["components"]["schemas"], services.settings)
    built["components"]["securitySchemes"] = _SCHEMES | _BY_TOKEN
    for path, operations in built["paths"].items():
        for method, operation in operations.items():
            _add_to_operation(operation)
            _add_access(operation, method, path)
    add_links(built)
    return built


def _add_problem_schemas(built: dict[str, Any]) -> None:
    _, described = models_json_schema(
        [(ProblemDocument, "serialization")], ref_template="#/components/schemas/{model}"
    )
    built["components"]["schemas"] |= described["$defs"]


def _fit_to_installation(schemas: dict[str, Any], settings: Settings) -> None:
    """What the settings decide: the largest charge, and where a customer may be sent back to."""
    origins = "|".join(re.escape(origin.lower()) for origin in settings.return_url_allowlist)
    for name in ("ChargeBody", "CreateBody"):
        properties = schemas[name]["properties"]
        numbers, texts = properties["amount"]["anyOf"]
        properties["amount"]["anyOf"] = [numbers | {"maximum": float(settings.max_charge_amount)}, texts]
        address, none = properties["return_url"]["anyOf"]
        pattern = rf"^(?:{origins})(?:[/?#][!-\[\]-~]*)?$" if origins else "^(?!)"
        properties["return_url"]["anyOf"] = [address | {"pattern": pattern}, none]


def _restore_examples(app: FastAPI, built: dict[str, Any]) -> None:
    """FastAPI leaves every null out of the document, and so out of examples that must have them."""
    for route in app.routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        method = "".join(route.methods or ())
        responses = built["paths"][route.path_format][method.lower()]["responses"]
        for status, given in route.responses.items():
            for media, content in given.get("content", {}).items():
                if "example" in content:
                    responses[str(status)]["content"][media]["example"] = content["example"]


_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `eci_...`"},
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "The same, in a header",
    },
}
_BY_TOKEN = {
    "read_token": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "A read token: `eci_read_...`; also taken as a bearer token",
    }
}
_CLOSED = errors("unauthorized", "forbidden", "rate_limited", "busy")


def _add_access(operation: dict[str, Any], method: str, path: str) -> None:
    """Who may ask for it, and what the others are told."""
    if is_public(path):
        operation["security"] = []
        return
    operation["security"] = [{name: []} for name in _SCHEMES]
    if f"{method.upper()} {path}" in BY_TOKEN:
        operation["security"] += [{name: []} for name in _BY_TOKEN]
    needed = NEEDED.get(f"{method.upper()} {path}") or page_scope(path)
    if needed is not None:
        operation["x-needed-scope"] = str(needed)
        said = operation.get("description", "")
        operation["description"] = f"{said}\n\nNeeds a key with the scope `{needed}`.".strip()
    for status, response in _CLOSED.items():
        operation["responses"].setdefault(str(status), response)


def _add_to_operation(operation: dict[str, Any]) -> None:
    """What holds for every operation: it may be refused for its headers, or fail."""
    responses = operation["responses"]
    for status, response in errors("internal_error").items():
        responses.setdefault(str(status), response)
    for response in responses.values():
        response.setdefault("headers", headers())
