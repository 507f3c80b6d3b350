"""A database that was restored from a dump into another cluster: its transaction numbers are not this cluster's.

``committed_in`` is the number of the transaction that wrote a row, and readers walk by it and stop at the oldest
transaction still running. A dump keeps the old cluster's numbers. In a younger cluster they lie in the future:
readers would wait until this cluster has counted that far, and rows written from now on would stand before them.
A restore of files (point in time, `pg_upgrade`, a standby that takes over) keeps the counter and needs none of this.

`restamp` gives such rows the number of its own transaction, in the transaction of the migration. That is later than
every row that stays and earlier than every row to come, so the order between them holds; among the restamped it
becomes the order of their ids, as if all had been written in one transaction. Cursors that lie in the future are put
before the restamped rows, whose readers then walk some of them a second time:

- fan-out writes nothing for an event that has its deliveries, and never one before an earlier one of its payment;
- sealing passes over rows that have their seal;
- the business sums cannot tell, so they are emptied and their reader begins at the first row again: a sum over the
  whole trail, whose counters fall to 0 for as long as that takes, as after a restart.

Does not cover a database restored into an older cluster: there every number lies in the past, which is harmless for
readers that had caught up at the dump; and the cursor and rows of one dump always agree with each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.store.restore_gate import close
from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession

SUMS_READER = "sums"
_STAMPED = ("transactions", "events", "admin_events")
_FUTURE = "committed_in >= pg_snapshot_xmax(pg_current_snapshot())"


async def has_foreign_stamps(session: ReadSession | WriteSession) -> bool:
    """Whether rows or cursors carry transaction numbers that this cluster has not given out yet."""
    tables = " OR ".join(
        f"EXISTS (SELECT FROM {table} t WHERE t.merchant_id = m.merchant_id AND t.{_FUTURE})"
        for table in (*_STAMPED, "cursors")
    )
    (row,) = await run(session, f"SELECT EXISTS (SELECT FROM merchants m WHERE {tables}) AS found")
    return bool(row.found)


async def restamp(session: WriteSession) -> None:
    """Take foreign numbers into this cluster's order, where there are any; to be run as the owner.

    A dump has lost whatever came after it: the gate is closed until the gateways have been asked (`restore_gate`).
    """
    if not await has_foreign_stamps(session):
        return
    (row,) = await run(
        session,
        "SELECT pg_current_xact_id()::text AS number, (SELECT max(created_at) FROM transactions) AS newest",
    )
    if row.newest is not None:
        await close(session, row.newest)
    for table in _STAMPED:
        await run(session, f"UPDATE {table} SET committed_in = $1::text::xid8 WHERE {_FUTURE}", row.number)
    await run(session, _EMPTY_SUMS, SUMS_READER, row.number)
    await run(session, _REWIND, SUMS_READER, row.number)


_EMPTY_SUMS = """
DELETE FROM business_sums s USING cursors c
WHERE c.merchant_id = s.merchant_id AND c.reader = $1 AND c.committed_in >= $2::text::xid8
"""
_REWIND = """
UPDATE cursors
SET committed_in = CASE WHEN reader = $1 THEN '0'::xid8 ELSE $2::text::xid8 END, position = 0
WHERE committed_in >= $2::text::xid8
"""
