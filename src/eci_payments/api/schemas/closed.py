"""The base of every request's model: closed, strict, and silent about the values it was given."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from pydantic_core.core_schema import ValidationInfo


class Closed(BaseModel):
    """Takes the fields that it names and no others, each of its own JSON type; errors never repeat a value."""

    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, validate_default=False, frozen=True
    )


@dataclass(frozen=True, slots=True)
class WireRules:
    """What this installation lets callers send: given to the models as their validation context."""

    default_currency: str = "INR"
    return_origins: frozenset[str] = frozenset()


def rules_of(info: ValidationInfo) -> WireRules:
    """The installation's rules, as they came with the document that is checked."""
    return info.context if isinstance(info.context, WireRules) else WireRules()
