"""The query of a request: the parameters that its endpoint names, each at most once, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from eci_payments.api.validation import refused, shown_name
from eci_payments.domain.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

MAX_PARAMETERS = 50
"""No endpoint has more than ten."""


def refuse_query(scope: Scope) -> None:
    """For requests that take no query. Raises WireError."""
    if scope["query_string"]:
        read_query(scope, {})


def read_query(scope: Scope, rules: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The parameters that were given, each read by its rule. Raises WireError naming every one that is wrong."""
    if not scope["query_string"]:
        return {}
    read: dict[str, Any] = {}
    wrong: dict[str, FieldError] = {}
    for name, text in _pairs(scope["query_string"]):
        try:
            read[name] = _read(name, text, rules, again=name in read or name in wrong)
        except ValueError as why:
            wrong[name] = FieldError(shown_name(name), str(why))
    if wrong:
        raise refused(list(wrong.values()))
    return read


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        why = f"must be at most {MAX_PARAMETERS} parameters, percent-encoded in UTF-8"
        raise refused([FieldError("query", why)]) from None


def _read(name: str, text: str, rules: Mapping[str, Callable[[str], Any]], *, again: bool) -> Any:  # noqa: ANN401 - as its rule reads it
    if name not in rules:
        raise ValueError("is not a known parameter")
    if again:
        raise ValueError("must be given once")
    return rules[name](text)
