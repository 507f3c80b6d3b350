"""Which gateway takes a payment, and the gateways by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.errors import Refusal, RefusalCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eci_payments.domain.methods import Instrument, PaymentMethod
    from eci_payments.gateways.contract import Gateway


class Gateways:
    """The gateway accounts of an installation, in the order in which they are tried."""

    def __init__(
        self, accounts: Sequence[Gateway], webhook_secrets: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._accounts = {account.name: account for account in accounts}
        self._webhook_secrets = dict(webhook_secrets or {})

    def webhook_secrets(self, name: str) -> Sequence[str]:
        """What this account's webhooks are signed with; empty: none are believed."""
        return self._webhook_secrets.get(name, ())

    def choose(self, method: PaymentMethod, currency: str, instrument: Instrument | None) -> Gateway:
        """The first gateway that takes this method and currency.

        Raises Refusal METHOD_NOT_SUPPORTED when none does, INSTRUMENT_REQUIRED when the ones that do need details.
        """
        able = [
            account
            for account in self._accounts.values()
            if method in account.capabilities.methods
            and (account.capabilities.currencies is None or currency in account.capabilities.currencies)
        ]
        if not able:
            raise Refusal(RefusalCode.METHOD_NOT_SUPPORTED, f"No gateway takes {method} in {currency}.")
        for account in able:
            if instrument is not None or method not in account.capabilities.instrument_required:
                return account
        raise Refusal(RefusalCode.INSTRUMENT_REQUIRED, f"{method} needs payment_details at this gateway.")

    def named(self, name: str) -> Gateway | None:
        """The account of this name; None when the installation no longer has it."""
        return self._accounts.get(name)

    def all(self) -> list[Gateway]:
        """Every account."""
        return list(self._accounts.values())
