"""The block list as it is stored. Only the owner of the schema changes it, at the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.domain.limits import BlockKind
    from eci_payments.store.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class Block:
    """One entry. ``subject`` is ``kind:value``; a card's value is its fingerprint."""

    subject: str
    reason: str
    added_at: datetime


async def add_block(
    session: WriteSession, merchant_id: int, kind: BlockKind, subject: str, reason: str
) -> bool:
    """Take no charge of this subject from now on; False when it is on the list already."""
    return bool(await run(session, _ADD, merchant_id, kind, subject, reason))


async def list_blocks(session: ReadSession | WriteSession, merchant_id: int) -> Sequence[Block]:
    """A merchant's list, oldest first."""
    rows = await run(session, _LIST, merchant_id)
    return [Block(row.subject, row.reason, row.added_at) for row in rows]


async def remove_block(session: WriteSession, merchant_id: int, subject: str) -> bool:
    """Take its charges again; False when it is not on the list."""
    return bool(await run(session, _REMOVE, merchant_id, subject))


async def card_of_payment(
    session: ReadSession | WriteSession, merchant_id: int, payment_id: int
) -> str | None:
    """The fingerprint of the card that a payment was last charged with, where one was noted."""
    rows = await run(session, _CARD_OF, merchant_id, payment_id)
    return rows[0].card_fingerprint if rows else None


async def card_key_ids(session: ReadSession | WriteSession) -> list[str]:
    """The ids of keys that entries of the block list were made with, of all merchants."""
    return [row.key_id for row in await run(session, _KEY_IDS)]


async def has_card_limits(session: ReadSession | WriteSession) -> bool:
    """Whether any merchant limits cards."""
    (row,) = await run(session, "SELECT EXISTS (SELECT FROM merchant_limits WHERE kind = 'card') AS has_any")
    return bool(row.has_any)


_ADD = """
INSERT INTO blocks (merchant_id, kind, subject, reason) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING subject
"""
_LIST = "SELECT subject, reason, added_at FROM blocks WHERE merchant_id = $1 ORDER BY added_at, subject"
_REMOVE = "DELETE FROM blocks WHERE merchant_id = $1 AND subject = $2 RETURNING subject"
_CARD_OF = """
SELECT card_fingerprint FROM operations
WHERE merchant_id = $1 AND payment_id = $2 AND card_fingerprint IS NOT NULL ORDER BY operation_id DESC LIMIT 1
"""
_KEY_IDS = "SELECT DISTINCT split_part(subject, ':', 2) AS key_id FROM blocks WHERE kind = 'card' ORDER BY 1"
