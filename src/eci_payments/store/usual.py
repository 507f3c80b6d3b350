"""What the rows of a plain charge hold in columns that need not travel for it (`recordset`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.store.recordset import Moment
from eci_payments.store.rows import PAYMENTS

if TYPE_CHECKING:
    from eci_payments.store.recordset import Usual

ENDINGS = (
    "merchant_id", "payment_id", "status", "amount_authorized_minor", "amount_captured_minor", "version",
    "event_sequence", "gateway_response", "authorization_code", "open_operation_id", "processing_reason", "failure",
    "updated_at", "completed_at", "captured_at",
)  # fmt: skip
"""What the end of a charge changes of its payment."""
CAPTURED = dict.fromkeys(("open_operation_id", "processing_reason", "failure")) | dict.fromkeys(
    ("updated_at", "completed_at", "captured_at"), Moment.NOW
)
"""What it makes of these where the money was taken."""
BEGUN: dict[str, Usual] = {
    "kind": "CHARGE",
    "state": "STARTED",
    "attempt": 1,
    "lease_epoch": 1,
    "parent_id": None,
    "parent_key": None,
    "parent_reference": None,
    "refund_id": None,
    "final": True,
    "gateway_reference": None,
    "inquiries": 0,
    "inquired_at": None,
    "outcome": None,
    "card_fingerprint": None,
    "late_amount_minor": 0,
    "created_at": Moment.NOW,
    "concluded_at": None,
}
"""What an operation holds that begins a charge."""
CONCLUDED: dict[str, Usual] = {
    "due_at": None,
    "inquiries": 0,
    "inquired_at": None,
    "late_amount_minor": 0,
    "concluded_at": Moment.NOW,
}
"""What one holds whose first call was answered."""
_NOT_YET = (
    "gateway_response", "authorization_code", "failure", "next_action", "return_url", "completed_at", "captured_at",
    "expires_at",
)  # fmt: skip


def begun_payment() -> dict[str, Usual]:
    """What a payment holds that a charge begins, and what it does not have yet."""
    amounts = (f.name for f in PAYMENTS.fields if f.name.startswith("amount_") and f.name != "amount_minor")
    begun: dict[str, Usual] = dict.fromkeys(amounts, 0)
    begun |= {"status": "PROCESSING", "processing_reason": "in_flight", "capture": True}
    begun |= {"dispute_count": 0, "version": 1, "attempt": 1, "event_sequence": 0}
    begun |= dict.fromkeys(("created_at", "updated_at"), Moment.NOW)
    return begun | dict.fromkeys(_NOT_YET)
