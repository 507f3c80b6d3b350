"""A request as configuration: a verb, a path and a JSON body with ``{names}`` that an event fills in. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

Value: TypeAlias = "str | int | None"
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

VERBS = frozenset({"POST", "PUT", "PATCH"})
"""Verbs that carry a body and that peers of this kind use."""
_NAME = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_-]+)?)\}", re.ASCII)
_PATH = re.compile(r"/[!-~]*", re.ASCII)
METADATA = "metadata."
"""``{metadata.x}`` is the payment's own metadata value ``x``."""


class InvalidTemplate(ValueError):
    """A configured request that can never be sent; the message says why. ``part`` of it: url, verb, path or body."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(why)
        self.part = part


@dataclass(frozen=True, slots=True)
class Template:
    """How one peer is told.

    A value of the body that is one ``{name}`` alone keeps that value's type, and is left out where it is absent.
    """

    verb: str
    path: str
    body: Mapping[str, Json]


def check(template: Template, known: frozenset[str]) -> Template:
    """The template itself, if it can be sent. Raises InvalidTemplate naming what is wrong."""
    if template.verb not in VERBS:
        raise InvalidTemplate("verb", f"the verb must be one of {', '.join(sorted(VERBS))}")
    if not _PATH.fullmatch(template.path) or template.path.startswith("//"):
        raise InvalidTemplate(
            "path", "the path must begin with one / and hold printable ASCII without spaces"
        )
    _refuse_unknown("path", _names(template.path), known)
    _refuse_unknown("body", _names_within(dict(template.body)), known)
    return template


def _refuse_unknown(part: str, used: set[str], known: frozenset[str]) -> None:
    unknown = {name for name in used if name not in known and not name.startswith(METADATA)}
    if unknown:
        names = f"{', '.join(sorted(known))}, {METADATA}x"
        raise InvalidTemplate(part, f"unknown name {{{min(unknown)}}}; known are {names}")


def path(template: Template, values: Mapping[str, Value]) -> str:
    """The path with each value percent-encoded, so that no value can become another segment or a query."""
    return _NAME.sub(lambda found: quote(_text(values.get(found[1])), safe=""), template.path)


def body(template: Template, values: Mapping[str, Value]) -> dict[str, Json]:
    """The body with its names filled in."""
    return _filled_object(template.body, values)


def _filled_object(template: Mapping[str, Json], values: Mapping[str, Value]) -> dict[str, Json]:
    return {key: _filled(value, values) for key, value in template.items() if not _is_absent(value, values)}


def _filled(template: Json, values: Mapping[str, Value]) -> Json:
    match template:
        case str() if alone := _NAME.fullmatch(template):
            return values.get(alone[1])
        case str():
            return _NAME.sub(lambda found: _text(values.get(found[1])), template)
        case list():
            return [_filled(item, values) for item in template]
        case dict():
            return _filled_object(template, values)
        case _:
            return template


def _is_absent(template: Json, values: Mapping[str, Value]) -> bool:
    alone = _NAME.fullmatch(template) if isinstance(template, str) else None
    return alone is not None and values.get(alone[1]) is None


def _text(value: Value) -> str:
    return "" if value is None else str(value)


def _names(text: str) -> set[str]:
    return {found[1] for found in _NAME.finditer(text)}


def _names_within(template: Json) -> set[str]:
    collect: Callable[..., set[str]] = set[str]().union
    match template:
        case str():
            return _names(template)
        case list():
            return collect(*map(_names_within, template))
        case dict():
            return collect(*map(_names_within, template.values()))
        case _:
            return set()
