"""A check: a statement over the payments of one range that returns a row for each thing that is broken."""

from __future__ import annotations

from dataclasses import dataclass

RANGE = "{0}.merchant_id = $1 AND {0}.payment_id > $2 AND {0}.payment_id <= $3"
"""The payments of one batch: of one merchant, above and up to an id. Everything that belongs to a payment is indexed
by it, and what belongs to none lies in some range too."""


@dataclass(frozen=True, slots=True)
class RangeCheck:
    """One invariant. ``sql`` takes merchant, from (exclusive), to (inclusive) and returns ``place`` and ``what``."""

    name: str
    sql: str


def in_range(alias: str) -> str:
    """The condition that a table under this alias belongs to the batch."""
    return RANGE.format(alias)
