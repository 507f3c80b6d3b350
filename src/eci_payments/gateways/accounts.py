"""A gateway account: an adapter with credentials, whose it is, and within which bounds it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from eci_payments.domain.ids import MerchantId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.contract import Capabilities, Gateway

Narrow = Callable[[Capabilities], Capabilities]
"""What an account's owner makes of what its adapter can do: never more."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account of this installation. ``merchants`` None: every merchant's payments may go through it."""

    gateway: Gateway
    merchants: frozenset[MerchantId] | None = None
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    """What its webhooks are signed with; two while one replaces the other. Empty: none are believed."""

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
