"""A gateway account: an adapter with credentials, whose it is, and within which bounds it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from eci_payments.domain.ids import MerchantId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.contract import Capabilities, Gateway
from eci_payments.gateways.guard import BREAKER_FAILURES, MAX_CALLS, MAX_WAIT_S, Guard

Narrow = Callable[[Capabilities], Capabilities]
"""What an account's owner makes of what its adapter can do: never more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How an account is called: at most so many at once, each waiting so long for its turn, and its breaker."""

    max_calls: int = MAX_CALLS
    max_wait_s: float = MAX_WAIT_S
    breaker_failures: int = BREAKER_FAILURES

    def guard(self, name: str) -> Guard:
        """A guard with these limits."""
        return Guard(
            name,
            max_calls=self.max_calls,
            max_wait_s=self.max_wait_s,
            breaker_failures=self.breaker_failures,
        )


@dataclass(frozen=True)
class Account:
    """One account of this installation. ``merchants`` None: every merchant's payments may go through it.

    ``limits`` None: it is called as often as the process can.
    """

    gateway: Gateway
    merchants: frozenset[MerchantId] | None = None
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    """What its webhooks are signed with; two while one replaces the other. Empty: none are believed."""
    limits: Limits | None = None

    @cached_property
    def guard(self) -> Guard:
        """Its bulkhead and breaker in this process."""
        return self.limits.guard(self.name) if self.limits else Guard(self.name)

    @property
    def name(self) -> str:
        """Its name: in rows, metrics and ledger accounts."""
        return self.gateway.name

    @property
    def only_merchant(self) -> MerchantId | None:
        """The merchant whose account it is; None where it is several merchants' or everybody's."""
        return next(iter(self.merchants)) if self.merchants is not None and len(self.merchants) == 1 else None

    def serves(self, merchant_id: MerchantId) -> bool:
        """Whether this merchant's payments may go through it."""
        return self.merchants is None or merchant_id in self.merchants


def unchanged(capabilities: Capabilities) -> Capabilities:
    """All that the adapter can do."""
    return capabilities


def narrowed(
    capabilities: Capabilities,
    *,
    methods: frozenset[PaymentMethod] | None = None,
    currencies: frozenset[str] | None = None,
    never_seen_after_s: float | None = None,
) -> Capabilities:
    """What is left of an adapter's capabilities in an account that takes only these methods and currencies.

    ``never_seen_after_s`` None: as the adapter says. Raises ValueError for methods and currencies that it cannot do.
    """
    if methods is not None and (beyond := methods - capabilities.methods):
        raise ValueError(f"the adapter cannot do {', '.join(sorted(beyond))}")
    able = capabilities.currencies
    if currencies is not None and able is not None and currencies - able:
        raise ValueError(f"the adapter cannot take {', '.join(sorted(currencies - able))}")
    return replace(
        capabilities,
        methods=capabilities.methods if methods is None else methods,
        currencies=able if currencies is None else currencies,
        never_seen_after_s=max(capabilities.never_seen_after_s, never_seen_after_s or 0.0),
    )
