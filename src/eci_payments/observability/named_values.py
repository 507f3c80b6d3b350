"""Values hidden in text by the name before them: ``cvc=123``, ``"holder": "…"``, ``(b'cookie', b'…')``. Linear."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eci_payments.observability.names import Privacy, privacy_of

HIDDEN = "****"
_NAME = re.compile(
    r"""(?<![\w-])(?P<name>[\w-]++)(?P<quote>\\*+["'])?(?P<is>\s{0,4}+(?:=>|[=:])\s{0,4}+|,\s{0,4}+(?=b?["']))"""
)
_SECOND_WORD = re.compile(r"[A-Za-z]{1,16}[ -]\Z")
_WORD_BEFORE = 17
_QUOTED = re.compile(
    r"""b?(?:"(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?|\\+"[^"\\]*+(?:\\+")?|\\+'[^'\\]*+(?:\\+')?)""",
    re.DOTALL,
)
"""In quotes, also where a record stands as text within another; to the end of the text where they are not closed."""
_OPENING = re.compile(r"""b?\\*+["']""")
_BARE = {
    Privacy.SECRET: re.compile(r"""[^\s,;&"'\\(\[{)\]}]++"""),
    Privacy.PERSON: re.compile(r"""[^,;&"'\\(\[{)\]}\r\n=:|]++"""),
    Privacy.HEADER: re.compile(r"""[^\r\n"'\\(\[{]++"""),
    Privacy.RECORD: re.compile(r"[\w+.@-]++"),
}
_MASKED_CARD = re.compile(r"""b?\\*["']?\*{4}-\*{4}-\*{4}-\d{4}(?!\d)""")


def hide_named(text: str) -> str:
    """The text without the values whose names say that nobody may read them."""
    return "".join(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    done = 0
    for name in _NAME.finditer(text):
        value = _private_value(name, text) if name.start() >= done else None
        if value is not None:
            yield text[done : name.end()]
            yield _hidden(value)
            done = name.end() + len(value)
    yield text[done:]


def _hidden(value: str) -> str:
    """Quotes stay, so that it can be told where what is hidden ends, also when this is masked once more."""
    opening = _OPENING.match(value)
    if opening is None:
        return HIDDEN
    begun, quote = opening[0], opening[0][-1]
    end = len(value) - value.endswith(quote) if len(value) > len(begun) else len(value)
    while end > len(begun) and "\\" in begun and value[end - 1] == "\\":
        end -= 1
    return f"{begun}{HIDDEN}{value[end:]}"


def _private_value(name: re.Match[str], text: str) -> str | None:
    privacy = _privacy(name, text)
    if privacy is Privacy.OPEN or _MASKED_CARD.match(text, name.end()):
        return None
    value = _QUOTED.match(text, name.end())
    return value[0] if value else _bare_value(privacy, name, text)


def _privacy(name: re.Match[str], text: str) -> Privacy:
    privacy = privacy_of(name["name"])
    if privacy in _ALONE_ENOUGH:
        return privacy
    before = _SECOND_WORD.search(text[max(0, name.start() - _WORD_BEFORE) : name.start()])
    phrase = privacy_of(before[0] + name["name"]) if before else Privacy.OPEN
    return phrase if phrase in _ALONE_ENOUGH else _as_record(privacy, name)


def _as_record(privacy: Privacy, name: re.Match[str]) -> Privacy:
    """A record's field is one in quotes, or one that is followed by a value in quotes."""
    is_field = name["quote"] or ("=" in name["is"] and name.string[name.end() : name.end() + 1] in {'"', "'"})
    return privacy if is_field and "," not in name["is"] else Privacy.OPEN


def _bare_value(privacy: Privacy, name: re.Match[str], text: str) -> str | None:
    if privacy is Privacy.RECORD and not text[name.end() : name.end() + 1].isdecimal():
        return None
    found = _BARE[privacy].match(text, name.end())
    if found is None:
        return None
    if privacy is Privacy.PERSON and text[found.end() : found.end() + 1] in {"=", ":"}:
        return _without_last_word(found[0])
    return found[0]


def _without_last_word(value: str) -> str:
    """A person's name in several words ends before the next name of a value: ``holder=Asha Rao cvc=123``."""
    end = len(value.rstrip())
    while end and (value[end - 1].isalnum() or value[end - 1] in "_-"):
        end -= 1
    return value[:end].rstrip() or value


_ALONE_ENOUGH = frozenset({Privacy.SECRET, Privacy.PERSON, Privacy.HEADER})
