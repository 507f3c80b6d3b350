"""What the app is given: the service behind the wire, and what this installation has chosen. Built by bootstrap."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.api.principal import OPEN, Principal
from eci_payments.api.read_tokens import ReadTokens
from eci_payments.api.schemas.closed import WireRules
from eci_payments.api.schemas.return_url import origin
from eci_payments.store.lookups import Lookups

if TYPE_CHECKING:
    from starlette.types import Scope

    from eci_payments.api.access import Access
    from eci_payments.observability.metrics import BusinessSums, Metrics
    from eci_payments.operations.service import Payments
    from eci_payments.settings import Settings
    from eci_payments.store.session import Database


__all__ = ["OPEN", "Principal", "Services", "open_mode"]


async def open_mode(_scope: Scope) -> Principal:
    """Everybody is the single shop's own: for a service that only its own machine can reach."""
    return OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that the app needs. ``identify`` raises WireError unauthorized or forbidden.

    ``access`` is the door in front of the app; without one, whoever builds the app sees to it who reaches it.
    ``draining`` says whether the process is about to end: readiness then says no.
    """

    payments: Payments
    database: Database
    settings: Settings
    metrics: Metrics
    fingerprint_key: bytes = field(repr=False)
    business_sums: Callable[[], Awaitable[BusinessSums | None]]
    identify: Callable[[Scope], Awaitable[Principal]] = field(default=open_mode)
    access: Access | None = None
    read_tokens: ReadTokens = field(default_factory=ReadTokens.of_nobody_else)
    draining: Callable[[], bool] = field(default=bool)
    lookups: Lookups = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lookups", Lookups(self.database, self.settings.queue_max))

    @property
    def problem_base(self) -> str:
        """What stands before ``/problems/{code}``: the same as in answers that operations make."""
        return self.payments.engine.rules.problem_base

    async def still_admits(self, scope: Scope) -> bool:
        """Whether whoever asked is still let in, for requests that last."""
        return self.access is None or await self.access.still_admits(scope)

    def let_go(self, scope: Scope) -> None:
        """This request lasts: it does not count among those that run."""
        if self.access is not None:
            self.access.let_go(scope)

    def wire_rules(self) -> WireRules:
        """What callers may send, as the settings say."""
        origins = (origin(address) for address in self.settings.return_url_allowlist)
        return WireRules(self.settings.default_currency, frozenset(each for each in origins if each))
