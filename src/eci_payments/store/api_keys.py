"""API keys as they are stored: hashes, what they may do, until when. Only the owner of the schema makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from eci_payments.domain.api_keys import Scope
from eci_payments.domain.ids import MerchantId
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from eci_payments.domain.api_keys import PresentedKey
    from eci_payments.store.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key. ``ends_in_s``: seconds until it expires, by the database's clock; None when it does not.

    ``rate_per_second`` None: as the settings say for all keys.
    """

    merchant_id: MerchantId
    key_id: str
    name: str
    hash: bytes = field(repr=False)
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rate_per_second: int | None
    ends_in_s: float | None

    @property
    def is_usable(self) -> bool:
        """Whether it opened anything when it was read."""
        return self.revoked_at is None and (self.ends_in_s is None or self.ends_in_s > 0)


async def find_key(session: ReadSession | WriteSession, merchant_id: int, key_id: str) -> StoredKey | None:
    """The key with this id, usable or not."""
    rows = await run(session, f"{_SELECT} WHERE merchant_id = $1 AND key_id = $2", merchant_id, key_id)
    return _stored(*rows[0]) if rows else None


async def list_keys(session: ReadSession | WriteSession, merchant_id: int) -> list[StoredKey]:
    """A merchant's keys, oldest first."""
    rows = await run(session, f"{_SELECT} WHERE merchant_id = $1 ORDER BY created_at, key_id", merchant_id)
    return [_stored(*row) for row in rows]


async def has_any_key(session: ReadSession | WriteSession) -> bool:
    """Whether this installation ever had a key: from then on nobody comes in without one."""
    (row,) = await run(session, "SELECT EXISTS (SELECT FROM api_keys) AS has_any")
    return bool(row.has_any)


async def add_key(
    session: WriteSession,
    key: PresentedKey,
    name: str,
    scopes: Collection[Scope],
    lives_days: int | None = None,
    rate_per_second: int | None = None,
) -> bool:
    """Store a key; False when there is one with its id already, which is left as it is."""
    listed = sorted(scopes)
    values = (key.merchant_id, key.key_id, name, key.hash, listed, lives_days, rate_per_second)
    rows = await run(session, _ADD, *values)
    return bool(rows)


async def revoke_key(session: WriteSession, merchant_id: int, key_id: str) -> bool:
    """End a key for good, now; False when there is no such key or it was revoked already."""
    rows = await run(session, _REVOKE, merchant_id, key_id)
    return bool(rows)


async def limit_key(session: WriteSession, merchant_id: int, key_id: str, per_second: int | None) -> bool:
    """Give a key a rate limit of its own, or with None the settings' again; False when there is no such key."""
    rows = await run(session, _LIMIT, merchant_id, key_id, per_second)
    return bool(rows)


async def end_key_in(session: WriteSession, merchant_id: int, key_id: str, hours: float) -> None:
    """Let a key expire after so many hours, unless it expires sooner."""
    await run(session, _END, merchant_id, key_id, hours)


async def note_used(session: WriteSession, used: Sequence[tuple[int, str]]) -> None:
    """These (merchant, key id) pairs were used a moment ago."""
    merchants, ids = [each[0] for each in used], [each[1] for each in used]
    await run(session, _USED, merchants, ids)


def _stored(
    merchant_id: int, key_id: str, name: str, hash_: bytes, scopes: list[str], *rest: object
) -> StoredKey:
    known = frozenset(Scope(each) for each in scopes)
    return StoredKey(MerchantId(merchant_id), key_id, name, hash_, known, *rest)  # type: ignore[arg-type] # the columns as they are


_SELECT = """
SELECT merchant_id, key_id, name, hash, scopes, created_at, expires_at, revoked_at, last_used_at,
       rate_per_second, extract(epoch FROM expires_at - now())::float8 AS ends_in_s
FROM api_keys
"""
_ADD = """
INSERT INTO api_keys (merchant_id, key_id, name, hash, scopes, expires_at, rate_per_second)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(days => $6), $7)
ON CONFLICT DO NOTHING RETURNING key_id
"""
_REVOKE = """
UPDATE api_keys SET revoked_at = now() WHERE merchant_id = $1 AND key_id = $2 AND revoked_at IS NULL
RETURNING key_id
"""
_LIMIT = """
UPDATE api_keys SET rate_per_second = $3 WHERE merchant_id = $1 AND key_id = $2 RETURNING key_id
"""
_END = """
UPDATE api_keys SET expires_at = least(expires_at, now() + make_interval(secs => $3::float8 * 3600))
WHERE merchant_id = $1 AND key_id = $2
"""
_USED = """
UPDATE api_keys k SET last_used_at = now()
FROM unnest($1::bigint[], $2::text[]) AS used (merchant_id, key_id)
WHERE k.merchant_id = used.merchant_id AND k.key_id = used.key_id
"""
