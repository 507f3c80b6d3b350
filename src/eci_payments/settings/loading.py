"""Settings read from an environment, and the ``.env.example`` that lists them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from eci_payments.settings.declared import Declared, Settings

_MAX_FILE_BYTES = 65536
"""A secret is a line; a file larger than this is the wrong file."""
FILE_SUFFIX = "_FILE"
_HEAD = """\
# Every setting of eci-payments with its default. An empty value counts as none given: the default holds.
# A secret can come from a file instead, named by the same variable with _FILE at its end; never give both.
# Written by `python -m eci_payments.settings`; a test keeps the two equal.
"""


class SettingsError(Exception):
    """A setting that cannot be used. Its text is one line that names it and what it would take; never the value."""


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that an environment (default: the process's own) gives. Raises SettingsError.

    Unknown variables are other programs' and are left alone.
    """
    given = os.environ if environment is None else environment
    settings = Settings(**{name: _value(name.upper(), known, given) for name, known in declared().items()})
    _check_relations(settings)
    return settings


def declared() -> dict[str, Declared]:
    """What is declared of each setting, by its field's name."""
    return {each.name: each.metadata["declared"] for each in fields(Settings)}


def example() -> str:
    """The text of ``.env.example``."""
    return _HEAD + "".join(_example_of(name.upper(), known) for name, known in declared().items())


def _value(name: str, known: Declared, given: Mapping[str, str]) -> Any:  # noqa: ANN401 - as its kind reads it
    text = _text(name, known, given) or known.default
    try:
        return known.kind.read(text)
    except (ValueError, RecursionError):
        raise SettingsError(f"{name} must be {known.kind.takes}") from None


def _text(name: str, known: Declared, given: Mapping[str, str]) -> str:
    text, path = given.get(name, "").strip(), given.get(name + FILE_SUFFIX, "").strip()
    if not known.kind.secret or not path:
        return text
    if text:
        raise SettingsError(f"{name} and {name}{FILE_SUFFIX} must not both be given")
    return text_of_file(name + FILE_SUFFIX, Path(path))


def text_of_file(name: str, path: Path) -> str:
    """The one line of text in a secret's file. Raises SettingsError, which says ``name`` and never the text."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        text = content.decode().strip()
    except (OSError, ValueError):
        raise SettingsError(f"{name} must be the path of a file of text that can be read") from None
    if not text or len(content) > _MAX_FILE_BYTES:
        raise SettingsError(f"{name} must be the path of a file with one line of text")
    return text


def _check_relations(settings: Settings) -> None:
    if settings.operation_lease_s <= settings.gateway_timeout_s:
        raise SettingsError("OPERATION_LEASE_S must be greater than GATEWAY_TIMEOUT_S")
    if settings.gateways and settings.gateways_file:
        raise SettingsError("GATEWAYS and GATEWAYS_FILE must not both be given")
    if settings.migration_database_url and not settings.database_url:
        raise SettingsError("MIGRATION_DATABASE_URL must not be given without DATABASE_URL")


def _example_of(name: str, known: Declared) -> str:
    return "\n".join(
        [*_heading(known), f"# {known.meaning}. Takes {known.kind.takes}.", *_lines(name, known), ""]
    )


def _heading(known: Declared) -> Iterator[str]:
    yield ""
    if known.section:
        yield from (f"# ---- {known.section} ----", "")


def _lines(name: str, known: Declared) -> Iterator[str]:
    yield f"{name}={known.default}"
    if known.kind.secret:
        yield f"{name}{FILE_SUFFIX}="
