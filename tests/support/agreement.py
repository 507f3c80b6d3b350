"""Holds every response of a test against the OpenAPI document that the same app serves."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from openapi_schema_validator import OAS31Validator, oas31_format_checker

if TYPE_CHECKING:
    import httpx


class Agreement:
    """Knows the document; `check` says in an AssertionError what a response has that it does not describe."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.seen: set[tuple[str, str, str]] = set()
        self._templates = [(_pattern(path), path) for path in sorted(document["paths"], key=_vagueness)]

    def check(self, response: httpx.Response) -> None:
        """Status, content type, headers and body are as documented."""
        method, path = response.request.method, response.request.url.path
        assert response.headers["x-correlation-id"]
        if response.status_code >= 400 and path != "/health":
            self.check_problem(response)
        operation = self._operation("GET" if method == "HEAD" else method, path)
        if operation is None:
            assert response.status_code in {200, 404, 405}, response.text
            return
        template, described = operation
        assert str(response.status_code) in described["responses"], (response.status_code, response.text)
        self.seen.add((method, template, str(response.status_code)))
        self._check_described(response, described["responses"][str(response.status_code)])

    def check_problem(self, response: httpx.Response) -> None:
        """Problem details as RFC 9457 and the contract have them."""
        assert response.headers["content-type"] == "application/problem+json"
        if response.request.method == "HEAD":
            return
        problem = response.json()
        self._validate(problem, {"$ref": "#/components/schemas/ProblemDocument"})
        assert problem["status"] == response.status_code
        assert problem["type"].endswith(f"/problems/{problem['code']}")
        if problem["status"] == 422:
            assert problem["errors"], "every 422 names a field"

    def _check_described(self, response: httpx.Response, described: dict[str, Any]) -> None:
        media = response.headers["content-type"].partition(";")[0]
        assert media in described["content"], (media, list(described["content"]))
        for name in ("location", "link", "retry-after", "idempotent-replayed", "accept"):
            if name in response.headers:
                assert name in {each.lower() for each in described["headers"]}, name
        if media.endswith("json") and response.request.method != "HEAD":
            self._validate(json.loads(response.content), described["content"][media]["schema"])

    def _operation(self, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
        for pattern, template in self._templates:
            if pattern.fullmatch(path):
                operation = self.document["paths"][template].get(method.lower())
                return (template, operation) if operation else None
        return None

    def _validate(self, value: Any, schema: dict[str, Any]) -> None:
        whole = {**schema, "components": self.document["components"]}
        OAS31Validator(whole, format_checker=oas31_format_checker).validate(value)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", template))


def _vagueness(template: str) -> tuple[int, str]:
    return template.count("{"), template
