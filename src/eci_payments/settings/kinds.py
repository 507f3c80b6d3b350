"""What a setting can be: how its text is read, and in words what it would take."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

T = TypeVar("T")
Number = TypeVar("Number", int, float, Decimal)

_ON_OFF = {
    "on": True,
    "true": True,
    "yes": True,
    "1": True,
    "off": False,
    "false": False,
    "no": False,
    "0": False,
}
_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,4})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,15}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_API_KEY = re.compile(r"eci_1_[A-Za-z0-9]{44,140}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64} ?= ?[!#-+\--:<-\[\]-~ ]{1,4096}", re.ASCII)
"""What OpenTelemetry's SDK takes in OTEL_EXPORTER_OTLP_HEADERS; it would log whatever else it finds there."""
_CARD_KEYS = re.compile(r"[a-z0-9]{1,16}:[0-9a-f]{64}(?:[,\s]\s*[a-z0-9]{1,16}:[0-9a-f]{64}){0,3}", re.ASCII)
_MAX_TEXT = 256
_CREDENTIAL_LENGTHS = range(8, 1025)
_MOST_SECRETS = 4
_SECRET_LENGTHS = range(32, 1025)
"""32 characters of base32 or better hold more than the 128 bits that OWASP ASVS 11.5.1 asks of a secret."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of value. ``read`` raises ValueError for text that it does not take; ``takes`` says what it would."""

    read: Callable[[str], T]
    takes: str
    secret: bool = False
    """Also taken from the file that ``NAME_FILE`` names; never shown."""


def optional(kind: Kind[T]) -> Kind[T | None]:
    """The same, where nothing given means none."""
    return Kind(lambda text: kind.read(text) if text else None, kind.takes, kind.secret)


def whole(least: int, most: int) -> Kind[int]:
    """An integer within limits."""

    def read(text: str) -> int:
        return within(least, int(matching(_WHOLE, text)), most)

    return Kind(read, f"a whole number from {least} to {most}")


def number(least: float, most: float) -> Kind[float]:
    """A number within limits, fractions allowed: for durations."""

    def read(text: str) -> float:
        return within(least, float(matching(_DECIMAL, text)), most)

    return Kind(read, f"a number from {least:g} to {most:g}")


def amount(most: str) -> Kind[Decimal]:
    """An exact amount of money above zero, in major units."""

    def read(text: str) -> Decimal:
        return within(Decimal("0.0001"), Decimal(matching(_DECIMAL, text)), Decimal(most))

    return Kind(read, f"an amount above 0 and up to {most}")


def one_of(*words: str) -> Kind[str]:
    """One word of a closed set, upper or lower case alike."""
    known = {word.lower(): word for word in words}

    def read(text: str) -> str:
        return known.get(text.lower()) or refuse()

    return Kind(read, f"one of {', '.join(words)}")


def text_like(pattern: str, takes: str) -> Kind[str]:
    """Text of a given form."""
    form = re.compile(pattern, re.ASCII)
    return Kind(lambda text: matching(form, text), takes)


def names() -> Kind[tuple[str, ...]]:
    """A list of different short names, with commas between."""

    def read(text: str) -> tuple[str, ...]:
        parts = tuple(matching(_NAME, part) for part in _listed(text))
        return parts if len(set(parts)) == len(parts) else refuse()

    return Kind(read, "different names of a-z 0-9 _ -, with commas between")


def origins() -> Kind[tuple[str, ...]]:
    """A list of web origins (scheme, host and port only: RFC 6454), with commas between."""

    def read(text: str) -> tuple[str, ...]:
        return tuple(_http_address(part, path=False) for part in _listed(text))

    return Kind(read, "addresses like https://shop.example, without path, with commas between")


def address_ranges() -> Kind[tuple[str, ...]]:
    """A list of addresses or ranges of them (CIDR), with commas between."""

    def read(text: str) -> tuple[str, ...]:
        return tuple(str(ip_network(part)) for part in _listed(text))

    return Kind(read, "addresses or ranges like 10.0.0.0/8, with commas between")


def _read_switch(text: str) -> bool:
    return _ON_OFF[text.lower()] if text.lower() in _ON_OFF else refuse()


def _read_template(text: str) -> dict[str, Any]:
    read = json.loads(text, parse_constant=refuse)  # NaN and Infinity are no JSON
    return read if isinstance(read, dict) else refuse()


def _read_secret(text: str) -> SecretStr:
    return SecretStr(text) if len(text) in _SECRET_LENGTHS and text.isprintable() else refuse()


def _read_secrets(text: str) -> SecretStr:
    parts = _listed(text)
    if not 1 <= len(parts) <= _MOST_SECRETS or not all(_read_secret(part) for part in parts):
        refuse()
    return SecretStr(",".join(parts))


def _read_credential(text: str) -> SecretStr:
    """A secret that somebody else made, and whose length is theirs to choose."""
    return SecretStr(text) if len(text) in _CREDENTIAL_LENGTHS and text.isprintable() else refuse()


def _read_headers(text: str) -> SecretStr:
    for part in _listed(text):
        matching(_HEADER, part)
    return SecretStr(text)


def _http_address(text: str, *, path: bool = True) -> str:
    parts = urlsplit(matching(_ADDRESS, text))
    if not parts.hostname or parts.port == 0 or "@" in parts.netloc or parts.query or parts.fragment:
        refuse()
    if not path and parts.path not in {"", "/"}:
        refuse()
    return text.rstrip("/")


_ADDRESS = re.compile(r"https?://[!-~]{1,2000}", re.ASCII)

SWITCH: Kind[bool] = Kind(_read_switch, "on or off")
PATH: Kind[Path] = Kind(lambda text: Path(text) if "\0" not in text else refuse(), "a path")
ADDRESS: Kind[str] = Kind(_http_address, "an address like http://host:port, without user, query or fragment")
TEMPLATE: Kind[dict[str, Any]] = Kind(_read_template, 'a JSON object such as {"payment_id": "{payment_id}"}')
SECRET: Kind[SecretStr] = Kind(_read_secret, "32 to 1024 printable characters", secret=True)
SECRETS: Kind[SecretStr] = Kind(
    _read_secrets, "32 to 1024 printable characters, or up to four such with commas between", secret=True
)
CREDENTIAL: Kind[SecretStr] = Kind(_read_credential, "8 to 1024 printable characters", secret=True)
HEADERS: Kind[SecretStr] = Kind(
    _read_headers, "headers like name=value, with commas between and values percent-encoded", secret=True
)
CARD_KEYS: Kind[SecretStr] = Kind(
    lambda text: SecretStr(text) if _CARD_KEYS.fullmatch(text) else refuse(),
    "an id and 64 hex digits, such as k1:$(openssl rand -hex 32); up to four with commas between",
    secret=True,
)
API_KEY: Kind[SecretStr] = Kind(
    lambda text: SecretStr(matching(_API_KEY, text)),
    "eci_1_ and 44 to 140 random characters of A-Z a-z 0-9, such as eci_1_$(openssl rand -hex 32)",
    secret=True,
)
EMAIL = text_like(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}", "an e-mail address")
PHONE = text_like(r"\+[0-9]{8,15}", "a phone number such as +919000090000")
HOST = text_like(r"[A-Za-z0-9_.:-]{1,253}", "a host name or address")
LABEL = text_like(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "1 to 63 characters of A-Z a-z 0-9 . _ -")
CURRENCY = text_like(r"[A-Z]{3}", "an ISO 4217 code such as INR")
URL_PATH = text_like(r"/(?!/)[!-~]{0,500}", "a path that begins with one /")


def matching(form: re.Pattern[str], text: str) -> str:
    """The text itself, if it has the form."""
    return text if form.fullmatch(text) else refuse()


def within(least: Number, value: Number, most: Number) -> Number:
    """The value itself, if it is within the limits."""
    return value if least <= value <= most else refuse()


def refuse(_: str = "") -> NoReturn:
    """Says no; whoever knows the setting's name says it with the words of `Kind.takes`."""
    raise ValueError


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text.strip() else []
