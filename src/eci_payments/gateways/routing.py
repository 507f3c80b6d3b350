"""Which gateways take a payment, in the order in which they are tried, and the accounts by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.gateways.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.gateways.contract import Gateway
    from eci_payments.gateways.guard import Guard
    from eci_payments.gateways.rules import Rule, Wanted


class Gateways:
    """The accounts of an installation. Without rules all are tried, in their order; with rules, those that one names.

    A plain gateway is an account that serves every merchant.
    """

    def __init__(self, accounts: Sequence[Account | Gateway], rules: Sequence[Rule] = ()) -> None:
        made = [each if isinstance(each, Account) else Account(each) for each in accounts]
        self._accounts = {account.name: account for account in made}
        self.rules = tuple(rules)

    def choose(self, wanted: Wanted) -> list[Gateway]:
        """The gateways that take this charge, first choice first; at least one.

        Raises Refusal METHOD_NOT_SUPPORTED when none does, INSTRUMENT_REQUIRED when the ones that do need details.
        """
        able = self.able(wanted)
        if not able:
            raise Refusal(
                RefusalCode.METHOD_NOT_SUPPORTED,
                f"No gateway takes {wanted.method} in {wanted.currency}"
                + (" for this amount and card." if self.rules else "."),
            )
        ready = [
            account.gateway
            for account in able
            if wanted.instrument is not None
            or wanted.method not in account.gateway.capabilities.instrument_required
        ]
        if not ready:
            raise Refusal(
                RefusalCode.INSTRUMENT_REQUIRED, f"{wanted.method} needs payment_details at this gateway."
            )
        return ready

    def able(self, wanted: Wanted) -> list[Account]:
        """The accounts that the rule for this charge names and that can take it, whatever details it still lacks."""
        return self._able(self._named_for(wanted), wanted)

    def offering(self, wanted: Wanted, *, amount_known: bool) -> list[Account]:
        """The accounts that may be asked for such a charge, before its card (and its amount, if not known) is told."""
        named: dict[str, None] = {}
        for rule in self.rules:
            if rule.may_fit(wanted, amount_known=amount_known):
                named |= dict.fromkeys(rule.accounts)
                if rule.bins is None and (amount_known or rule.amount is None):
                    break
        return self._able([self._accounts[name] for name in named] if self.rules else self.accounts(), wanted)

    def rule_for(self, wanted: Wanted) -> Rule | None:
        """The rule that decides about this charge; None where no rule fits, or there are none."""
        return next((rule for rule in self.rules if rule.fits(wanted)), None)

    def named(self, name: str) -> Gateway | None:
        """The gateway of the account of this name; None when the installation no longer has it."""
        account = self._accounts.get(name)
        return account.gateway if account else None

    def account(self, name: str) -> Account | None:
        """The account of this name, and whose it is; None when the installation has none."""
        return self._accounts.get(name)

    def guard(self, name: str) -> Guard:
        """The bulkhead and breaker of an account that there is."""
        return self._accounts[name].guard

    def webhook_secrets(self, name: str) -> tuple[str, ...]:
        """What this account's webhooks are signed with; empty: none are believed."""
        account = self._accounts.get(name)
        return account.webhook_secrets if account else ()

    def all(self) -> list[Gateway]:
        """The gateway of every account."""
        return [account.gateway for account in self._accounts.values()]

    def accounts(self) -> list[Account]:
        """Every account."""
        return list(self._accounts.values())

    def _named_for(self, wanted: Wanted) -> list[Account]:
        if not self.rules:
            return self.accounts()
        rule = self.rule_for(wanted)
        return [self._accounts[name] for name in rule.accounts] if rule else []

    @staticmethod
    def _able(accounts: Sequence[Account], wanted: Wanted) -> list[Account]:
        return [
            account
            for account in accounts
            if account.serves(wanted.merchant_id)
            and account.gateway.capabilities.takes(wanted.method, wanted.currency)
        ]
