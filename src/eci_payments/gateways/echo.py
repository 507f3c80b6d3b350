"""What a gateway repeats of a card, taken out of its outcome before anything of it is stored, answered or logged.

A gateway is a stranger: its messages, ids, links and codes may hold the number and the security code that it was sent.
While a card is at hand (the call that sends it) its number, code and holder are known and looked for in every form:
in groups, in hexadecimal, in base64, as a plain hash. Later (inquiries, refunds, webhooks) nothing of the card is known
to us any more. Then numbers are found by their form, security codes by the name before them, and of messages about
cards no row of three or four digits is kept at all.

An id that held card data is stored without it, and is lost as an id: the money it stands for is recorded all the same.
What is no decline code of anybody's becomes `do_not_honor`, as the adapters have it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from eci_payments.domain.methods import INSTRUMENT_OF, Card
from eci_payments.gateways.contract import Approved, NotSent, Prepared, Unknown
from eci_payments.observability.masking import mask, without_card_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import DataclassInstance

    from eci_payments.gateways.contract import GatewayCall

T = TypeVar("T")

HIDDEN = "****"
LONGEST_TEXT = 2000
"""Characters of a message, link or id that are looked at and kept: several times what any gateway sends."""
LONGEST_WAIT_S = 366 * 24 * 3600
"""No customer is given longer; a larger number is none of seconds."""
_ROW = re.compile(r"\d(?:[^0-9A-Za-z]{0,3}+\d){11,}+")
_NO_DIGIT = re.compile(r"\D+")
_SHORT_ROW = re.compile(r"(?<![0-9A-Za-z])\d{3,4}(?![0-9A-Za-z])")
_SHORTEST_FORM = 6
"""Characters: shorter forms of a short code would be found in every second text."""
_HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_FEW_DIGITS = re.compile(r"(?<!\d)\d{3,4}(?!\d)")
_NAMED_CODE = re.compile(
    r"((?:cvv2?|cvc2?|cvn|csc|cid|security.?code)[^0-9A-Za-z]{0,4})\d{3,4}", re.IGNORECASE
)
_CODE = re.compile(r"[a-z][a-z_]{1,63}", re.ASCII)
_BRAND = re.compile(r"[A-Za-z][A-Za-z _-]{0,31}", re.ASCII)
_MANY_DIGITS = 13


def without_card_data(told: T, call: GatewayCall) -> T | NotSent | Unknown:
    """An outcome of this call, or a preparation, with nothing of a card in it.

    Unknown where the amount is a card's number; not sent where the id of a preparation, by which the charge would be
    done, held card data: no money has moved yet.
    """
    card = call.instrument if isinstance(call.instrument, Card) else None
    return cleansed(told, card, by_card=INSTRUMENT_OF[call.method] is Card)


def cleansed(told: T, card: Card | None, *, by_card: bool) -> T | NotSent | Unknown:
    """Any record of what a gateway told; ``by_card``: whether it is about a card. Others are only bounded."""
    if not is_dataclass(told) or isinstance(told, type):
        return told
    finder = _Finder(card, by_card=by_card)
    changed: dict[str, Any] = {}
    for name in _names(type(told)):
        said = getattr(told, name)
        if (clean := finder.clean(name, said)) is not said:
            changed[name] = clean
    if isinstance(told, Prepared) and changed.get("reference", told.reference) != told.reference:
        return NotSent("the gateway's id of what it prepared held card data")
    if isinstance(told, Approved) and by_card and finder.is_number(told.amount_minor):
        return Unknown("an amount that is a card's number")
    return replace(told, **changed) if changed else told


@lru_cache(maxsize=64)
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    """The fields that may hold what a gateway wrote."""
    return tuple(each.name for each in fields(kind) if each.name not in _NO_TEXT)


class _Finder:
    """Looks for one card, or for any."""

    def __init__(self, card: Card | None, *, by_card: bool) -> None:
        self.by_card = by_card
        self._card = card
        self._forms = _forms(card) if card else ()

    def clean(self, name: str, value: object) -> object:
        """A field of what was told. What is of another type than the field should be came from the gateway as it is."""
        if name == "expires_in_s":
            return value if _is_wait(value) else None
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, dict | list):
            return None
        text = str(value)
        match name:
            case "code":
                return text if _CODE.fullmatch(text) and self._kept(text) == text else "do_not_honor"
            case "card_brand":
                return text if _BRAND.fullmatch(text) and self._kept(text) == text else None
            case "authorization_code":
                return None if self.by_card and _FEW_DIGITS.fullmatch(text) else self._kept(text)
            case "message" | "reason" | "why":
                return self._plain(text)
            case _:
                return self._kept(text)

    def is_number(self, amount: int) -> bool:
        """Whether an amount is the card's number, or, where that is not known, looks like one."""
        return len(str(amount)) >= _MANY_DIGITS and self._kept(str(amount)) != str(amount)

    def _kept(self, text: str) -> str:
        """An id or a link: as it is, but for what is a card's."""
        text = text[:LONGEST_TEXT]
        if not self.by_card:
            return text
        if self._card is not None:
            text = _ROW.sub(self._row, _SHORT_ROW.sub(self._short_row, text))
            for form in self._forms:
                text = _without(text, form)
        return without_card_numbers(_NAMED_CODE.sub(rf"\1{HIDDEN}", text))

    def _row(self, found: re.Match[str]) -> str:
        digits = _NO_DIGIT.sub("", found[0])
        return HIDDEN if self._card is not None and self._card.number in digits else found[0]

    def _short_row(self, found: re.Match[str]) -> str:
        return HIDDEN if self._card is not None and found[0] == self._card.cvc else found[0]

    def _plain(self, text: str) -> str:
        """What people read."""
        text = mask(self._kept(text))
        return _FEW_DIGITS.sub(HIDDEN, text) if self.by_card and not _OURS.search(text) else text


def _is_wait(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= LONGEST_WAIT_S


_NO_TEXT = frozenset({"amount_minor", "retryable", "action", "about", "state", "outcome"})
"""Fields whose types are ours."""
_OURS = re.compile(r"\A(?:status|[A-Z][a-z]+ answered) \d{3}\b|\Ano answer within ")
"""Our own words about a line or a status of HTTP, in which nothing of the gateway's stands."""


def _without(text: str, form: str) -> str:
    """The text without this form, in whatever case it is written."""
    at = text.lower().find(form)
    while at >= 0:
        text = text[:at] + HIDDEN + text[at + len(form) :]
        at = text.lower().find(form, at + len(HIDDEN))
    return text


def _forms(card: Card) -> tuple[str, ...]:
    """Everything that tells of this card but its digits themselves, in lower case."""
    shapes = {*_encoded(card.number), *_encoded(card.cvc or "")} | ({card.holder} if card.holder else set())
    return tuple(each.lower() for each in shapes if len(each) >= _SHORTEST_FORM)


def _encoded(digits: str) -> Iterator[str]:
    raw = digits.encode()
    yield raw.hex()
    for shift in range(
        3
    ):  # base64 takes three bytes at a time: as it looks behind and before any number of others
        bits = 8 * shift, 8 * (shift + len(raw))
        yield base64.b64encode(b"x" * shift + raw).decode()[-(-bits[0] // 6) : bits[1] // 6]
    for name in _HASHES if raw else ():
        digest = hashlib.new(name, raw, usedforsecurity=False).digest()
        yield digest.hex()
        yield base64.b64encode(digest).decode().rstrip("=")
        yield base64.urlsafe_b64encode(digest).decode().rstrip("=")
