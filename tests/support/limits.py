"""Limits of merchant 1, set as the owner of the schema does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.domain.limits import Limit, LimitKind
from eci_payments.store.limits import set_limit
from eci_payments.store.session import Database

if TYPE_CHECKING:
    from eci_payments.domain.ids import MerchantId


async def limited(
    owner_url: str,
    kind: LimitKind,
    amount_minor: int | None,
    merchant: MerchantId = SINGLE_SHOP,
    **fields: Any,
) -> None:
    """Have a limit hold; in INR unless the fields say otherwise."""
    owner = Database(owner_url, pool_size=1)
    try:
        async with owner.write() as session:
            limit = Limit(kind=kind, amount_minor=amount_minor, **({"currency": "INR"} | fields))
            await set_limit(session, merchant, limit)
    finally:
        await owner.close()
