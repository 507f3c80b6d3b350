"""The gateways file, read: every mistake is one line that names the file, the place in it and what would be right."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from eci_payments.gateways.configured.entries import GatewaysFile
from eci_payments.settings import SettingsError
from eci_payments.settings.kinds import CREDENTIAL
from eci_payments.settings.loading import text_of_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eci_payments.gateways.configured.entries import Entry

MAX_FILE_BYTES = 1_000_000
"""A file with every rule that there may be is smaller."""


def read(path: Path) -> GatewaysFile:
    """The file at this path (TOML). Raises SettingsError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise wrong(path, "the file", f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise wrong(path, "the file", f"is longer than {MAX_FILE_BYTES} bytes")
    try:
        said = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise wrong(path, "the file", f"is no TOML: {error}") from None
    try:
        return msgspec.convert(said, GatewaysFile)
    except msgspec.ValidationError as error:
        raise wrong(path, *_place_and_reason(error, said)) from None


def wrong(path: Path, place: str, what: str) -> SettingsError:
    """The error of this file with its place."""
    return SettingsError(f"GATEWAYS_FILE {path}: {place}: {what}")


def schema() -> dict[str, Any]:
    """The file's JSON Schema (draft 2020-12): for editors, and for whoever writes such files by a program."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The gateways file of eci-payments (TOML)",
    }
    return head | msgspec.json.schema(GatewaysFile)


def secret(
    entry: Entry, field: str, folder: Path, environment: Mapping[str, str] | None = None
) -> str | None:
    """The secret that ``field_file`` or ``field_env`` refers to; None where neither is given.

    Paths are relative to ``folder``. Raises ValueError with what is wrong, never with the secret.
    """
    path, variable = getattr(entry, f"{field}_file"), getattr(entry, f"{field}_env")
    if path is not None and variable is not None:
        raise ValueError(f"{field}_file and {field}_env must not both be given")
    if path is not None:
        return _taken(text_of_file(f"{field}_file", folder / path), f"the file of {field}_file")
    if variable is not None:
        given = os.environ if environment is None else environment
        return _taken(given.get(variable, "").strip(), f"the variable {variable} of {field}_env")
    return None


def needed_secret(entry: Entry, field: str, folder: Path) -> str:
    """The same, for an account that is nothing without it."""
    found = secret(entry, field, folder)
    if found is None:
        raise ValueError(f"{field}_file or {field}_env is needed")
    return found


def _taken(text: str, where: str) -> str:
    try:
        return CREDENTIAL.read(text).get_secret_value()
    except ValueError:
        raise ValueError(f"{where} must hold {CREDENTIAL.takes}") from None


def _place_and_reason(error: msgspec.ValidationError, said: dict[str, Any]) -> tuple[str, str]:
    """The message, with the place first and by name where it has one."""
    reason, _, place = str(error).partition(" - at `")
    place = place.rstrip("`").removeprefix("$").removeprefix(".")
    return _named(place, said) or "the file", reason


def _named(place: str, said: dict[str, Any]) -> str:
    """``rules[2].bins`` as ``rules[2] (cards-eu).bins``: places in a long file are found by name."""
    table, bracket, rest = place.partition("[")
    number, _, after = rest.partition("]")
    if not bracket or not number.isdigit():
        return place
    entries = said.get(table)
    entry = entries[int(number)] if isinstance(entries, list) and int(number) < len(entries) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"{table}[{number}] ({name}){after}" if isinstance(name, str) else place
