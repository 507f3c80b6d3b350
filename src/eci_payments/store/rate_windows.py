"""What all processes together have let through per subject and window of time: the sums behind rate limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eci_payments.store.session import WriteSession

Place = tuple[int, str, int]
"""Whose it is, the subject, and the window's number."""


class Used(NamedTuple):
    """What all processes have let through, and the database's clock (seconds since 1970) when it said so."""

    sums: dict[Place, int]
    now_s: float


async def add_used(session: WriteSession, used: Mapping[Place, int]) -> Used:
    """Add what this process let through, which is something; what all have let through, in the same places.

    Rows are taken in one order, so that two processes never wait for each other.
    """
    places = sorted(used)
    columns = ([each[part] for each in places] for part in range(3))
    rows = await run(session, _ADD, *columns, [used[each] for each in places])
    sums = {(row.merchant_id, row.subject, row.number): row.used for row in rows}
    return Used(sums, max(row.now_s for row in rows))


async def forget_old(session: WriteSession, window_s: int) -> None:
    """Drop the windows before the last one, by the database's clock."""
    await run(session, _FORGET, window_s)


_ADD = """
INSERT INTO rate_windows AS w (merchant_id, subject, number, used)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])
ON CONFLICT (merchant_id, subject, number) DO UPDATE SET used = w.used + excluded.used
RETURNING merchant_id, subject, number, used, extract(epoch FROM clock_timestamp())::float8 AS now_s
"""
_FORGET = "DELETE FROM rate_windows WHERE number < floor(extract(epoch FROM now()) / $1::int)::bigint - 1"
