"""Where a charge goes: the accounts that can take it now, and back-pressure when each of them is at its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.quick import quick

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.gateways.routing import Gateways
    from eci_payments.gateways.rules import Wanted

RETRY_AFTER_S = 1
MOST_OTHERS = 3
"""Gateways that a charge is tried at after its first: who waits for the answer has no patience for more."""


@quick
@dataclass(frozen=True, slots=True)
class Route:
    """The account that is asked first, and those that follow while it is certain that nothing was sent."""

    first: str
    others: tuple[str, ...] = ()
    is_full: bool = False

    def open(self, change: Change) -> Change:
        """The change that begins the charge. Raises Refusal BUSY where nobody could take it: then nothing is begun."""
        if self.is_full:
            raise Refusal(
                RefusalCode.BUSY,
                "The gateway has as many calls under way as it is given; try again shortly.",
                retry_after_s=RETRY_AFTER_S,
            )
        return change


NO_ROUTE = Route("")
"""Of what no gateway is asked for."""


def route_of(gateways: Gateways, wanted: Wanted) -> Route:
    """The route of this charge: accounts whose guard would turn it away are left out, unless it is all of them.

    Raises Refusal where no account takes such a charge.
    """
    able = [gateway.name for gateway in gateways.choose(wanted)]
    ready = [name for name in able if gateways.guard(name).admits]
    if ready:
        return Route(ready[0], tuple(ready[1 : 1 + MOST_OTHERS]))
    return Route(able[0], is_full=all(gateways.guard(name).is_full for name in able))
