"""What can be paid with: methods, and at each gateway its banks and wallets. Asked of the gateways, and remembered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from eci_payments.domain.ids import MAX_SAFE_INTEGER
from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.contract import Listing
from eci_payments.gateways.rules import Wanted

if TYPE_CHECKING:
    from eci_payments.domain.ids import MerchantId
    from eci_payments.domain.money import Currency
    from eci_payments.gateways.contract import Gateway, ListingGateway
    from eci_payments.operations.engine import Engine

FRESH_S = 900.0
"""Banks and wallets change by the day; a bank that is down for an hour is the routing's affair, not the list's."""
FAILURE_REST_S = 30.0
"""A gateway that does not tell is not asked again by every page that is loaded."""
PATIENCE_S = 2.0
"""A page waits no longer for a gateway that has never told; what comes later is there for the next one."""


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway that takes a method. ``listing`` None: it does not say which banks and wallets."""

    gateway: Gateway
    listing: Listing | None


@dataclass(frozen=True, slots=True)
class Offer:
    """One method and where it is taken, first choice first. Cash on delivery needs no gateway."""

    method: PaymentMethod
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    listing: Listing | None
    until_s: float


class Offers:
    """What the gateways of one process take. Times are on the event loop's clock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def most_minor(self, unit: Currency) -> int:
        """The largest single charge in this currency, in minor units."""
        return min(int(self._engine.rules.max_charge_amount.scaleb(unit.digits)), MAX_SAFE_INTEGER)

    async def of(
        self, merchant_id: MerchantId, unit: Currency, amount_minor: int | None = None
    ) -> list[Offer]:
        """The methods in which this currency can be paid; none for an amount above the limit of one charge."""
        if amount_minor is not None and amount_minor > self.most_minor(unit):
            return []
        gateways = {m: self._gateways(merchant_id, m, unit, amount_minor) for m in PaymentMethod}
        asked = {gateway.name: gateway for listed in gateways.values() for gateway in listed}
        listings = await asyncio.gather(*(self._listing(gateway) for gateway in asked.values()))
        places = {name: Place(asked[name], listing) for name, listing in zip(asked, listings, strict=True)}
        offers = [
            Offer(method, tuple(places[g.name] for g in listed if _offers(places[g.name], method)))
            for method, listed in gateways.items()
        ]
        return [offer for offer in offers if offer.places or offer.method is PaymentMethod.COD]

    def _gateways(
        self, merchant_id: MerchantId, method: PaymentMethod, unit: Currency, amount_minor: int | None
    ) -> list[Gateway]:
        """Where the routing may send such a charge, in its order."""
        wanted = Wanted(
            merchant_id=merchant_id, method=method, currency=unit.code, amount_minor=amount_minor or 1
        )
        found = self._engine.gateways.offering(wanted, amount_known=amount_minor is not None)
        return [account.gateway for account in found]

    async def _listing(self, gateway: Gateway) -> Listing | None:
        if not gateway.capabilities.lists_instruments:
            return None
        known = self._known.get(gateway.name)
        if known is None or known.until_s <= asyncio.get_running_loop().time():
            task = self._asked(gateway)
            if known is None:
                await asyncio.wait({task}, timeout=PATIENCE_S)
        known = self._known.get(gateway.name)
        return known.listing if known else None

    def _asked(self, gateway: Gateway) -> asyncio.Task[None]:
        """The one question that is on its way to this gateway."""
        task = self._asking.get(gateway.name)
        if task is None:
            task = self._asking[gateway.name] = asyncio.create_task(self._ask(gateway))
            task.add_done_callback(lambda _: self._asking.pop(gateway.name))
        return task

    async def _ask(self, gateway: Gateway) -> None:
        asked = cast("ListingGateway", gateway).list_instruments()
        answer = await self._engine.ask(gateway.name, "list_instruments", asked)
        now = asyncio.get_running_loop().time()
        if isinstance(answer, Listing):
            self._known[gateway.name] = _Known(answer, now + FRESH_S)
        else:
            before = self._known.get(gateway.name)
            self._known[gateway.name] = _Known(before.listing if before else None, now + FAILURE_REST_S)


def _offers(place: Place, method: PaymentMethod) -> bool:
    """Whether the account has not switched it off."""
    switched_on = place.listing.methods if place.listing else None
    return switched_on is None or method in switched_on
