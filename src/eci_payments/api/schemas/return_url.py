"""Where a customer may be sent back to: addresses of listed origins only (OWASP ASVS 3.7.2, open redirects)."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core.core_schema import ValidationInfo

from eci_payments.api.schemas.closed import rules_of
from eci_payments.domain.card_numbers import contains_card_number

_VISIBLE = re.compile(r"https?://[!-\[\]-~]+", re.ASCII)
"""An absolute address in visible ASCII, without a backslash, which browsers and parsers read differently."""
_DEFAULT_PORTS = {"https": 443, "http": 80}


def _return_url(value: str, info: ValidationInfo) -> str:
    rules = rules_of(info)
    if not rules.return_origins:
        raise ValueError("is not taken: this installation lists no origins in RETURN_URL_ALLOWLIST")
    if not _VISIBLE.fullmatch(value) or contains_card_number(value):
        raise ValueError("must be an absolute https address")
    if origin(value) not in rules.return_origins:
        raise ValueError("must begin with one of the origins in RETURN_URL_ALLOWLIST")
    return value


def origin(address: str) -> str | None:
    """Scheme, host and port (RFC 6454) of an http address; None when it has a user or makes no sense."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if "@" in parts.netloc or not parts.hostname:
        return None
    return f"{parts.scheme}://{_host(parts)}:{port or _DEFAULT_PORTS.get(parts.scheme)}"


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").lower()


ReturnUrl = Annotated[
    str,
    StringConstraints(max_length=2000),
    AfterValidator(_return_url),
    Field(
        description="Where the customer comes back to. Its origin must stand in RETURN_URL_ALLOWLIST;"
        " while that list is empty, no return_url is taken.",
        json_schema_extra={"format": "uri"},
    ),
]
