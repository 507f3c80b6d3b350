"""The OpenAPI document: valid in both versions, complete, and its examples are what it says."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from eci_payments.api.openapi_30 import as_openapi_30
from eci_payments.operations.problems import CATALOGUE

OPERATIONS = {
    ("post", "/v1/payments/charge"),
    ("post", "/v1/payments"),
    ("get", "/v1/payments"),
    ("post", "/v1/payments/{payment_id}/confirm"),
    ("post", "/v1/payments/{payment_id}/capture"),
    ("post", "/v1/payments/{payment_id}/refund"),
    ("post", "/v1/payments/{payment_id}/refunds/{refund_id}/paid"),
    ("post", "/v1/approvals/{approval_id}"),
    ("get", "/v1/approvals/{approval_id}"),
    ("get", "/v1/approvals"),
    ("post", "/v1/payments/{payment_id}/collect"),
    ("post", "/v1/payments/{payment_id}/remit"),
    ("get", "/v1/payments/{payment_id}/refunds"),
    ("patch", "/v1/payments/{payment_id}/status"),
    ("delete", "/v1/payments/{payment_id}"),
    ("get", "/v1/payments/{payment_id}"),
    ("get", "/v1/payments/order/{order_id}"),
    ("get", "/v1/payments/transaction/{transaction_id}"),
    ("get", "/v1/payments/{payment_id}/stream"),
    ("get", "/v1/payments/{payment_id}/read-token"),
    ("get", "/v1/payment-methods"),
    ("post", "/v1/gateways/{account}/webhooks"),
    ("get", "/health"),
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}


@pytest.fixture
def document(api) -> dict[str, Any]:
    made: dict[str, Any] = api.app.openapi()
    return made


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, there in document["paths"].items()
        for method, operation in there.items()
    ]


async def test_both_documents_are_served_and_valid(api):
    newer = (await api.get("/openapi.json")).json()
    older = (await api.get("/openapi-3.0.json")).json()
    assert (newer["openapi"], older["openapi"]) == ("3.1.0", "3.0.3")
    OpenAPIV31SpecValidator(newer).validate()
    OpenAPIV30SpecValidator(older).validate()
    assert set(newer["paths"]) == set(older["paths"])


def test_every_endpoint_is_there(document):
    assert {(method, path) for method, path, _ in operations(document)} == OPERATIONS


def test_operations_have_names_of_their_own(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)


def test_keys_are_required_where_the_contract_says(document):
    required = {
        path: parameter["required"]
        for method, path, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "Idempotency-Key" and method != "get"
    }
    assert {path for path, must in required.items() if must} == {
        "/v1/payments/charge",
        "/v1/payments/{payment_id}/confirm",
    }
    assert len(required) == sum(method != "get" and "webhooks" not in path for method, path in OPERATIONS)


def test_every_example_is_what_its_schema_says(document):
    shown = 0
    for schema, example in examples_of(document):
        OAS31Validator(
            {**schema, "components": document["components"]}, format_checker=oas31_format_checker
        ).validate(example)
        shown += 1
    assert shown > 100


def examples_of(document: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    """Each example of a request or response body with its schema."""
    found = []
    for _, _, operation in operations(document):
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media in part.get("content", {}).values():
                if "example" in media:
                    found.append((media["schema"], media["example"]))
                found += [(media["schema"], each["value"]) for each in media.get("examples", {}).values()]
    return found


def test_every_endpoint_and_every_error_has_an_example(document):
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            for media in response["content"].values():
                assert "example" in media or media.get("examples") or path == "/metrics", (
                    method,
                    path,
                    status,
                )
        if method in {"post", "patch"} and "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["examples"]


def test_errors_are_problem_details_and_nothing_else(document):
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and path != "/health":
                assert list(response["content"]) == ["application/problem+json"]
            assert "X-Correlation-Id" in response["headers"]


def test_every_problem_that_can_be_met_is_documented(document):
    shown = {
        code
        for _, _, operation in operations(document)
        for response in operation["responses"].values()
        for media in response["content"].values()
        for code in media.get("examples", {})
    }
    elsewhere = {"malformed_request", "route_not_found", "method_not_allowed"}  # of no operation of ours
    assert set(CATALOGUE) - shown == elsewhere


def test_bodies_are_closed(document):
    for name, schema in document["components"]["schemas"].items():
        if name.endswith(("Body", "Details")):
            assert schema["additionalProperties"] is False, name


def test_the_older_document_has_nothing_that_3_0_does_not_know(api):
    def names(node: Any, inside: str = "") -> set[str]:
        if isinstance(node, list):
            return {each for item in node for each in names(item)}
        if not isinstance(node, dict) or inside in {"example", "examples"}:
            return set()
        own = set() if inside in {"properties", "examples", "schemas"} else set(node)
        return own | {each for name, value in node.items() for each in names(value, name)}

    before = api.app.openapi()
    used = names(as_openapi_30(before))
    assert not used & {"const", "prefixItems", "$defs", "propertyNames", "identifier", "jsonSchemaDialect"}
    assert before["openapi"] == "3.1.0"
    assert "nullable" in used
