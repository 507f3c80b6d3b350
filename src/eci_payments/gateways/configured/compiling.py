"""The file's rules as routing rules, refused where one could never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from eci_payments.domain.ids import MAX_SAFE_INTEGER, MerchantId
from eci_payments.domain.methods import INSTRUMENT_OF, Card, PaymentMethod
from eci_payments.domain.money import InvalidMoney, currency
from eci_payments.gateways.rules import AmountRange, BinRange, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eci_payments.gateways.accounts import Account
    from eci_payments.gateways.configured.entries import AmountEntry, RuleEntry

T = TypeVar("T", bound=str)

CARDS = frozenset(method for method, fitting in INSTRUMENT_OF.items() if fitting is Card)
ONLINE = frozenset(PaymentMethod) - {PaymentMethod.COD}


class WrongRule(ValueError):
    """A rule that cannot be meant; ``place`` is where, within the file."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(what)
        self.place = place


def compiled(entries: Sequence[RuleEntry], accounts: Sequence[Account]) -> tuple[Rule, ...]:
    """The rules, in their order. Raises WrongRule."""
    by_name = {account.name: account for account in accounts}
    rules: list[Rule] = []
    for number, entry in enumerate(entries):
        place = f"rules[{number}] ({entry.name})"
        rule = _rule(entry, place)
        _refuse_unusable(rule, place, by_name)
        _refuse_second(rule, place, rules)
        rules.append(rule)
    return tuple(rules)


def methods_of(listed: Sequence[PaymentMethod] | None, place: str) -> frozenset[PaymentMethod] | None:
    """The methods, each once and none of them cash. Raises WrongRule."""
    if listed is None:
        return None
    if PaymentMethod.COD in listed:
        raise WrongRule(f"{place}.methods", "COD is collected by a courier, never by a gateway")
    return frozenset(_each_once(listed, f"{place}.methods"))


def currencies_of(listed: Sequence[str] | None, place: str) -> frozenset[str] | None:
    """The currencies, each once and each one that is paid in. Raises WrongRule."""
    if listed is None:
        return None
    for code in listed:
        _check_currency(code, f"{place}.currencies")
    return frozenset(_each_once(listed, f"{place}.currencies"))


def _rule(entry: RuleEntry, place: str) -> Rule:
    return Rule(
        name=entry.name,
        accounts=tuple(_each_once(entry.accounts, f"{place}.accounts")),
        merchants=None if entry.merchants is None else frozenset(map(MerchantId, entry.merchants)),
        methods=_rule_methods(entry, place),
        currencies=currencies_of(entry.currencies, place),
        amount=None if entry.amount is None else _amount(entry.amount, entry, place),
        bins=None if entry.bins is None else tuple(_bins(text, place) for text in entry.bins),
    )


def _rule_methods(entry: RuleEntry, place: str) -> frozenset[PaymentMethod] | None:
    methods = methods_of(entry.methods, place)
    if entry.bins is not None and methods is not None and methods - CARDS:
        beyond = ", ".join(sorted(methods - CARDS))
        raise WrongRule(f"{place}.bins", f"{beyond} has no card number, so that the rule can never match it")
    return CARDS if methods is None and entry.bins is not None else methods


def _amount(amount: AmountEntry, entry: RuleEntry, place: str) -> AmountRange:
    place = f"{place}.amount"
    _check_currency(amount.currency, place)
    if entry.currencies is not None and amount.currency not in entry.currencies:
        raise WrongRule(
            place, f"{amount.currency} is none of the rule's currencies, so that it can never match"
        )
    least, most = amount.min_minor or 1, amount.max_minor or MAX_SAFE_INTEGER
    if least > most:
        raise WrongRule(place, f"min_minor {least} is above max_minor {most}, so that it can never match")
    return AmountRange(amount.currency, least, most)


def _bins(text: str, place: str) -> BinRange:
    first, dash, last = text.partition("-")
    last = last if dash else first
    if len(first) != len(last) or first > last:
        raise WrongRule(f"{place}.bins", f"{text} is no range: as many digits on both sides, the lower first")
    return BinRange(first, last)


def _refuse_unusable(rule: Rule, place: str, by_name: Mapping[str, Account]) -> None:
    """Every account must exist and be able to take some charge that fits."""
    for name in rule.accounts:
        account = by_name.get(name)
        if account is None:
            known = ", ".join(by_name)
            raise WrongRule(f"{place}.accounts", f"there is no account {name!r}; there are {known}")
        if not _may_take(account, rule):
            raise WrongRule(
                f"{place}.accounts",
                f"{name} takes none of the rule's methods, currencies and merchants: it would never be asked",
            )


def _may_take(account: Account, rule: Rule) -> bool:
    able = account.gateway.capabilities
    methods = ONLINE if rule.methods is None else rule.methods
    if rule.merchants is not None and not any(account.serves(merchant) for merchant in rule.merchants):
        return False
    currencies = rule.currencies
    if rule.amount is not None:
        currencies = frozenset({rule.amount.currency})
    if currencies is None:
        return bool(methods & able.methods)
    return any(able.takes(method, code) for method in methods for code in currencies)


def _refuse_second(rule: Rule, place: str, before: Sequence[Rule]) -> None:
    for earlier in before:
        if earlier.name == rule.name:
            raise WrongRule(place, "another rule has this name")
        if earlier.covers(rule):
            raise WrongRule(place, f"rule {earlier.name!r} before it takes all of it: it can never decide")


def _check_currency(code: str, place: str) -> None:
    try:
        currency(code)
    except InvalidMoney as wrong:
        raise WrongRule(place, f"{code} {wrong}") from None


def _each_once(listed: Sequence[T], place: str) -> Sequence[T]:
    for value in listed:
        if listed.count(value) > 1:
            raise WrongRule(place, f"{value} stands there twice")
    return listed
