"""What must never be read in a log, taken out of text: by its form wherever it stands, and by the name before it.

By form: card numbers (all but the last four digits), API keys and tokens, passwords in URLs, e-mail and UPI addresses,
phone numbers with ``+``. By name (`names`): security codes, names, phones, secrets.

Kept as they are: our own times (RFC 3339: colons and the T break every row of digits), ``TXN`` and ``REF`` ids (base32
letters break theirs), trace and span ids (drawn again when they look like a card number), and our integer ids under
their own names (`structures`). A bare integer of 13 digits or more in a sentence is judged like anyone's.

Every pattern takes time linear in the text, and the text is bounded.
"""

from __future__ import annotations

import re
from itertools import chain

from eci_payments.domain.card_numbers import card_number_spans
from eci_payments.observability.named_values import HIDDEN, hide_named

CUT = "...[cut]"
LONGEST_INPUT = 65536
"""Characters that are looked at; what follows them is dropped unread."""
_EDGE = 128
"""Characters dropped before a cut: longer than any card number in groups, of which the cut may have left a part."""

_ADDRESS = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w.+%@-]++")
"""E-mail and UPI addresses: whole rows of what can stand in one, so that no part of another is left."""
_URL_PASSWORD = re.compile(r"(://[^\s/@:?#'\"]{0,256}+:)[^\s/?#'\"]*@")
_PHONE = re.compile(r"(?:\+|%2[Bb])[ (]{0,2}\d(?:[ .()\u00a0\u2011/-]{0,2}\d){6,18}+")
_KEY = re.compile(r"(?<![A-Za-z0-9])(eci|sk|rk|rzp|whsec)_(?!payments)[A-Za-z0-9_+/=-]{6,}+")
"""Ours, those of the gateways, and webhook secrets; the package's own name is none."""
_SCHEME = re.compile(r"\b(bearer|basic)((?:\s|%20|\+){1,8}+)[A-Za-z0-9._~+/=:-]++", re.IGNORECASE)
"""Credentials of RFC 6750 and RFC 7617."""


_HARMLESS = re.compile(r"[A-Za-z.]*+|[A-Z_]*+|[0-9]{0,12}+")
"""One word, one constant, one small number: most fields of most lines."""


def mask(text: str) -> str:
    """The text without what must not be read in it. Never longer than `LONGEST_INPUT` and a mark."""
    if len(text) > LONGEST_INPUT:
        return _within(_masked(text[:LONGEST_INPUT])[:-_EDGE] + CUT)
    return text if _HARMLESS.fullmatch(text) else _within(_masked(text))


def _within(masked: str) -> str:
    """A mark may be longer than what it hides."""
    return masked if len(masked) <= LONGEST_INPUT else masked[: LONGEST_INPUT - _EDGE] + CUT


def _masked(text: str) -> str:
    if (
        "_" in text
    ):  # first: a merchant's number may look like a card's, and masked it would break the key's form
        text = _KEY.sub(rf"\1_{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1\2{HIDDEN}", without_card_numbers(text))
    if "@" in text or "%40" in text:
        text = _URL_PASSWORD.sub(rf"\1{HIDDEN}@", text.replace("%40", "@"))
        text = _ADDRESS.sub(f"{HIDDEN}@{HIDDEN}", text)
    return _PHONE.sub(f"+{HIDDEN}", hide_named(text))


def without_card_numbers(text: str) -> str:
    """The text with only the last four digits left of whatever looks like a card number."""
    spans = list(card_number_spans(text))
    if not spans:
        return text
    starts = [0, *(span.end for span in spans)]
    ends = [*(span.start for span in spans), len(text)]
    shown = [*(f"{HIDDEN}-{HIDDEN}-{HIDDEN}-{span.last4}" for span in spans), ""]
    return "".join(chain.from_iterable((text[a:b], c) for a, b, c in zip(starts, ends, shown, strict=True)))
