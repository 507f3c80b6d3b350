"""What the gateway answers about an entry: in the port's words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, assert_never
from urllib.parse import quote, urlencode

from eci_payments.domain.ids import GatewayKey, MerchantId, TransactionId
from eci_payments.domain.money import currency, major_units
from eci_payments.gateways.adapters.simulator.declines import MESSAGES, RETRYABLE, DeclineCode
from eci_payments.gateways.adapters.simulator.engine import authorization_code_of
from eci_payments.gateways.adapters.simulator.entry import CHARGING, Entry, State
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Approved,
    Cancelled,
    Declined,
    Listed,
    NeverSeen,
    Pending,
    Unknown,
)

if TYPE_CHECKING:
    from eci_payments.gateways.contract import Inquiry

PAYEE_ADDRESS, PAYEE_NAME = "shop@simulator", "Simulated Shop"


def answer_on(entry: Entry, now_s: float, base_url: str) -> Inquiry:
    """The outcome of an entry as it stands. ``base_url`` is where the customer's pages are."""
    if entry.silent_left:
        return Unknown("the gateway does not know yet")
    match entry.state:
        case State.APPROVED:
            code = authorization_code_of(entry) if entry.kind in CHARGING else None
            return Approved(entry.reference, entry.moved_minor, code, "Approved", entry.card_brand)
        case State.DECLINED:
            return declined(entry.code or DeclineCode.DO_NOT_HONOR, entry.reference)
        case State.CANCELLED:
            return Cancelled(entry.reference)
        case State.PENDING:
            return Pending(entry.reference, "Accepted; the outcome follows")
        case State.ACTION:
            return _action(entry, now_s, base_url)
        case State.ABSENT:
            return NeverSeen()
        case _:
            assert_never(entry.state)


def listed(entry: Entry) -> Listed:
    """An entry as the gateway's list tells it."""
    return Listed(
        kind=entry.kind,
        key=GatewayKey(entry.key),
        reference=entry.reference,
        merchant_id=MerchantId(entry.merchant_id),
        transaction_id=TransactionId(entry.transaction_id),
        order_id=entry.order_id,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        method=entry.method,
        created_at=datetime.fromtimestamp(entry.created_at_s, UTC),
        parent_key=GatewayKey(entry.parent_key) if entry.parent_key else None,
        final=entry.final,
    )


def declined(code: DeclineCode, reference: str | None = None) -> Declined:
    """A decline with the text that people read."""
    return Declined(code.value, MESSAGES[code], code in RETRYABLE, reference)


def _action(entry: Entry, now_s: float, base_url: str) -> ActionRequired:
    action = entry.action or ActionType.REDIRECT
    return ActionRequired(
        entry.reference,
        action,
        url=f"{base_url.rstrip('/')}/challenge/{entry.reference}",
        upi_uri=upi_link(entry) if action is ActionType.UPI_INTENT else None,
        expires_in_s=max(1, int((entry.turns_at_s or now_s) - now_s)),
    )


def upi_link(entry: Entry) -> str:
    """The link that opens the customer's UPI app (NPCI's UPI linking specification): ``am`` has two decimals."""
    amount = major_units(entry.amount_minor, currency(entry.currency)).quantize(Decimal("0.01"))
    fields = {
        "pa": PAYEE_ADDRESS,
        "pn": PAYEE_NAME,
        "tr": entry.transaction_id,
        "tn": f"Order {entry.order_id}",
        "am": f"{amount:f}",
        "cu": entry.currency,
    }
    return "upi://pay?" + urlencode(fields, quote_via=quote, safe="@")
