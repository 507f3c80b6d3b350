"""Whether an error means that the database is away, rather than that a statement was wrong."""

from __future__ import annotations

from eci_payments.store.lane import ANSWERED, AWAY, DatabaseAway, is_away


def is_absence(error: BaseException) -> bool:
    """Whether this is the database not answering: what a read meets raw, and a write as `DatabaseAway`."""
    if isinstance(error, ANSWERED):
        return is_away(error)
    return isinstance(error, (DatabaseAway, *AWAY))
