"""What a restored database knows of operations that gateways may know better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.domain.ids import GatewayKey, MerchantId, OperationId, PaymentId
from eci_payments.domain.operation import OPEN
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from eci_payments.store.session import ReadSession

_OPEN = ", ".join(f"'{state}'" for state in sorted(OPEN))


@dataclass(frozen=True, slots=True)
class Unasked:
    """An open operation about which its gateway has not been asked since a time."""

    merchant_id: MerchantId
    payment_id: PaymentId
    operation_id: OperationId
    gateway: str


async def unasked_since(session: ReadSession, since: datetime) -> list[Unasked]:
    """Every open operation of before then whose gateway has given no answer since, oldest first."""
    rows = await run(session, _UNASKED, since)
    return [Unasked(row.merchant_id, row.payment_id, row.operation_id, row.gateway) for row in rows]


async def known_keys(
    session: ReadSession, keys: Collection[tuple[MerchantId, GatewayKey]]
) -> set[tuple[MerchantId, GatewayKey]]:
    """Those of these keys at gateways that an operation of ours has."""
    merchants, names = [m for m, _ in keys], [k for _, k in keys]
    return {(row.merchant_id, row.gateway_key) for row in await run(session, _KNOWN, merchants, names)}


async def authorized_at(session: ReadSession, gateway: str) -> int:
    """How many payments are authorized at this gateway and not captured for good."""
    (row,) = await run(session, _AUTHORIZED, gateway)
    return int(row.held)


_AUTHORIZED = "SELECT count(*) AS held FROM payments WHERE status = 'AUTHORIZED' AND gateway = $1"
_UNASKED = f"""
SELECT merchant_id, payment_id, operation_id, gateway FROM operations
WHERE state IN ({_OPEN}) AND created_at < $1 AND (inquired_at IS NULL OR inquired_at < $1)
ORDER BY created_at
"""
_KNOWN = """
SELECT t.merchant_id, t.gateway_key FROM operations t
JOIN unnest($1::bigint[], $2::text[]) AS r (m, k) ON t.merchant_id = r.m AND t.gateway_key = r.k
"""
