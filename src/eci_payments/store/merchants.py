"""Merchants: who owns what is in every other table. Only the owner of the schema makes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eci_payments.domain.ids import MerchantId
from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class Merchant:
    """One merchant, and how many usable keys it has."""

    merchant_id: MerchantId
    name: str
    created_at: datetime
    usable_keys: int


async def add_merchant(session: WriteSession, name: str) -> MerchantId:
    """Make a merchant; its id. Two at once do not get one id: the second fails on the primary key."""
    (row,) = await run(session, _ADD, name)
    return MerchantId(row.merchant_id)


async def list_merchants(session: ReadSession | WriteSession) -> list[Merchant]:
    """Every merchant, oldest first."""
    rows = await run(session, _LIST)
    return [Merchant(MerchantId(row.merchant_id), row.name, row.created_at, row.usable_keys) for row in rows]


async def has_merchant(session: ReadSession | WriteSession, merchant_id: int) -> bool:
    """Whether there is one with this id."""
    return bool(await run(session, "SELECT 1 FROM merchants WHERE merchant_id = $1", merchant_id))


_ADD = """
INSERT INTO merchants (merchant_id, name) SELECT max(merchant_id) + 1, $1 FROM merchants RETURNING merchant_id
"""
_LIST = """
SELECT m.merchant_id, m.name, m.created_at, (
    SELECT count(*) FROM api_keys k
    WHERE k.merchant_id = m.merchant_id AND k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true)
) AS usable_keys
FROM merchants m ORDER BY m.merchant_id
"""
