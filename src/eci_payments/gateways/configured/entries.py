"""What a gateways file may say: one type for each adapter's accounts, and the rules. Its JSON Schema is made from this.

Secrets are never written here: each is named by a file (``…_file``) or by an environment variable (``…_env``).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.guard import MAX_WAIT_S, MOST_CALLS

MAX_ACCOUNTS = 32
MAX_RULES = 200

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,31}$")]
Code = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="An ISO 4217 code.")]
Minor = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Address = Annotated[str, Meta(pattern="^https?://[!-~]{1,2000}$")]
Reference = Annotated[str, Meta(min_length=1, max_length=4096)]
Methods = Annotated[
    list[PaymentMethod],
    Meta(min_length=1, max_length=5, description="Never COD: no gateway is asked for it."),
]
Currencies = Annotated[list[Code], Meta(min_length=1, max_length=200)]
Merchants = Annotated[list[Annotated[int, Meta(ge=1)]], Meta(min_length=1, max_length=10_000)]
Bin = Annotated[
    str,
    Meta(
        pattern="^[0-9]{4,8}(-[0-9]{4,8})?$",
        description="The first digits of card numbers, 4 to 8 of them, or a range with as many on both sides.",
    ),
]


class AccountEntry(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="adapter"
):
    """What every account has. What is left out stands for all that the adapter can do, and for every merchant."""

    name: Name
    merchants: Merchants | None = None
    methods: Methods | None = None
    currencies: Currencies | None = None
    max_calls: Annotated[int, Meta(ge=1, le=MOST_CALLS)] | None = None
    max_wait_s: Annotated[float, Meta(ge=0, le=5)] = MAX_WAIT_S
    breaker_failures: Annotated[int, Meta(ge=0, le=1000)] | None = None
    never_seen_after_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    webhook_secret_file: Reference | None = None
    webhook_secret_env: Reference | None = None


class SimulatorEntry(AccountEntry, frozen=True, kw_only=True, tag="simulator"):
    """The simulator in this process: it moves no money."""


class SandboxEntry(AccountEntry, frozen=True, kw_only=True, tag="sandbox"):
    """The simulator as a process of its own."""

    url: Address
    api_key_file: Reference | None = None
    api_key_env: Reference | None = None


class StripeEntry(AccountEntry, frozen=True, kw_only=True, tag="stripe"):
    """An account at Stripe."""

    secret_key_file: Reference | None = None
    secret_key_env: Reference | None = None
    url: Address = "https://api.stripe.com"


class RazorpayEntry(AccountEntry, frozen=True, kw_only=True, tag="razorpay"):
    """An account at Razorpay. ``email`` and ``contact`` stand for customers, of whom it wants both."""

    key_id: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    email: Annotated[str, Meta(pattern="^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}$")]
    contact: Annotated[str, Meta(pattern="^\\+[0-9]{8,15}$")]
    key_secret_file: Reference | None = None
    key_secret_env: Reference | None = None
    url: Address = "https://api.razorpay.com"


Entry = SimulatorEntry | SandboxEntry | StripeEntry | RazorpayEntry


class AmountEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Amounts of one currency, both ends included, in its minor units."""

    currency: Code
    min_minor: Minor | None = None
    max_minor: Minor | None = None


class RuleEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which charges go where. What is left out fits every charge; the accounts are tried in their order."""

    name: Name
    accounts: Annotated[list[Name], Meta(min_length=1, max_length=MAX_ACCOUNTS)]
    merchants: Merchants | None = None
    methods: Methods | None = None
    currencies: Currencies | None = None
    amount: AmountEntry | None = None
    bins: Annotated[list[Bin], Meta(min_length=1, max_length=10_000)] | None = None


class GatewaysFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. Without rules every account is tried in its order."""

    accounts: Annotated[list[Entry], Meta(min_length=1, max_length=MAX_ACCOUNTS)]
    rules: Annotated[list[RuleEntry], Meta(max_length=MAX_RULES)] = []
