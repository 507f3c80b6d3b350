"""A document checked against its model: the model, or every field that is wrong, in plain words and without values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from eci_payments.api.errors import WireError
from eci_payments.api.schemas.fields import CARD_DATA
from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.domain.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.api.schemas.closed import WireRules

Model = TypeVar("Model", bound=BaseModel)

MAX_ERRORS = 50
"""More wrong fields than any body of ours has; a body of thousands of unknown names is not answered with as many."""
_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "enum": "must be one of {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "has the wrong form; it must match {pattern}",
    "too_long": "must have at most {max_length} entries",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    CARD_DATA: "must not hold a card number",
}
_SHOWABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_UNSHOWN = "(a name that is not shown)"


def checked(model: type[Model], document: object, rules: WireRules) -> Model:
    """The document as its model. Raises WireError naming every wrong field."""
    try:
        return model.model_validate(document, context=rules)
    except ValidationError as wrong:
        raise refused(field_errors(wrong), card_data=_holds_card_data(wrong)) from None


def refused(errors: Sequence[FieldError], *, card_data: bool = False) -> WireError:
    """The refusal of a request for these fields."""
    code = "card_data_not_allowed" if card_data else "validation_failed"
    return WireError(code, "; ".join(f"{e.field} {e.message}" for e in errors[:5]), errors=tuple(errors))


def field_errors(wrong: ValidationError) -> list[FieldError]:
    """Each wrong field once, by its dotted path."""
    found: dict[str, FieldError] = {}
    for error in wrong.errors(include_url=False, include_input=False)[:MAX_ERRORS]:
        path = _path(error["loc"])
        found.setdefault(path, FieldError(path, _message(error["type"], error.get("ctx", {}))))
    return list(found.values())


def shown_name(name: str) -> str:
    """A name that the caller chose, as it may be repeated to them: short, plain and no card number."""
    if not _SHOWABLE.fullmatch(name) or contains_card_number(name):
        return _UNSHOWN
    return name


def _path(location: Sequence[int | str]) -> str:
    names = [part for part in location if part != "[key]"]
    return ".".join(shown_name(str(part)) for part in names) or "body"


def _message(kind: str, context: dict[str, Any]) -> str:
    if "error" in context:  # a rule of ours, which speaks plainly
        return str(context["error"])
    return _MESSAGES.get(kind, "is not valid").format(**context)


def _holds_card_data(wrong: ValidationError) -> bool:
    return any(error["type"] == CARD_DATA for error in wrong.errors(include_url=False, include_input=False))
