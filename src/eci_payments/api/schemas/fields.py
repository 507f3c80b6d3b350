"""The kinds of field that requests are made of: each with its rule, and the same rule as JSON Schema.

A rule refuses with ValueError (the message says what the value must be, never what it was), or with the error type
`CARD_DATA` where a card number stands in a field that may not hold one.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from iso4217 import Currency as IsoCurrency
from pydantic import AfterValidator, Field, PlainValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from eci_payments.api.schemas.closed import rules_of
from eci_payments.domain.card_numbers import contains_card_number, id_holds_card_number
from eci_payments.domain.ids import MAX_SAFE_INTEGER, external_id
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.money import Currency, InvalidMoney, currency, minor_units

CARD_DATA = "card_data"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
NO_CONTROLS = r"^[^\u0000-\u001F\u007F-\u009F]*$"
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_FEWEST_CARD_DIGITS = 13
ANY_CURRENCY = Currency("any currency", 4)
"""Where the payment's currency is not known yet: no currency of ISO 4217 has more than four digits."""


def free_text(value: str) -> str:
    """Text that people and logs will read: no control characters, no card number."""
    if _CONTROLS.search(value):
        raise ValueError("must not hold control characters")
    return no_card_number(value)


def no_card_number(value: str) -> str:
    """Text without anything that looks like a card number."""
    if len(value) >= _FEWEST_CARD_DIGITS and contains_card_number(value):
        raise PydanticCustomError(CARD_DATA, "must not hold a card number")
    return value


def _currency(value: object, info: ValidationInfo) -> str:
    if value is None:
        return rules_of(info).default_currency
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError("must be an ISO 4217 alphabetic code such as INR")
    return currency(value).code


def _amount_minor(value: object, info: ValidationInfo) -> int:
    """The amount in minor units of the currency that was checked before it."""
    named = info.data.get("currency")
    return minor_units(value, currency(named) if named else ANY_CURRENCY)


def _amount(value: object) -> int | str | Decimal | None:
    """An amount whose currency is the payment's: exact money of some currency; the payment decides about digits."""
    if value is None:
        return None
    minor_units(value, ANY_CURRENCY)
    if not isinstance(value, int | str | Decimal):
        raise InvalidMoney("must be a number or a decimal string")
    return value


def _external_id(value: object) -> str:
    text = external_id(value)
    if id_holds_card_number(text):
        raise PydanticCustomError(CARD_DATA, "must not hold a card number")
    return text


_ID_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MAX_SAFE_INTEGER},
        {"type": "string", "pattern": r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$"},
    ],
    "description": "A positive integer below 2^53, or 1 to 64 characters of A-Z a-z 0-9 . _ - that start and end"
    ' with a letter or digit. 42 and "42" are the same id.',
}
_AMOUNTS: list[dict[str, object]] = [
    {"type": "number", "minimum": 0.0001},
    {"type": "string", "pattern": r"^(?=[0-9.]*[1-9])[0-9]{1,20}(?:\.[0-9]{1,20})?$"},
]
_NUMBER, _STRING = _AMOUNTS
_LARGEST_PART = MAX_SAFE_INTEGER // 10**4
"""In major units, below which an amount of any currency fits into its minor units."""
_AMOUNT_MEANING = (
    "In major units, exact: a JSON number or a decimal string, with at most the currency's ISO 4217 digits."
)
CURRENCY_CODES = sorted(each.value for each in IsoCurrency if each.exponent is not None)

ExternalId = Annotated[str, PlainValidator(_external_id), WithJsonSchema(_ID_SCHEMA)]
CurrencyCode = Annotated[
    str,
    PlainValidator(_currency),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "enum": CURRENCY_CODES}, {"type": "null"}],
            "description": "ISO 4217 alphabetic code. Absent: INR, unless the installation says otherwise.",
        }
    ),
]
AmountMinor = Annotated[
    int,
    PlainValidator(_amount_minor),
    WithJsonSchema({"anyOf": _AMOUNTS, "description": f"{_AMOUNT_MEANING} At most MAX_CHARGE_AMOUNT."}),
]
"""On the wire in major units; in Python, when it was checked, in minor units."""
PartAmount = Annotated[
    int | str | Decimal | None,
    PlainValidator(_amount),
    WithJsonSchema(
        {
            "anyOf": [_NUMBER | {"maximum": _LARGEST_PART}, _STRING, {"type": "null"}],
            "description": f"{_AMOUNT_MEANING} Absent: all that is left.",
        }
    ),
]
Method = Annotated[PaymentMethod, Field(strict=False)]

_PRINTED = Field(json_schema_extra={"pattern": NO_CONTROLS})
Reference = Annotated[
    str, StringConstraints(min_length=1, max_length=100), AfterValidator(free_text), _PRINTED
]
Reason = Annotated[str, StringConstraints(min_length=5, max_length=500), AfterValidator(free_text), _PRINTED]
Remark = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(free_text), _PRINTED]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(free_text), _PRINTED]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{2,32}$"), AfterValidator(no_card_number)]
Vpa = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._-]{2,256}@[A-Za-z][A-Za-z0-9.-]{1,63}$"),
    AfterValidator(no_card_number),
]
MetadataKey = Annotated[
    str, StringConstraints(min_length=1, max_length=64), AfterValidator(free_text), _PRINTED
]
MetadataValue = Annotated[str, StringConstraints(max_length=500), AfterValidator(free_text), _PRINTED]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue],
    Field(max_length=20),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": NO_CONTROLS},
            "additionalProperties": {"type": "string", "maxLength": 500, "pattern": NO_CONTROLS},
            "maxProperties": 20,
            "description": "At most 20 pairs: keys of 1 to 64 characters, values of at most 500.",
        }
    ),
]
