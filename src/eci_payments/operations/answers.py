"""Answers as pure functions: the payment as callers see it, and the bytes that are sent and stored."""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from eci_payments.domain.change import Answer
from eci_payments.domain.ids import shown_id
from eci_payments.domain.money import currency, major_units
from eci_payments.operations.problems import CATALOGUE, problem_document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eci_payments.domain.audit import AuditEntry
    from eci_payments.domain.dispute import Dispute
    from eci_payments.domain.money import Currency
    from eci_payments.domain.payment import Failure, Payment
    from eci_payments.domain.refund import Refund

encode = msgspec.json.Encoder(decimal_format="number").encode
"""JSON with exact decimals as numbers."""

UNKNOWN_YET = 202
_TO_MICROSECONDS = len("2026-01-01T00:00:00.000000")
RETRY_UNKNOWN_S = 5
"""When a caller should ask again about an outcome that is not known; the first inquiries run sooner."""


def payment_document(
    payment: Payment,
    refunds: Sequence[Refund],
    audit: Sequence[AuditEntry],
    disputes: Sequence[Dispute] = (),
) -> dict[str, Any]:
    """The payment as the contract shows it, with its transactions, refunds and disputes, oldest first."""
    unit = currency(payment.currency)
    action = payment.next_action
    return {
        "payment_id": payment.payment_id,
        "order_id": shown_id(payment.order_id),
        "user_id": shown_id(payment.user_id),
        "amount": major_units(payment.amount_minor, unit),
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "payment_method": payment.method,
        "status": payment.status,
        "processing_reason": payment.processing_reason,
        "transaction_id": payment.transaction_id,
        "reference": payment.reference,
        "authorization_code": payment.authorization_code,
        "gateway": payment.gateway,
        "gateway_response": payment.gateway_response,
        "created_at": when(payment.created_at),
        "updated_at": when(payment.updated_at),
        "completed_at": when(payment.completed_at),
        "captured_at": when(payment.captured_at),
        **_amounts(payment, unit),
        "failure": failure_document(payment.failure),
        "next_action": action
        and {
            "type": action.type,
            "url": action.url,
            "upi_uri": action.upi_uri,
            "expires_at": when(action.expires_at),
        },
        "metadata": payment.metadata,
        "transactions": [transaction_document(entry) for entry in audit],
        "refunds": [refund_document(refund) for refund in refunds],
        "disputes": [dispute_document(dispute) for dispute in disputes],
    }


def _amounts(payment: Payment, unit: Currency) -> dict[str, Any]:
    """What became of the amount: each in major units, and in minor ones."""
    shown: dict[str, Any] = {}
    for (name, minor_name), minor in zip(_SHOWN, _shown_of(payment), strict=True):
        shown[name] = major_units(minor, unit)
        shown[minor_name] = minor
    return shown


_SHOWN = tuple(
    (f"amount_{name}", f"amount_{name}_minor")
    for name in ("authorized", "captured", "refunded", "refund_pending", "disputed", "charged_back")
)
_shown_of = attrgetter(*(minor_name for _, minor_name in _SHOWN))


def transaction_document(entry: AuditEntry) -> dict[str, Any]:
    """One audit entry as the contract shows it."""
    return {
        "transaction_log_id": entry.audit_id,
        "transaction_type": entry.type,
        "amount": major_units(entry.amount_minor, currency(entry.currency)),
        "amount_minor": entry.amount_minor,
        "status": entry.status,
        "description": entry.description,
        "created_at": when(entry.created_at),
        "before": entry.before,
        "after": entry.after,
        "actor": entry.actor,
    }


def refund_document(refund: Refund) -> dict[str, Any]:
    """One refund as the contract shows it."""
    return {
        "refund_id": refund.refund_id,
        "amount": major_units(refund.amount_minor, currency(refund.currency)),
        "amount_minor": refund.amount_minor,
        "status": refund.status,
        "reason": refund.reason,
        "failure": failure_document(refund.failure),
        "created_at": when(refund.created_at),
        "completed_at": when(refund.completed_at),
    }


def approval_document(refund: Refund) -> dict[str, Any]:
    """A refund that needed a second person's word."""
    return {
        "approval_id": refund.refund_id,
        "payment_id": refund.payment_id,
        "status": refund.approval,
        "currency": refund.currency,
        "refund": refund_document(refund),
        "requested_by": refund.requested_by,
        "requested_at": when(refund.created_at),
        "expires_at": when(refund.approval_expires_at),
        "decided_by": refund.decided_by,
        "decided_at": when(refund.decided_at),
        "decision_reason": refund.decision_reason,
    }


def dispute_document(dispute: Dispute) -> dict[str, Any]:
    """One dispute; its id is the gateway's."""
    return {
        "dispute_id": dispute.reference,
        "amount": major_units(dispute.amount_minor, currency(dispute.currency)),
        "amount_minor": dispute.amount_minor,
        "status": dispute.state,
        "reason": dispute.reason,
        "created_at": when(dispute.created_at),
        "closed_at": when(dispute.closed_at),
    }


def failure_document(failure: Failure | None) -> dict[str, Any] | None:
    """Why something did not happen."""
    if failure is None:
        return None
    return {"code": failure.code, "message": failure.message, "retryable": failure.retryable}


@lru_cache(maxsize=256)
def when(moment: datetime | None) -> str | None:
    """A UTC time as RFC 3339, with microseconds always, so that texts compare as the times do."""
    return None if moment is None else moment.isoformat(timespec="microseconds")[:_TO_MICROSECONDS] + "Z"


def payment_answer(
    status: int,
    payment: Payment,
    refunds: Sequence[Refund],
    audit: Sequence[AuditEntry],
    disputes: Sequence[Dispute] = (),
) -> Answer:
    """The payment as an answer; 202 also says when to ask again."""
    body = encode(payment_document(payment, refunds, audit, disputes))
    return Answer(status, body, payment.payment_id, RETRY_UNKNOWN_S if status == UNKNOWN_YET else None)


def problem_answer(
    code: str, detail: str, *, base: str, correlation_id: str | None, payment_id: int, failure: Failure | None
) -> Answer:
    """A problem that is an operation's result: declined by the gateway, or never sent to it."""
    problem = CATALOGUE[code]
    body = problem_document(
        problem,
        detail,
        base=base,
        instance=f"/v1/payments/{payment_id}",
        correlation_id=correlation_id,
        payment_id=payment_id,
        failure=failure_document(failure),
    )
    return Answer(problem.status, body, payment_id, 1 if code == "gateway_unreachable" else None)
