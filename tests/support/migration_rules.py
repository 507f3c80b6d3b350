"""What a migration may do to tables that are in use, judged by the statements that it sends.

A closed list: what is not known to be quick and harmless to the release before is refused. docs/migrations.md says why.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME = r'(?:\w+\.)?"?(\w+)"?'
_MAKES_TABLE = re.compile(rf"CREATE TABLE (?:IF NOT EXISTS )?{_NAME}")
_MAKES_INDEX = re.compile(rf"CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?.*?\bON (?:ONLY )?{_NAME}")
_ALTERS_TABLE = re.compile(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{_NAME} (.*)")
_HARMLESS = re.compile(r"(CREATE (SEQUENCE|TYPE|VIEW)|COMMENT ON|INSERT INTO|SELECT|GRANT|REVOKE)\b")
_HARMLESS_ACTIONS = re.compile(
    r"(SET \(|RESET \(|DROP CONSTRAINT|ALTER (COLUMN )?\S+ (SET DEFAULT|DROP NOT NULL|SET STATISTICS))"
)
_ADDS_COLUMN = re.compile(
    r"ADD (COLUMN )?(IF NOT EXISTS )?(?!CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY|EXCLUDE)"
)
_VOLATILE = re.compile(r"\b(NEXTVAL|RANDOM|CLOCK_TIMESTAMP|GEN_RANDOM_UUID|TIMEOFDAY|\w*SERIAL)\b")
_SCANS = re.compile(r"\b(REFERENCES|CHECK|UNIQUE|PRIMARY KEY|GENERATED)\b")


def faults(statements: Iterable[str]) -> list[str]:
    """What is wrong with a migration that sends these, one line each; empty when nothing is."""
    plain = [" ".join(statement.split()).rstrip(";") for statement in statements]
    made = {found[1].lower() for each in plain if (found := _MAKES_TABLE.match(each.upper()))}
    return [f"{why}: {each}" for each in plain for why in _wrong(each.upper(), made)]


def _wrong(statement: str, made: set[str]) -> Iterator[str]:
    if _MAKES_TABLE.match(statement) or _HARMLESS.match(statement):
        return
    if found := _MAKES_INDEX.match(statement):
        if found[2].lower() not in made:
            yield "writers wait while an index is built: name it in AFTERWARDS"
    elif found := _ALTERS_TABLE.match(statement):
        if found[1].lower() not in made:
            for action in _split(found[2]):
                yield from _wrong_action(action)
    else:
        yield "not known to be harmless"


def _wrong_action(action: str) -> Iterator[str]:
    if _ADDS_COLUMN.match(action):
        if "NOT NULL" in action and " DEFAULT " not in action:
            yield "the rows that are there, and the release before, have no value for it"
        if _VOLATILE.search(action):
            yield "every row is written anew"
        if _SCANS.search(action):
            yield "the table is read under lock: add the constraint NOT VALID, and a Validation to AFTERWARDS"
    elif action.startswith("ADD"):
        if not action.endswith("NOT VALID") and " USING INDEX " not in action:
            yield "the table is read under lock: add it NOT VALID, and a Validation to AFTERWARDS"
    elif not _HARMLESS_ACTIONS.match(action):
        yield "not known to be harmless"


def _split(actions: str) -> Iterator[str]:
    """The actions of one ALTER TABLE: parted by commas that stand in no parentheses and no text."""
    depth, quoted, start = 0, False, 0
    for place, character in enumerate(actions):
        quoted ^= character == "'"
        depth += (character == "(") - (character == ")") if not quoted else 0
        if character == "," and not depth and not quoted:
            yield actions[start:place].strip()
            start = place + 1
    yield actions[start:].strip()
