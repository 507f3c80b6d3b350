"""The JSON objects that gateways send, in answers and in webhooks, with nothing in them that cannot be stored."""

from __future__ import annotations

from typing import Any

import msgspec

_NUL, _SHOWN = "\x00", "\ufffd"


def json_object(raw: bytes) -> dict[str, Any] | None:
    """The object; None where there is none. No text of PostgreSQL holds a NUL: it becomes U+FFFD."""
    try:
        found = msgspec.json.decode(raw)
        if b"\\u0000" in raw:
            found = _without_nul(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _without_nul(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return value.replace(_NUL, _SHOWN)
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(each) for name, each in value.items()}
    return value
