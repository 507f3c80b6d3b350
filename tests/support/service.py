"""The payment service without a wire, over a test's database and the gateways it names."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.domain.keys import KeyClaim, KeyName
from eci_payments.gateways.routing import Gateways
from eci_payments.operations.commands import Caller
from eci_payments.operations.engine import Engine
from eci_payments.operations.rules import Rules
from eci_payments.operations.service import Payments
from eci_payments.store.ids import Ids
from eci_payments.store.lane import Lane
from eci_payments.store.session import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from eci_payments.gateways.contract import Gateway

CHARGE_SCOPE = "POST /v1/payments/charge"


@asynccontextmanager
async def payments_over(
    service_url: str, *gateways: Gateway, rules: Rules | None = None
) -> AsyncIterator[Payments]:
    """A `Payments` on this database; everything is given back at the end."""
    database = Database(service_url)
    ids = Ids(database)
    lane = Lane(database, ids, batch_max=64, queue_max=1024, key_window_h=24)
    payments = Payments(Engine(database, lane, ids, Gateways(gateways), rules or Rules()))
    yield payments
    await payments.drain()
    for gateway in gateways:
        await gateway.close()
    await database.close()


def caller(key: str | None = None, scope: str = CHARGE_SCOPE, request: str = "") -> Caller:
    """A caller with this key; ``request`` stands for what its fingerprint is taken of."""
    claim = KeyClaim(KeyName(scope, key), hashlib.sha256(request.encode()).digest()) if key else None
    return Caller(merchant_id=SINGLE_SHOP, actor="test", claim=claim)
