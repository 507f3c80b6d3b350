"""The Idempotency-Key header, which follows the IETF draft (draft-ietf-httpapi-idempotency-key-header-07).

A structured-field String (RFC 8941, 3.3.3: in quotes) or, as many clients send it, the same characters bare.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eci_payments.api.errors import WireError
from eci_payments.domain.card_numbers import contains_card_number

if TYPE_CHECKING:
    from starlette.types import Scope

HEADER = "Idempotency-Key"
PATTERN = r"^(?:[!#-~](?:[ !#-~]{0,253}[!#-~])?|\"[ !#-~]{1,255}\")$"
_WHOLE = re.compile(rb"[ !#-~]{1,255}", re.ASCII)
_DIGITS = re.compile(r"[0-9 -]+", re.ASCII)
"""Only a key that is nothing but a number is judged: among random UUIDs one in some thousands holds a card number."""
_NAME = HEADER.lower().encode()


def read_key(scope: Scope, *, required: bool) -> str | None:
    """The key; None where it is optional and absent. Raises WireError for anything else."""
    given = [value for name, value in scope["headers"] if name == _NAME]
    if not given:
        if required:
            raise WireError("idempotency_key_missing", "This request needs an Idempotency-Key header.")
        return None
    if len(given) > 1:
        raise _invalid("is sent more than once")
    return _unquoted(given[0].strip(b" \t"))


def _unquoted(value: bytes) -> str:
    key = value[1:-1] if len(value) > 1 and value[:1] == value[-1:] == b'"' else value
    if not _WHOLE.fullmatch(key):
        raise _invalid("must be 1 to 255 characters of printable ASCII without quotes, bare or in quotes")
    text = key.decode("ascii")
    if _DIGITS.fullmatch(text) and contains_card_number(text):
        raise _invalid("must not be a card number")
    return text


def _invalid(why: str) -> WireError:
    return WireError("idempotency_key_invalid", f"The Idempotency-Key header {why}.")
