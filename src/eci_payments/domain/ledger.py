"""The ledger: double entry, as a table that can be read in one screen.

Every entry is one transfer of ``amount_minor`` from the credited account to the debited one, so that debits
equal credits in every row and therefore in every sum. An authorization moves no money and posts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eci_payments.domain.errors import ensure
from eci_payments.domain.ids import MerchantId
from eci_payments.domain.quick import quick

UNAPPLIED = "unapplied"
EXTERNAL = "external"
COD_IN_TRANSIT = "cod:in_transit"
DISPUTES = "disputes"
"""What gateways withhold while a chargeback is not decided."""
OVERPAID = "overpaid"
"""What a gateway gave back beyond what a payment had left to give: a person has to look at it."""


class Movement(StrEnum):
    """What happened to money."""

    CAPTURED = "captured"
    REFUNDED = "refunded"
    ARRIVED_LATE = "arrived_late"
    RETURNED = "returned"
    APPLIED = "applied"
    REMITTED = "remitted"
    OVERPAID = "overpaid"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    DISPUTE_REINSTATED = "dispute_reinstated"
    DISPUTE_WITHDRAWN = "dispute_withdrawn"


@quick
@dataclass(frozen=True, slots=True)
class Posting:
    """One transfer: debit one account, credit another, the same positive amount of minor units."""

    movement: Movement
    debit_account: str
    credit_account: str
    amount_minor: int
    currency: str


HOLDER, PAYABLE = "{holder}", "{payable}"
_POSTINGS: dict[Movement, tuple[str, str]] = {
    Movement.CAPTURED: (HOLDER, PAYABLE),
    Movement.REFUNDED: (PAYABLE, HOLDER),
    Movement.ARRIVED_LATE: (HOLDER, UNAPPLIED),
    Movement.RETURNED: (UNAPPLIED, HOLDER),
    Movement.APPLIED: (UNAPPLIED, PAYABLE),
    Movement.REMITTED: (EXTERNAL, COD_IN_TRANSIT),
    Movement.OVERPAID: (OVERPAID, HOLDER),
    Movement.DISPUTE_OPENED: (DISPUTES, HOLDER),
    Movement.DISPUTE_WON: (HOLDER, DISPUTES),
    Movement.DISPUTE_LOST: (PAYABLE, DISPUTES),
    Movement.DISPUTE_REINSTATED: (HOLDER, PAYABLE),
    Movement.DISPUTE_WITHDRAWN: (PAYABLE, HOLDER),
}
"""For each movement: which account is debited, and which is credited."""


def gateway_account(gateway: str) -> str:
    """What a gateway holds for us and owes us."""
    return f"gateway:{gateway}:receivable"


def payable_account(merchant_id: MerchantId) -> str:
    """What we owe a merchant."""
    return f"merchant:{merchant_id}:payable"


def posting(
    movement: Movement, merchant_id: MerchantId, holder: str, amount_minor: int, currency: str
) -> Posting:
    """The posting of one movement; ``holder`` is the account of whoever holds the money."""
    ensure(amount_minor > 0, "a posting moves a positive amount")
    names = {HOLDER: holder, PAYABLE: payable_account(merchant_id)}
    debit, credit = _POSTINGS[movement]
    return Posting(movement, names.get(debit, debit), names.get(credit, credit), amount_minor, currency)
