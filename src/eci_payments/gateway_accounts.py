"""The one page that names every adapter: the accounts that the settings name, or that the gateways file lists."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar, assert_never

from eci_payments.domain.ids import MerchantId
from eci_payments.gateways.accounts import Account, Limits, Narrow, narrowed, unchanged
from eci_payments.gateways.adapters.razorpay.account import RazorpayGateway
from eci_payments.gateways.adapters.sandbox.account import SandboxGateway
from eci_payments.gateways.adapters.simulator.gateway import SimulatorGateway
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.gateways.adapters.stripe.account import StripeGateway
from eci_payments.gateways.configured.compiling import WrongRule, compiled, currencies_of, methods_of
from eci_payments.gateways.configured.entries import (
    Entry,
    RazorpayEntry,
    SandboxEntry,
    SimulatorEntry,
    StripeEntry,
)
from eci_payments.gateways.configured.reading import needed_secret, read, secret, wrong
from eci_payments.gateways.guard import MOST_CALLS
from eci_payments.gateways.routing import Gateways
from eci_payments.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from eci_payments.gateways.contract import Gateway
    from eci_payments.settings import Settings

T = TypeVar("T")

UNGUARDED = Limits(max_calls=MOST_CALLS, breaker_failures=0)
"""For the simulator in this process: it cannot be away, and what looks like failure was asked for by an amount."""
SIMULATOR_MARGIN_S = 1.0
"""The simulator begins a call before its caller's time-out or never: a second after the lease it has the last word."""

WITHOUT_MONEY = frozenset({"simulator"})
"""Adapters that move no money and need no other process: what demonstrations may use."""


def configured_gateways(settings: Settings, *, challenge_url: str | None = None) -> Gateways:
    """The accounts and rules of this installation. Raises SettingsError with one line that says what is wrong."""
    if settings.gateways_file is None:
        named = [_simple_account(name, settings, challenge_url) for name in settings.gateways]
        gateways, where = Gateways(named), "GATEWAYS"
    else:
        gateways = _from_file(settings.gateways_file, settings, challenge_url)
        where = f"GATEWAYS_FILE {settings.gateways_file}"
    for gateway in gateways.all():
        _check_patience(gateway, settings, where)
    return gateways


def adapters_named(settings: Settings) -> frozenset[str]:
    """The adapters that the installation's accounts use. Raises SettingsError for a file that cannot be read."""
    if settings.gateways_file is None:
        return frozenset(settings.gateways)
    entries = read(settings.gateways_file).accounts
    return frozenset(str(type(entry).__struct_config__.tag) for entry in entries)


def _check_patience(gateway: Gateway, settings: Settings, where: str) -> None:
    """No account may say "never seen" of a call that can still be under way.

    A call leaves at the latest ``OPERATION_LEASE_S - GATEWAY_TIMEOUT_S`` after its intent, and is waited for as long as
    ``GATEWAY_TIMEOUT_S``: until the lease ends it may be on its way.
    """
    says_s = gateway.capabilities.never_seen_after_s
    if says_s <= settings.operation_lease_s:
        raise SettingsError(
            f"{where}: account {gateway.name} counts a call as never seen after {says_s:g} s, when it may still be on"
            f" its way: OPERATION_LEASE_S ({settings.operation_lease_s:g}) must be less, or never_seen_after_s more"
        )


@dataclass(frozen=True)
class _Surroundings:
    """What every account of one process shares. ``folder`` is where the file's own paths begin."""

    settings: Settings
    challenge_url: str | None
    folder: Path

    @cached_property
    def record(self) -> SimulatorRecord:
        """The simulator's, made where an account needs it. Raises SettingsError."""
        path = self.settings.simulator_path
        if path.is_dir():
            raise SettingsError("SIMULATOR_DB must be the path of a file")
        try:
            return SimulatorRecord(path)
        except OSError as error:
            raise SettingsError(f"SIMULATOR_DB: {path} cannot be made: {error.strerror}") from None


def _from_file(path: Path, settings: Settings, challenge_url: str | None) -> Gateways:
    file = read(path)
    shared = _Surroundings(settings, challenge_url, path.parent)
    accounts: list[Account] = []
    for number, entry in enumerate(file.accounts):
        place = f"accounts[{number}] ({entry.name})"
        if any(entry.name == account.name for account in accounts):
            raise wrong(path, place, "another account has this name")
        try:
            accounts.append(_account(entry, place, shared))
        except WrongRule as error:
            raise wrong(path, error.place, str(error)) from None
        except (ValueError, SettingsError) as error:
            raise wrong(path, place, str(error)) from None
    try:
        return Gateways(accounts, compiled(file.rules, accounts))
    except WrongRule as error:
        raise wrong(path, error.place, str(error)) from None


def _account(entry: Entry, place: str, shared: _Surroundings) -> Account:
    narrow = partial(
        narrowed,
        methods=methods_of(entry.methods, place),
        currencies=currencies_of(entry.currencies, place),
        never_seen_after_s=entry.never_seen_after_s,
    )
    return Account(
        _gateway(entry, shared, narrow),
        merchants=None if entry.merchants is None else frozenset(map(MerchantId, entry.merchants)),
        webhook_secrets=_each(secret(entry, "webhook_secret", shared.folder)),
        limits=_limits(entry),
    )


def _limits(entry: Entry) -> Limits:
    usual = UNGUARDED if isinstance(entry, SimulatorEntry) else Limits()
    return Limits(
        usual.max_calls if entry.max_calls is None else entry.max_calls,
        entry.max_wait_s,
        usual.breaker_failures if entry.breaker_failures is None else entry.breaker_failures,
    )


def _each(listed: str | None) -> tuple[str, ...]:
    """The secrets of a list with commas between: two stand side by side while one replaces the other."""
    return tuple(one.strip() for one in listed.split(",")) if listed else ()


def _gateway(entry: Entry, shared: _Surroundings, narrow: Narrow) -> Gateway:
    timeout_s = shared.settings.gateway_timeout_s
    match entry:
        case SimulatorEntry():
            return _simulator(entry.name, shared, narrow)
        case SandboxEntry():
            return SandboxGateway(
                base_url=entry.url,
                api_key=needed_secret(entry, "api_key", shared.folder),
                name=entry.name,
                timeout_s=timeout_s,
                never_seen_after_s=_sandbox_patience_s(shared.settings),
                narrow=narrow,
            )
        case StripeEntry():
            key = needed_secret(entry, "secret_key", shared.folder)
            return StripeGateway(entry.name, key, entry.url, timeout_s=timeout_s, narrow=narrow)
        case RazorpayEntry():
            return RazorpayGateway(
                entry.name,
                entry.key_id,
                needed_secret(entry, "key_secret", shared.folder),
                entry.url,
                email=entry.email,
                contact=entry.contact,
                timeout_s=timeout_s,
                narrow=narrow,
            )
        case _:
            assert_never(entry)


def _simulator(name: str, shared: _Surroundings, narrow: Narrow = unchanged) -> SimulatorGateway:
    settings = shared.settings
    return SimulatorGateway(
        record=shared.record,
        name=name,
        timeout_s=settings.gateway_timeout_s,
        never_seen_after_s=settings.operation_lease_s + SIMULATOR_MARGIN_S,
        base_url=shared.challenge_url,
        narrow=narrow,
    )


def _sandbox_patience_s(settings: Settings) -> float:
    """What left at the last moment may travel for another time-out."""
    return settings.operation_lease_s + settings.gateway_timeout_s


def _simple_account(name: str, settings: Settings, challenge_url: str | None) -> Account:
    listed = {
        "sandbox": settings.sandbox_webhook_secrets,
        "stripe": settings.stripe_webhook_secrets,
        "razorpay": settings.razorpay_webhook_secrets,
    }.get(name)
    secrets = _each(listed.get_secret_value() if listed else None)
    limits = UNGUARDED if name in WITHOUT_MONEY else Limits()
    return Account(_simple(name, settings, challenge_url), webhook_secrets=secrets, limits=limits)


def _simple(name: str, settings: Settings, challenge_url: str | None) -> Gateway:
    """The account of an adapter that ``GATEWAYS`` names, with the adapter's own settings."""
    match name:
        case "simulator":
            return _simulator(name, _Surroundings(settings, challenge_url, settings.data_dir))
        case "stripe":
            key = _needed(settings.stripe_secret_key, "STRIPE_SECRET_KEY", name).get_secret_value()
            return StripeGateway(name, key, settings.stripe_api_url, timeout_s=settings.gateway_timeout_s)
        case "razorpay":
            return _simple_razorpay(settings)
        case "sandbox":
            return _simple_sandbox(settings)
        case _:
            raise SettingsError(
                f"GATEWAYS: there is no gateway {name!r}; known are simulator, sandbox, stripe and razorpay"
            )


def _simple_sandbox(settings: Settings) -> SandboxGateway:
    return SandboxGateway(
        base_url=_needed(settings.sandbox_url, "SANDBOX_URL", "sandbox"),
        api_key=_needed(settings.sandbox_api_key, "SANDBOX_API_KEY", "sandbox").get_secret_value(),
        timeout_s=settings.gateway_timeout_s,
        never_seen_after_s=_sandbox_patience_s(settings),
    )


def _simple_razorpay(settings: Settings) -> RazorpayGateway:
    return RazorpayGateway(
        "razorpay",
        _needed(settings.razorpay_key_id, "RAZORPAY_KEY_ID", "razorpay"),
        _needed(settings.razorpay_key_secret, "RAZORPAY_KEY_SECRET", "razorpay").get_secret_value(),
        settings.razorpay_api_url,
        email=_needed(settings.razorpay_email, "RAZORPAY_EMAIL", "razorpay"),
        contact=_needed(settings.razorpay_contact, "RAZORPAY_CONTACT", "razorpay"),
        timeout_s=settings.gateway_timeout_s,
    )


def _needed(value: T | None, name: str, gateway: str) -> T:
    if value is None:
        raise SettingsError(f"{name}: is needed, because GATEWAYS names {gateway}")
    return value
