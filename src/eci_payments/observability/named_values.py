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
        end = _end_of_private_value(name, text) if name.start() >= done else None
        if end is not None:
            yield text[done : name.end()]
            yield HIDDEN
            done = end
    yield text[done:]


def _end_of_private_value(name: re.Match[str], text: str) -> int | None:
    privacy = _privacy(name, text)
    if privacy is Privacy.OPEN or _MASKED_CARD.match(text, name.end()):
        return None
    value = _QUOTED.match(text, name.end()) or _bare(privacy, name, text)
    return value.end() if value else None


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


def _bare(privacy: Privacy, name: re.Match[str], text: str) -> re.Match[str] | None:
    if privacy is Privacy.RECORD and not text[name.end() : name.end() + 1].isdecimal():
        return None
    return _BARE[privacy].match(text, name.end())


_ALONE_ENOUGH = frozenset({Privacy.SECRET, Privacy.PERSON, Privacy.HEADER})
