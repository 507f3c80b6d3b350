"""One payment, told in examples: what the OpenAPI document shows for each endpoint and each problem."""

from __future__ import annotations

from typing import Any

from eci_payments.domain.errors import FieldError
from eci_payments.operations.problems import ABOUT, CATALOGUE, Problem

_WHEN, _LATER = "2026-11-23T12:00:00.000000Z", "2026-11-23T12:00:00.150000Z"


def _state(status: str, **changed: object) -> dict[str, Any]:
    amounts = dict.fromkeys(
        (
            "amount_authorized_minor",
            "amount_captured_minor",
            "amount_refunded_minor",
            "amount_refund_pending_minor",
            "amount_unapplied_minor",
        ),
        0,
    )
    state = {"status": status, "processing_reason": None, "payment_method": "CREDIT_CARD", "currency": "INR"}
    return {**state, "amount_minor": 14950, **amounts, "attempt": 1, "version": 1, **changed}


_BEGUN = _state("PROCESSING", processing_reason="in_flight")
_PAID = _state("COMPLETED", amount_authorized_minor=14950, amount_captured_minor=14950, version=2)


def _entry(number: int, status: str, description: str, **states: object) -> dict[str, Any]:
    return {
        "transaction_log_id": number,
        "transaction_type": "PAYMENT",
        "amount": 149.50,
        "amount_minor": 14950,
        "status": status,
        "description": description,
        "created_at": _LATER,
        **states,
        "actor": "open",
    }


def _money(name: str, minor: int) -> dict[str, Any]:
    return {name: minor / 100, f"{name}_minor": minor}


PAYMENT: dict[str, Any] = {
    "payment_id": 4711,
    "order_id": 42,
    "user_id": 7,
    **_money("amount", 14950),
    "currency": "INR",
    "payment_method": "CREDIT_CARD",
    "status": "COMPLETED",
    "processing_reason": None,
    "transaction_id": "TXNABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "reference": "REFA1B2C3D4E5F6",
    "authorization_code": "A10042",
    "gateway": "simulator",
    "gateway_response": "Approved",
    "created_at": _WHEN,
    "updated_at": _LATER,
    "completed_at": _LATER,
    "captured_at": _LATER,
    **_money("amount_authorized", 14950),
    **_money("amount_captured", 14950),
    **_money("amount_refunded", 0),
    **_money("amount_refund_pending", 0),
    **_money("amount_disputed", 0),
    **_money("amount_charged_back", 0),
    "failure": None,
    "next_action": None,
    "metadata": {"basket": "b-1"},
    "transactions": [
        _entry(1, "PROCESSING", "Charge begun", before=None, after=_BEGUN),
        _entry(2, "COMPLETED", "Charge approved", before=_BEGUN, after=_PAID),
    ],
    "refunds": [],
    "disputes": [],
}
CREATED = PAYMENT | {
    "status": "PENDING",
    "authorization_code": None,
    "gateway": None,
    "gateway_response": None,
    "updated_at": _WHEN,
    "completed_at": None,
    "captured_at": None,
    **_money("amount_authorized", 0),
    **_money("amount_captured", 0),
    "transactions": [
        _entry(1, "PENDING", "Payment created, not charged yet", before=None, after=_state("PENDING"))
    ],
}
AUTHORIZED = PAYMENT | {
    "status": "AUTHORIZED",
    "completed_at": None,
    "captured_at": None,
    **_money("amount_captured", 0),
}
CANCELLED = AUTHORIZED | {"status": "CANCELLED"}
UNKNOWN = CREATED | {"status": "PROCESSING", "processing_reason": "outcome_unknown", "gateway": "simulator"}
REFUND: dict[str, Any] = {
    "refund_id": 12,
    "amount": 74.75,
    "amount_minor": 7475,
    "status": "SUCCEEDED",
    "reason": "Half of it came broken",
    "failure": None,
    "created_at": _LATER,
    "completed_at": _LATER,
}
REFUNDED = PAYMENT | {
    "status": "PARTIALLY_REFUNDED",
    **_money("amount_refunded", 7475),
    "refunds": [REFUND],
}
AWAITING = PAYMENT | {
    **_money("amount_refund_pending", 7475),
    "refunds": [REFUND | {"status": "AWAITING_APPROVAL", "completed_at": None}],
}
APPROVAL: dict[str, Any] = {
    "approval_id": 12,
    "payment_id": 4711,
    "status": "AWAITING_APPROVAL",
    "currency": "INR",
    "refund": REFUND | {"status": "AWAITING_APPROVAL", "completed_at": None},
    "requested_by": "key:abcdefghijkl",
    "requested_at": _LATER,
    "expires_at": "2026-11-24T12:00:00.150000Z",
    "decided_by": None,
    "decided_at": None,
    "decision_reason": None,
}
APPROVALS = {"approvals": [APPROVAL], "next_after": None}
LIST = {
    "total": 1,
    "total_is_exact": True,
    "page": 1,
    "page_size": 10,
    "payments": [PAYMENT],
    "next_cursor": None,
}
REFUNDS = {"refunds": [REFUND]}
READ_TOKEN = {
    "token": "eci_read_1_4711_1795435200_T0xBmNDvYV1gqgqvYb2ZbNnxB3zI1cZ0oWcVxwzq7tA",
    "expires_at": "2026-11-23T12:00:00.000000Z",
    "payment_id": 4711,
}
STREAM = """\
retry: 2087

id: 1
data: {"payment_id":4711,"sequence":1,"type":"payment.status","status":"REQUIRES_ACTION",...}

id: 2
data: {"payment_id":4711,"sequence":2,"type":"payment.completed","status":"COMPLETED",...}

event: end
data: {"reason":"settled"}

"""
_PLACE = {
    "gateway": "simulator",
    "details_required": False,
    "partial_capture": True,
    "multiple_capture": True,
    "banks": None,
    "wallets": None,
}
METHODS = {
    "currency": "INR",
    "min_amount": 0.01,
    "min_amount_minor": 1,
    "max_amount": 100000.00,
    "max_amount_minor": 10000000,
    "payment_methods": [
        {"payment_method": "CREDIT_CARD", "gateways": [_PLACE]},
        {
            "payment_method": "NET_BANKING",
            "gateways": [_PLACE | {"banks": [{"code": "HDFC", "name": "HDFC Bank"}]}],
        },
        {"payment_method": "COD", "gateways": []},
    ],
}

ORDER = {"order_id": 42, "user_id": 7, "amount": 149.50, "payment_method": "CREDIT_CARD"}
CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
CHARGE_BODIES = {
    "simplest": {"summary": "Without details, as the simulator takes it", "value": ORDER},
    "card": {
        "summary": "A card, with metadata",
        "value": ORDER | {"payment_details": {"card": CARD}, "metadata": {"basket": "b-1"}},
    },
    "authorize": {"summary": "Only reserve the money", "value": ORDER | {"capture": False}},
    "upi": {
        "summary": "UPI collect",
        "value": ORDER | {"payment_method": "UPI", "payment_details": {"upi": {"vpa": "success@razorpay"}}},
    },
    "cash": {"summary": "Cash on delivery", "value": ORDER | {"payment_method": "COD"}},
}
CREATE_BODIES = {"simplest": {"summary": "To be confirmed later", "value": ORDER}}
CONFIRM_BODIES = {
    "as_created": {"summary": "As it was created", "value": {}},
    "card": {
        "summary": "With a card",
        "value": {"payment_method": "CREDIT_CARD", "payment_details": {"card": CARD}},
    },
}
CAPTURE_BODIES = {
    "all": {"summary": "All that was reserved", "value": {}},
    "part": {"summary": "A part; the rest is released", "value": {"amount": "100.00"}},
    "more_to_come": {"summary": "A part, with more to come", "value": {"amount": 50, "final": False}},
}
REFUND_BODIES = {
    "half": {"summary": "A part", "value": {"amount": 74.75, "reason": "Half of it came broken"}},
    "all": {"summary": "All that is left", "value": {"reason": "Customer sent it back"}},
}
APPROVAL_BODIES = {
    "reject": {
        "summary": "It is not made",
        "value": {"decision": "reject", "reason": "Not what we agreed on"},
    },
    "approve": {"summary": "It is made", "value": {"decision": "approve", "reason": "Ticket 4711, I saw it"}},
}
COLLECT_BODIES = {
    "collected": {"summary": "All of it", "value": {"collector": "Courier 12", "proof": "Receipt 4711"}},
    "a part": {"summary": "A part of it", "value": {"collector": "Courier 12", "amount": 100}},
    "refused": {"summary": "Refused at the door", "value": {"collector": "Courier 12", "refused": True}},
}
REMIT_BODIES = {"remitted": {"summary": "All of it", "value": {"remittance": "Deposit 2026-11-23/7"}}}
WEBHOOK_BODIES = {
    "sandbox": {
        "summary": "An event of the sandbox",
        "value": {
            "id": "evt_3kq5v7x2m4n6p8r2t4v6x2z4b6",
            "type": "charge.approved",
            "created_at": "2026-11-23T12:00:00+00:00",
            "data": {
                "key": "order-7-charge-1",
                "state": "approved",
                "currency": "INR",
                "amount_minor": 14950,
            },
        },
    }
}
STATUS_BODIES = {
    "collected": {
        "summary": "Cash on delivery was collected",
        "value": {"status": "COMPLETED", "reason": "Collected by the courier"},
    },
    "unknown_ended": {
        "summary": "An unknown outcome, as the gateway's support says",
        "value": {"status": "FAILED", "reason": "Support ticket 81: never received"},
    },
}


def problem(kind: Problem) -> dict[str, Any]:
    """An example of one problem."""
    document: dict[str, Any] = {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.advice,
        "instance": "/v1/payments/charge",
        "code": kind.code,
        "correlation_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    if kind.status == UNPROCESSABLE:
        about = ABOUT.get(kind.code) or _WRONG[kind.code]
        document["errors"] = [{"field": about.field, "message": about.message}]
    return document


UNPROCESSABLE = 422
_WRONG = {
    "validation_failed": FieldError("amount", "must be greater than zero"),
    "card_data_not_allowed": FieldError("reference", "must not hold a card number"),
    "amount_above_limit": FieldError("amount", "is above the limit of one charge"),
}
"""Of the problems that name a field themselves."""


def problems(*codes: str) -> dict[str, Any]:
    """Examples of these problems, as OpenAPI lists them."""
    return {code: {"summary": CATALOGUE[code].title, "value": problem(CATALOGUE[code])} for code in codes}
