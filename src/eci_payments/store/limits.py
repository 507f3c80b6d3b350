"""Limits as they are stored: a merchant's own. Only the owner of the schema changes them, at the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.limits import BlockKind, Limit, LimitKind, Limits, limits
from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession


async def list_limits(session: ReadSession | WriteSession, merchant_id: int) -> list[Limit]:
    """A merchant's limits, by kind and currency."""
    rows = await run(session, _LIST, merchant_id)
    return [
        Limit(
            kind=LimitKind(row.kind),
            currency=row.currency,
            amount_minor=row.amount_minor,
            charges=row.charges,
            window_s=row.window_s,
        )
        for row in rows
    ]


async def load_limits(session: ReadSession | WriteSession, merchant_id: int) -> Limits:
    """All that a merchant has limited."""
    blocked = await run(session, _BLOCKED_KINDS, merchant_id)
    return limits(await list_limits(session, merchant_id), frozenset(BlockKind(row.kind) for row in blocked))


async def set_limit(session: WriteSession, merchant_id: int, limit: Limit) -> None:
    """Have this limit hold from now on, in place of the one of its kind and currency."""
    await run(
        session,
        _SET,
        merchant_id,
        limit.kind,
        limit.currency,
        limit.amount_minor,
        limit.charges,
        limit.window_s,
    )


async def remove_limit(session: WriteSession, merchant_id: int, kind: LimitKind, currency: str) -> bool:
    """Let it hold no longer; False when there is none."""
    return bool(await run(session, _REMOVE, merchant_id, kind, currency))


_BLOCKED_KINDS = "SELECT DISTINCT kind FROM blocks WHERE merchant_id = $1"
_LIST = """
SELECT kind, currency, amount_minor, charges, window_s FROM merchant_limits
WHERE merchant_id = $1 ORDER BY kind, currency
"""
_SET = """
INSERT INTO merchant_limits (merchant_id, kind, currency, amount_minor, charges, window_s)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (merchant_id, kind, currency) DO UPDATE
SET amount_minor = excluded.amount_minor, charges = excluded.charges, window_s = excluded.window_s, set_at = now()
"""
_REMOVE = """
DELETE FROM merchant_limits WHERE merchant_id = $1 AND kind = $2 AND currency = $3 RETURNING kind
"""
