"""Values of any kind made fit for a log line: masked, bounded, and nothing but what JSON knows. Never raises."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import TypeAlias

from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.observability.masking import CUT, mask
from eci_payments.observability.named_values import HIDDEN
from eci_payments.observability.names import Privacy, privacy_of

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

OWN_IDS = frozenset(
    {
        "merchant_id",
        "payment_id",
        "operation_id",
        "refund_id",
        "delivery_id",
        "event_id",
        "entry_id",
        "transaction_log_id",
        "lease_epoch",
        "pid",
    }
)
"""Integers that we number ourselves: under these names they are never taken for a card number. What a caller says is
such an id is none until its row was found."""
MAX_TEXT = 2048
MAX_DEPTH = 6
MAX_VALUES = 200
"""Values that one line shows at most, over all depths: a line is for reading, and has a limit like everything."""
_EXACT = 2**63
"""Integers below this are numbers in every JSON reader that we know of; larger ones are shown as text."""
_SMALL_FLOAT = 1e12
"""A float below this has fewer digits before its point than a card number."""


class Masker:
    """Makes the values of one line; counts them, so that their sum is bounded."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def value(self, value: object, name: str = "", depth: int = 0) -> Json:
        """The value as JSON, masked by its form and by the name that it stands under."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            return CUT
        if name in OWN_IDS and type(value) is int:
            return _integer(value)
        if value is not None and privacy_of(name) is not Privacy.OPEN:
            return _hidden(value)
        return self._open(value, depth)

    def _open(self, value: object, depth: int) -> Json:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str | bytes | int | float | Decimal | Enum):
            return _scalar(value)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(each, "", depth + 1) for each in islice(value, max(self._left, 0))]
        return text_of(value)

    def _mapping(self, value: Mapping[object, object], depth: int) -> Json:
        try:
            pairs = list(islice(value.items(), max(self._left, 0)))
        except Exception as wrong:  # noqa: BLE001 - a record that cannot be walked must not cost the line
            return _unshown(value, wrong)
        return {(key := text_of(name)): self.value(each, key, depth + 1) for name, each in pairs}


def text_of(value: object, most: int = MAX_TEXT) -> str:
    """Any object as masked text of bounded length that every encoding can carry."""
    return shortened(mask(_plain(value)), most)


def shortened(text: str, most: int) -> str:
    """The text with its middle left out where it is too long. For text that is masked already."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}{CUT}{text[-half:]}"


def _plain(value: object) -> str:
    try:
        text = value if isinstance(value, str) else _spelt(value)
        return text if text.isascii() else text.encode("utf-8", "replace").decode()
    except Exception as wrong:  # noqa: BLE001 - an object that cannot be shown must not cost the line
        return _unshown(value, wrong)


def _spelt(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)


def _scalar(value: str | bytes | float | Decimal | Enum) -> Json:
    if isinstance(value, Enum):
        return _scalar(value.value) if isinstance(value.value, str | int) else text_of(value)
    if isinstance(value, int):
        return _integer(value) if not _looks_like_card(value) else text_of(value)
    if isinstance(value, float) and math.isfinite(value) and abs(value) < _SMALL_FLOAT:
        return value
    return text_of(value)


def _looks_like_card(value: int) -> bool:
    return abs(value) < _EXACT and contains_card_number(str(value))


def _integer(value: int) -> Json:
    return int(value) if abs(value) < _EXACT else f"an integer of {value.bit_length()} bits"


def _hidden(value: object) -> str:
    """Hidden by its name; of a card number the last four digits stay, as everywhere."""
    shown = text_of(value) if isinstance(value, str | int) else HIDDEN
    return shown if _MASKED_CARD.fullmatch(shown) else HIDDEN


def _unshown(value: object, wrong: Exception) -> str:
    return f"<{type(value).__name__} that cannot be shown: {type(wrong).__name__}>"


_MASKED_CARD = re.compile(r"(?:\*{4}-){3}\d{4}")
