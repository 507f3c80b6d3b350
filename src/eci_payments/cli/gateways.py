"""``eci-payments gateways``: what the accounts and rules would do, told without asking any gateway."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import typer

from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.opening import settings_for_service
from eci_payments.domain.ids import MerchantId
from eci_payments.domain.methods import INSTRUMENT_OF, Card, PaymentMethod
from eci_payments.domain.money import InvalidMoney, minor_units
from eci_payments.domain.money import currency as currency_of
from eci_payments.gateway_accounts import configured_gateways
from eci_payments.gateways.configured import reading
from eci_payments.gateways.rules import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eci_payments.gateways.accounts import Account
    from eci_payments.gateways.rules import Rule

_BIN = re.compile(r"[0-9]{4,8}", re.ASCII)
EVERY = "every"


def check() -> None:
    """One line when all is right; else SettingsError says what is not."""
    gateways = configured_gateways(settings_for_service())
    typer.echo(
        f"{_count(len(gateways.accounts()), 'account')}, {_count(len(gateways.rules), 'rule')}: all right."
    )
    for account in gateways.accounts():
        if gateways.rules and not any(account.name in rule.accounts for rule in gateways.rules):
            typer.echo(
                f"{account.name}: no rule names it; it takes no charges, only what follows earlier ones."
            )


def show() -> None:
    """The accounts and rules."""
    gateways = configured_gateways(settings_for_service())
    for account in gateways.accounts():
        typer.echo(_account(account))
    for rule in gateways.rules:
        typer.echo(f"rule {rule.name}: {_conditions(rule)} -> {', '.join(rule.accounts)}")


def route(method: str, amount: str, currency: str | None, digits: str, merchant: int) -> None:
    """Where a charge would go."""
    settings = settings_for_service()
    wanted = _wanted(method, amount, currency or settings.default_currency, digits, merchant)
    gateways = configured_gateways(settings)
    rule = gateways.rule_for(wanted)
    if rule is not None:
        typer.echo(f"rule {rule.name} decides")
    elif gateways.rules:
        typer.echo("no rule fits: the charge is refused with 422 method_not_supported")
        raise typer.Exit(1)
    named = [gateways.account(name) for name in rule.accounts] if rule else gateways.accounts()
    able = [account.name for account in gateways.able(wanted)]
    for account in filter(None, named):
        typer.echo(_verdict(account, wanted, able))
    if not able:
        typer.echo("no account can take it: the charge is refused with 422 method_not_supported")
        raise typer.Exit(1)


def schema() -> None:
    """The file's JSON Schema."""
    typer.echo(schema_text(), nl=False)


def schema_text() -> str:
    """The schema as it stands in the documentation."""
    return msgspec.json.format(msgspec.json.encode(reading.schema()), indent=2).decode() + "\n"


def _wanted(method: str, amount: str, currency: str, digits: str, merchant: int) -> Wanted:
    try:
        chosen = PaymentMethod(method)
    except ValueError:
        raise CommandError(f"--method must be one of {', '.join(PaymentMethod)}", WRONG_SETTING) from None
    try:
        amount_minor = minor_units(amount, currency_of(currency))
    except InvalidMoney as error:
        raise CommandError(f"--amount or --currency {error}", WRONG_SETTING) from None
    if digits and (not _BIN.fullmatch(digits) or INSTRUMENT_OF[chosen] is not Card):
        raise CommandError("--bin takes the first 4 to 8 digits of a card number", WRONG_SETTING)
    card = Card(digits, 1, 2000, "") if digits else None
    return Wanted(
        merchant_id=MerchantId(merchant),
        method=chosen,
        currency=currency,
        amount_minor=amount_minor,
        instrument=card,
    )


def _verdict(account: Account, wanted: Wanted, able: list[str]) -> str:
    if account.name in able:
        return f"{able.index(account.name) + 1}. {account.name}"
    if not account.serves(wanted.merchant_id):
        return f"-  {account.name}: not for merchant {wanted.merchant_id}"
    return f"-  {account.name}: does not take {wanted.method} in {wanted.currency}"


def _account(account: Account) -> str:
    able = account.gateway.capabilities
    capture = "several captures" if able.multiple_capture else "one capture"
    fewer = "".join(
        f" ({m} {_listed(c)})" for m, c in sorted(able.currencies_of.items()) if m in able.methods
    )
    return "; ".join(
        [
            f"account {account.name}: {_listed(able.methods)}",
            f"currencies {_listed(able.currencies)}{fewer}",
            f"merchants {_listed(account.merchants)}",
            f"{capture}, {'in parts' if able.partial_capture else 'the whole amount only'}",
            f"asked by {'our key' if able.inquiry_by_key else 'its own id'}",
            f"never seen after {able.never_seen_after_s:g} s",
            f"knows a key for {able.key_window_s / 3600:g} h",
        ]
    )


def _conditions(rule: Rule) -> str:
    said = [
        f"merchant {_listed(rule.merchants)}" if rule.merchants else "",
        _listed(rule.methods) if rule.methods else "",
        _listed(rule.currencies) if rule.currencies else "",
        f"{rule.amount.currency} {rule.amount.least_minor} to {rule.amount.most_minor} minor units"
        if rule.amount
        else "",
        "BIN " + ", ".join(b.first if b.first == b.last else f"{b.first}-{b.last}" for b in rule.bins or ())
        if rule.bins
        else "",
    ]
    return "; ".join(filter(None, said)) or "every charge"


def _listed(values: Iterable[int] | Iterable[str] | None) -> str:
    return EVERY if values is None else ", ".join(sorted(map(str, values)))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
