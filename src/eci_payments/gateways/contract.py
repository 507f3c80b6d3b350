"""The port that every gateway fits: what it is asked, and the closed set of what may come of it.

A call ends in exactly one `Outcome`. `NotSent` may be said only when the transport knows that nothing left
this machine; whatever is not certain is `Unknown` (law 2: never guess an outcome).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from eci_payments.domain.ids import GatewayKey, MerchantId, TransactionId
from eci_payments.domain.methods import Instrument, PaymentMethod
from eci_payments.domain.quick import quick


class CallKind(StrEnum):
    """What a gateway can be asked to do. Every one takes effect at most once per `GatewayKey`."""

    CHARGE = "charge"
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    CANCEL_ACTION = "cancel_action"


@quick
@dataclass(frozen=True, slots=True)
class GatewayCall:
    """One operation, as a gateway needs to know it.

    ``amount_minor`` is in minor units of ``currency`` (for CAPTURE and REFUND the part that is meant; for VOID
    and CANCEL_ACTION what is given up). ``parent_key`` and ``parent_reference`` name the charge or authorization
    that a capture, void, refund or cancellation belongs to: our key of it, and the gateway's own id of it.
    ``instrument`` is never stored: a call rebuilt by recovery has none.
    """

    kind: CallKind
    key: GatewayKey
    merchant_id: MerchantId
    transaction_id: TransactionId
    amount_minor: int
    currency: str
    method: PaymentMethod
    instrument: Instrument | None = field(default=None, repr=False)
    reference: str | None = None
    """The gateway's own id of this operation, once it has told it."""
    parent_key: GatewayKey | None = None
    parent_reference: str | None = None
    final: bool = True
    """For CAPTURE: release what is left of the authorization."""
    return_url: str | None = None
    order_id: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Approved:
    """Done at the gateway. ``amount_minor`` is what the gateway says it moved or reserved."""

    reference: str
    amount_minor: int
    authorization_code: str | None = None
    message: str | None = None
    card_brand: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Declined:
    """Refused by the gateway for good; nothing moved. ``code`` is one of our normalised decline codes."""

    code: str
    message: str
    retryable: bool = False
    reference: str | None = None


class ActionType(StrEnum):
    """What the customer has to do."""

    REDIRECT = "redirect"
    UPI_INTENT = "upi_intent"
    UPI_COLLECT = "upi_collect"


@dataclass(frozen=True, slots=True)
class ActionRequired:
    """Nothing moved yet: the customer has to act first. ``expires_in_s`` is the gateway's own limit, if it has one."""

    reference: str
    action: ActionType
    url: str | None = None
    upi_uri: str | None = None
    expires_in_s: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Answer of a preparation only: an object exists at the gateway, by whose id the charge will be done."""

    reference: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Accepted by the gateway, which will decide later (UPI's *deemed* is one of these).

    ``may_await_customer``: the gateway does not tell whether it waits for itself or for the customer still.
    """

    reference: str
    message: str | None = None
    may_await_customer: bool = False


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The gateway confirms that a charge which waited for the customer was given up; nothing moved."""

    reference: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Certainly never reached the gateway: the connection was refused before a byte of the request left."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have happened: a time-out after sending, a cut line, an answer that makes no sense."""

    reason: str


@dataclass(frozen=True, slots=True)
class NeverSeen:
    """Answer of an inquiry only: the gateway says with authority that it has no operation under our key."""


Outcome = Approved | Declined | ActionRequired | Pending | Cancelled | NotSent | Unknown
Preparation = Prepared | Declined | NotSent | Unknown
Inquiry = Approved | Declined | ActionRequired | Pending | Cancelled | NotSent | Unknown | NeverSeen


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one gateway account can do; routing and recovery judge by it, never by its name."""

    methods: frozenset[PaymentMethod]
    currencies: frozenset[str] | None
    """None: every currency of ISO 4217."""
    currencies_of: Mapping[PaymentMethod, frozenset[str]] = field(default_factory=dict)
    """Methods that are taken in fewer currencies than the others."""
    partial_capture: bool = True
    multiple_capture: bool = False
    inquiry_by_key: bool = True
    """False: the gateway can only be asked by its own id, so a charge is created first and confirmed after."""
    never_seen_after_s: float = 120.0
    """`NeverSeen` counts only for calls older than this: longer than every time-out on the way."""
    key_window_s: float = 24 * 3600.0
    """How long the gateway recognises a repeated key; nothing is sent again after that."""
    recounts: bool = False
    """Whether it can tell what it did since a time (`RecountingGateway`)."""
    unlisted: frozenset[CallKind] = frozenset()
    """Kinds of operations of which that list says nothing."""
    instrument_required: frozenset[PaymentMethod] = frozenset()
    """Methods for which a charge without instrument details is refused with 422."""
    authorization_valid_s: Mapping[PaymentMethod, float] = field(default_factory=dict)
    """How long an authorization holds, from its beginning, in seconds. A method that is not here is not watched: nobody
    says how long, or the gateway lets it lapse by itself and has no void."""
    lists_instruments: bool = False
    """True: it tells which banks and wallets it takes (`ListingGateway`)."""

    def takes(self, method: PaymentMethod, currency: str) -> bool:
        """Whether money can be taken by this method in this currency."""
        fewer = self.currencies_of.get(method)
        return (
            method in self.methods
            and (self.currencies is None or currency in self.currencies)
            and (fewer is None or currency in fewer)
        )


class Gateway(Protocol):
    """One gateway account. Neither method raises for anything that happens on the way: that is an outcome."""

    @property
    def name(self) -> str:
        """The account's name: in rows, metrics and ledger accounts."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What this account can do."""
        ...

    async def perform(self, call: GatewayCall) -> Outcome:
        """Do it, once per key. A repeated key gives the first one's outcome, or does what was never done."""
        ...

    async def inquire(self, call: GatewayCall) -> Inquiry:
        """What became of the operation with this key, without changing anything."""
        ...

    async def close(self) -> None:
        """Give back connections and files."""
        ...


class PreparingGateway(Gateway, Protocol):
    """A gateway that cannot be asked by our key: a charge is prepared, its id committed, and then performed by it."""

    async def prepare(self, call: GatewayCall) -> Preparation:
        """Make the object that stands for the charge. Moves no money, whatever becomes of the call."""
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """What an account takes beside its capabilities: banks and wallets, their names for people by their codes."""

    banks: Mapping[str, str]
    wallets: Mapping[str, str]
    methods: frozenset[PaymentMethod] | None = None
    """Those that are switched on for the account; None: all that its capabilities name."""


class ListingGateway(Gateway, Protocol):
    """A gateway whose capabilities say ``lists_instruments``."""

    async def list_instruments(self) -> Listing | NotSent | Unknown:
        """What it takes at present. Changes nothing there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An operation as the gateway's own list tells it, by our key. What became of it is for an inquiry to say."""

    kind: CallKind
    key: GatewayKey
    reference: str
    merchant_id: MerchantId
    transaction_id: TransactionId
    order_id: str
    amount_minor: int
    currency: str
    method: PaymentMethod
    created_at: datetime
    parent_key: GatewayKey | None = None
    parent_reference: str | None = None
    final: bool = True


class RecountingGateway(Gateway, Protocol):
    """A gateway that tells what it did since a time: how a restored database learns what it has lost."""

    async def operations_since(self, since: datetime) -> Sequence[Listed] | NotSent | Unknown:
        """All that it was asked to do since then, whatever became of it, but ``unlisted`` kinds; never a part of it."""
        ...


def outcome_record(outcome: Inquiry) -> dict[str, Any]:
    """An outcome as it is kept with its operation: its kind and its fields, for people and for support."""
    fields = {name: getattr(outcome, name) for name in outcome.__dataclass_fields__}
    told = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in fields.items()
        if value is not None
    }
    return {"kind": type(outcome).__name__, **told}
