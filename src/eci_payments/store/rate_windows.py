"""What all processes together have let through per subject and window of time: the sums behind rate limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eci_payments.store.session import WriteSession

Place = tuple[int, str, int]
"""Whose it is, the subject, and the window's number."""


async def add_used(session: WriteSession, used: Mapping[Place, int]) -> dict[Place, int]:
    """Add what this process let through; what all have let through, in the same places.

    Rows are taken in one order, so that two processes never wait for each other.
    """
    places = sorted(used)
    columns = ([each[part] for each in places] for part in range(3))
    rows = await run(session, _ADD, *columns, [used[each] for each in places])
    return {(row.merchant_id, row.subject, row.number): row.used for row in rows}


async def forget_before(session: WriteSession, number: int) -> None:
    """Drop the windows before this one."""
    await run(session, "DELETE FROM rate_windows WHERE number < $1", number)


_ADD = """
INSERT INTO rate_windows AS w (merchant_id, subject, number, used)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])
ON CONFLICT (merchant_id, subject, number) DO UPDATE SET used = w.used + excluded.used
RETURNING merchant_id, subject, number, used
"""
