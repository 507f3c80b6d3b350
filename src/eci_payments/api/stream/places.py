"""How many streams there may be: in this process, from one address, of one payment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.api.client_address import limited_as
from eci_payments.api.errors import WireError

if TYPE_CHECKING:
    from eci_payments.domain.ids import MerchantId, PaymentId

OF_ONE_PAYMENT = 10
"""A customer's tabs and devices; who has a token for one payment cannot take the places of all others."""
FULL_RETRY_S, OWN_RETRY_S = 5, 10


@dataclass(frozen=True, slots=True)
class Place:
    """One that is taken. ``address`` counts as `limited_as` says; None is not known and not counted."""

    merchant_id: MerchantId
    payment_id: PaymentId
    address: str | None


@dataclass(slots=True)
class Places:
    """``most`` in all, ``per_address`` from one address."""

    most: int
    per_address: int
    taken: int = 0
    _addresses: Counter[str] = field(default_factory=Counter)
    _payments: Counter[tuple[int, int]] = field(default_factory=Counter)

    def take(self, merchant_id: MerchantId, payment_id: PaymentId, address: str | None) -> Place:
        """Take one. Raises WireError when there is none: busy, or rate_limited for whoever has many."""
        place = Place(merchant_id, payment_id, limited_as(address) if address else None)
        if self.taken >= self.most:
            raise _none_left("busy", "This process has as many streams as it may.", FULL_RETRY_S)
        if place.address and self._addresses[place.address] >= self.per_address:
            raise _none_left("rate_limited", "This address has as many streams as it may.", OWN_RETRY_S)
        if self._payments[merchant_id, payment_id] >= OF_ONE_PAYMENT:
            raise _none_left("rate_limited", "This payment has as many streams as it may.", OWN_RETRY_S)
        self._count(place, 1)
        return place

    def give_back(self, place: Place) -> None:
        """It is free again."""
        self._count(place, -1)

    def _count(self, place: Place, by: int) -> None:
        self.taken += by
        payment = (place.merchant_id, place.payment_id)
        self._payments[payment] += by
        if not self._payments[payment]:
            del self._payments[payment]
        if place.address:
            self._addresses[place.address] += by
            if not self._addresses[place.address]:
                del self._addresses[place.address]


def _none_left(code: str, detail: str, retry_s: int) -> WireError:
    return WireError(code, detail, headers={"Retry-After": str(retry_s)})
