"""Everybody's books of one order that was paid, all of them right: what tests of the auditor change one thing in."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

from proof.books import AtGateway, Books, Heard, Row

AMOUNTS = dict.fromkeys(
    ("amount_authorized_minor", "amount_captured_minor", "amount_refunded_minor", "amount_refund_pending_minor",
     "amount_unapplied_minor"), 0)  # fmt: skip


AT = datetime(2026, 11, 25, tzinfo=UTC)


def version(number: int, status: str, captured: int = 0) -> Row:
    return AMOUNTS | {
        "status": status,
        "version": number,
        "amount_minor": 100,
        "amount_authorized_minor": captured,
        "amount_captured_minor": captured,
    }


def right() -> Books:
    """One order, paid with 100."""
    payment = version(2, "COMPLETED", 100) | {
        "payment_id": 1, "order_id": "order-1", "transaction_id": "TXN1", "open_operation_id": None,
        "currency": "INR",
        "event_sequence": 1, "attempt": 1,
    }  # fmt: skip
    operation = {
        "payment_id": 1, "operation_id": 1, "kind": "CHARGE", "state": "APPROVED", "gateway_key": "KEY1",
        "amount_minor": 100, "currency": "INR", "late_amount_minor": 0, "key": "k", "key_scope": "charge",
    }  # fmt: skip
    entry = {
        "payment_id": 1, "debit_account": "gateway:sandbox:receivable", "credit_account": "merchant:1:payable",
        "amount_minor": 100, "currency": "INR",
    }  # fmt: skip
    first, last = version(1, "PROCESSING"), version(2, "COMPLETED", 100)
    ours: dict[str, list[Row]] = {
        "payments": [payment],
        "operations": [operation],
        "refunds": [],
        "disputes": [],
        "ledger_entries": [entry],
        "transactions": [
            {"payment_id": 1, "operation_id": 1, "reason": None, "transaction_log_id": 1, "version": 1,
             "before": None, "after": first, "created_at": AT},
            {"payment_id": 1, "operation_id": 1, "reason": None, "transaction_log_id": 2, "version": 2,
             "before": first, "after": last, "created_at": AT},
        ],
        "events": [
            {"payment_id": 1, "event_id": 1, "sequence": 1, "event_type": "payment.completed",
             "data": {"status": "COMPLETED"}},
        ],
        "deliveries": [],
        "gateway_inbox": [],
        "idempotency_keys": [{"key": "k", "response_status": 201}],
        "audit_seals": [{"transaction_log_id": 1}, {"transaction_log_id": 2}],
    }  # fmt: skip
    gateway = {"KEY1": AtGateway("KEY1", "charge", "approved", "TXN1", "KEY1", 100, "INR")}
    heard = [Heard(place, peer, f"TXN1-1-{peer}", {}) for place, peer in enumerate(("order", "notification"))]
    return Books(copy.deepcopy(ours), gateway, heard)
