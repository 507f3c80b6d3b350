"""A webhook that was verified, taken in: kept once, with its payload masked, before it is answered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from eci_payments.domain.ids import SINGLE_SHOP, MerchantId
from eci_payments.gateways.echo import cleansed
from eci_payments.gateways.hooks import OperationTold, RefundTold, Unread, told_record
from eci_payments.observability.masking import mask
from eci_payments.observability.structures import Masker
from eci_payments.store.inbox import Incoming, owner_of, take_in

if TYPE_CHECKING:
    from eci_payments.gateways.hooks import GatewayEvent, Told
    from eci_payments.operations.engine import Engine


async def receive(engine: Engine, account: str, event: GatewayEvent) -> bool:
    """Keep the event; False when it was kept before. Committed when this returns."""
    incoming = Incoming(
        merchant_id=await _merchant(engine, account, event),
        account=account,
        event_id=event.event_id,
        event_type=mask(event.type),
        occurred_at=event.occurred_at,
        told=told_record(_clean(event.told)),
        payload=Masker().value(event.payload),
    )
    async with engine.database.write() as session:
        return await take_in(session, incoming)


def _clean(told: Told) -> Told:
    """What was told, with nothing in it that may be of a card: events do not say how it was paid."""
    if isinstance(told, OperationTold | RefundTold):
        told = replace(told, outcome=cleansed(told.outcome, None, by_card=True))
    return cast("Told", cleansed(told, None, by_card=True))


async def _merchant(engine: Engine, account: str, event: GatewayEvent) -> MerchantId:
    """Whose it is: as the event says, or whoever has what it is about; what is nobody's is the single shop's."""
    if event.merchant_id is not None:
        return MerchantId(event.merchant_id)
    about = None if isinstance(event.told, Unread) else event.told.about
    if about is None:
        return SINGLE_SHOP
    async with engine.database.read() as session:
        keys = [key for key in (about.key, about.charge_key) if key]
        return await owner_of(session, account, keys, about.charges) or SINGLE_SHOP
