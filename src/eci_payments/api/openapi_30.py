"""The OpenAPI document as 3.0.3, for tools that read no other: made from the 3.1 one.

What 3.1 says in JSON Schema 2020-12 is said in 3.0's own dialect (OAS 3.0.3, 4.7.24): null as ``nullable``, exclusive
limits as booleans, constants as enumerations of one. What 3.0 cannot say is left out, so that it is wider and never
narrower.
"""

from __future__ import annotations

from typing import Any

_UNKNOWN = frozenset({"propertyNames", "patternProperties", "contentMediaType", "contentEncoding", "$schema"})
_NULL = {"type": "null"}


def as_openapi_30(document: dict[str, Any]) -> dict[str, Any]:
    """The same document in 3.0.3; the one that is given stays as it is."""
    converted: dict[str, Any] = {name: _walk(value) for name, value in document.items()}
    converted["openapi"] = "3.0.3"
    converted.pop("jsonSchemaDialect", None)
    converted["info"].pop("summary", None)
    converted["info"].get("license", {}).pop("identifier", None)
    return converted


def _walk(node: object) -> object:
    """Everything that is not a schema as it is, and every schema converted."""
    if isinstance(node, list):
        return [_walk(each) for each in node]
    if not isinstance(node, dict):
        return node
    walked: dict[str, object] = {}
    for name, value in node.items():
        if name == "schema":
            walked[name] = _schema(value)
        elif name == "schemas":
            walked[name] = {each: _schema(schema) for each, schema in value.items()}
        else:
            walked[name] = value if name in {"example", "examples"} else _walk(value)
    return walked


def _schema(schema: object) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {}
    converted = {name: _member(name, value) for name, value in schema.items() if name not in _UNKNOWN}
    for rewrite in (_limits, _constant, _examples, _nulls, _reference):
        converted = rewrite(converted)
    return converted


def _member(name: str, value: Any) -> object:  # noqa: ANN401 - as the keyword has it
    if name == "properties":
        return {each: _schema(schema) for each, schema in value.items()}
    if name in {"anyOf", "oneOf", "allOf"}:
        return [each if each == _NULL else _schema(each) for each in value]
    if name in {"items", "not"}:
        return _schema(value)
    if name == "additionalProperties" and isinstance(value, dict):
        return _schema(value)
    return value


def _limits(schema: dict[str, Any]) -> dict[str, Any]:
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if exclusive in schema:
            schema = schema | {limit: schema[exclusive], exclusive: True}
    return schema


def _constant(schema: dict[str, Any]) -> dict[str, Any]:
    if "const" not in schema:
        return schema
    rest = {name: value for name, value in schema.items() if name != "const"}
    return rest | {"enum": [schema["const"]]}


def _examples(schema: dict[str, Any]) -> dict[str, Any]:
    if "examples" not in schema:
        return schema
    rest = {name: value for name, value in schema.items() if name != "examples"}
    return rest | {"example": schema["examples"][0]}


def _nulls(schema: dict[str, Any]) -> dict[str, Any]:
    """``anyOf`` with null: nullable; and the one other choice, if it is one, in its place."""
    choices = schema.get("anyOf", [])
    if _NULL not in choices:
        return schema
    others = [each for each in choices if each != _NULL]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if len(others) > 1:
        return {**rest, "anyOf": others, "nullable": True}
    if "$ref" in others[0]:
        return {**rest, "allOf": others, "nullable": True}
    return {**others[0], **rest, "nullable": True}


def _reference(schema: dict[str, Any]) -> dict[str, Any]:
    """A reference stands alone in 3.0."""
    if "$ref" not in schema or len(schema) == 1:
        return schema
    rest = {name: value for name, value in schema.items() if name != "$ref"}
    return {**rest, "allOf": [{"$ref": schema["$ref"]}]}
