"""Whether a database is somebody's real one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession


async def holds_real_payments(
    session: ReadSession | WriteSession, *, played: Collection[str], imported: str
) -> bool:
    """Whether a payment was charged through an account that is not ``played``, or has ``imported`` in its metadata."""
    (row,) = await run(session, _HOLDS, list(played), imported)
    return bool(row.found)


_HOLDS = """
SELECT EXISTS (SELECT FROM operations WHERE gateway <> ALL ($1))
    OR EXISTS (SELECT FROM payments WHERE metadata ? $2) AS found
"""
