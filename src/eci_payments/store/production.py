"""Whether a database is somebody's real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession


async def charged_for_real(session: ReadSession | WriteSession) -> bool:
    """Whether any payment was ever charged through another gateway than the simulator."""
    (row,) = await run(
        session,
        "SELECT EXISTS (SELECT FROM operations WHERE gateway NOT IN ('simulator', 'sandbox')) AS found",
    )
    return bool(row.found)
