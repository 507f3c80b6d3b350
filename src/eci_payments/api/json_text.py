"""JSON as it must be, or refused: RFC 8259, and of RFC 7493 that names are unique and text is Unicode.

Numbers stay exact: integers are integers, everything else is a Decimal. No number, however long or large, costs more
than its characters.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from eci_payments.api.errors import WireError

MAX_DEPTH = 16
"""Our deepest body has three levels; anything near this is meant to hurt a parser."""
_MAX_DIGITS = 40
"""No integer of ours has more than 16 digits. Longer ones become a Decimal, which every rule refuses as too large."""
_WHOLE_DIGITS = 20
"""A whole number written with a point or an exponent is read as an integer up to so many digits."""
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def decoded(body: bytes) -> object:
    """The document. Raises WireError malformed_json, which says where and why and never what."""
    _refuse_depth(body)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise _malformed(f"not UTF-8 at byte {wrong.start}") from None
    try:
        document = _decode(text)
    except json.JSONDecodeError as wrong:
        raise _malformed(f"{wrong.msg} (line {wrong.lineno}, column {wrong.colno})") from None
    if b"\\u" in body:
        _refuse_surrogates(document)
    return document


def _malformed(why: str) -> WireError:
    return WireError("malformed_json", f"The body is not well-formed JSON: {why}.")


def _refuse_depth(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _BRACKETS.finditer(body):
        first = found[0][:1]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MAX_DEPTH:
            raise _malformed(f"nested more than {MAX_DEPTH} levels deep")


def _refuse_surrogates(document: object) -> None:
    """Half a character (a lone surrogate) is no text: it can be neither stored nor sent on."""
    if isinstance(document, str):
        try:
            document.encode("utf-8")
        except UnicodeEncodeError:
            raise _malformed("a \\u escape that is half of a character") from None
    elif isinstance(document, list):
        for each in document:
            _refuse_surrogates(each)
    elif isinstance(document, dict):
        for name, each in document.items():
            _refuse_surrogates(name)
            _refuse_surrogates(each)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _malformed("an object with the same name twice")
    return found


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MAX_DIGITS else Decimal(digits)


def _fraction(digits: str) -> int | Decimal:
    """1.0 is the integer 1, as JSON Schema has it."""
    try:
        found = Decimal(digits)
    except InvalidOperation:  # an exponent of more digits than there are
        return Decimal("Infinity")
    whole = found.is_finite() and found.adjusted() < _WHOLE_DIGITS and found == found.to_integral_value()
    return int(found) if whole else found


def _constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not JSON")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
).decode
