"""A webhook that was verified, taken in: kept once, with its payload masked, before it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.ids import SINGLE_SHOP, MerchantId
from eci_payments.gateways.hooks import told_record
from eci_payments.observability.structures import Masker
from eci_payments.store.inbox import Incoming, take_in

if TYPE_CHECKING:
    from eci_payments.gateways.hooks import GatewayEvent
    from eci_payments.operations.engine import Engine


async def receive(engine: Engine, account: str, event: GatewayEvent) -> bool:
    """Keep the event; False when it was kept before. Committed when this returns."""
    incoming = Incoming(
        merchant_id=SINGLE_SHOP if event.merchant_id is None else MerchantId(event.merchant_id),
        account=account,
        event_id=event.event_id,
        event_type=event.type,
        occurred_at=event.occurred_at,
        told=told_record(event.told),
        payload=Masker().value(event.payload),
    )
    async with engine.database.write() as session:
        return await take_in(session, incoming)
