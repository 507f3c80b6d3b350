"""Rows and the values of the domain: how each is written, and how each is read back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from eci_payments.domain.audit import AuditEntry, TransactionType
from eci_payments.domain.change import LedgerEntry
from eci_payments.domain.dispute import Dispute, DisputeState
from eci_payments.domain.events import Event
from eci_payments.domain.ids import (
    AuditId,
    GatewayKey,
    MerchantId,
    OperationId,
    OrderId,
    PaymentId,
    RefundId,
    TransactionId,
    UserId,
)
from eci_payments.domain.keys import KeyName
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.operation import Operation, OperationKind, OperationState
from eci_payments.domain.payment import Failure, NextAction, Payment, PaymentStatus, ProcessingReason
from eci_payments.domain.refund import Refund, RefundStatus
from eci_payments.domain.screening import Use
from eci_payments.store.recordset import Field, Recordset

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


def _failure(value: Any) -> Failure:
    return msgspec.convert(value, Failure)


def _next_action(value: Any) -> NextAction:
    return msgspec.convert(value, NextAction)


def _same(name: str, kind: str) -> Field[Any]:
    return Field(name, kind, name)


def _json(name: str) -> Field[Any]:
    return Field(name, "jsonb", name, json_text)


def json_text(value: object) -> str | None:
    """A value as JSON text, None as SQL null."""
    return None if value is None else _encode(value).decode()


def _optional(decode: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else decode(value)


_KEY: tuple[Field[Any], ...] = (
    Field("key_scope", "text", "key", lambda key: key.scope if key else None),
    Field("key", "text", "key", lambda key: key.key if key else None),
)
"""The idempotency key that waits for the answer of an operation or a refund."""
_AMOUNTS = (
    "authorized", "captured", "refunded", "refund_pending", "unapplied", "refunded_elsewhere", "disputed",
    "charged_back", "exceeding",
)  # fmt: skip

PAYMENTS: Recordset[Payment] = Recordset(
    "payments",
    (
        _same("merchant_id", "bigint"),
        _same("payment_id", "bigint"),
        _same("order_id", "text"),
        _same("user_id", "text"),
        _same("transaction_id", "text"),
        _same("status", "text"),
        Field("payment_method", "text", "method"),
        _same("currency", "text"),
        _same("amount_minor", "bigint"),
        *(_same(f"amount_{name}_minor", "bigint") for name in _AMOUNTS),
        _same("dispute_count", "integer"),
        _same("reference", "text"),
        _same("capture", "boolean"),
        _same("version", "bigint"),
        _same("attempt", "integer"),
        _same("event_sequence", "bigint"),
        _same("gateway", "text"),
        _same("gateway_response", "text"),
        _same("authorization_code", "text"),
        _same("charge_operation_id", "bigint"),
        _same("open_operation_id", "bigint"),
        _same("processing_reason", "text"),
        _json("failure"),
        _json("next_action"),
        _same("return_url", "text"),
        _json("metadata"),
        _same("created_at", "timestamptz"),
        _same("updated_at", "timestamptz"),
        _same("completed_at", "timestamptz"),
        _same("captured_at", "timestamptz"),
        _same("expires_at", "timestamptz"),
    ),
)


def payment(row: Any) -> Payment:
    """A row of ``payments``, selected as `PAYMENTS` lists the columns."""
    return Payment(
        merchant_id=MerchantId(row.merchant_id),
        payment_id=PaymentId(row.payment_id),
        order_id=OrderId(row.order_id),
        user_id=UserId(row.user_id),
        transaction_id=TransactionId(row.transaction_id),
        status=PaymentStatus(row.status),
        method=PaymentMethod(row.payment_method),
        currency=row.currency,
        amount_minor=row.amount_minor,
        amount_authorized_minor=row.amount_authorized_minor,
        amount_captured_minor=row.amount_captured_minor,
        amount_refunded_minor=row.amount_refunded_minor,
        amount_refund_pending_minor=row.amount_refund_pending_minor,
        amount_unapplied_minor=row.amount_unapplied_minor,
        amount_refunded_elsewhere_minor=row.amount_refunded_elsewhere_minor,
        amount_disputed_minor=row.amount_disputed_minor,
        amount_charged_back_minor=row.amount_charged_back_minor,
        amount_exceeding_minor=row.amount_exceeding_minor,
        dispute_count=row.dispute_count,
        reference=row.reference,
        capture=row.capture,
        version=row.version,
        attempt=row.attempt,
        event_sequence=row.event_sequence,
        gateway=row.gateway,
        gateway_response=row.gateway_response,
        authorization_code=row.authorization_code,
        charge_operation_id=_optional(OperationId, row.charge_operation_id),
        open_operation_id=_optional(OperationId, row.open_operation_id),
        processing_reason=_optional(ProcessingReason, row.processing_reason),
        failure=_optional(_failure, row.failure),
        next_action=_optional(_next_action, row.next_action),
        return_url=row.return_url,
        metadata=row.metadata,
        created_at=row.created_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
        captured_at=row.captured_at,
        expires_at=row.expires_at,
    )


OPERATIONS: Recordset[Operation] = Recordset(
    "operations",
    (
        _same("merchant_id", "bigint"),
        _same("operation_id", "bigint"),
        _same("payment_id", "bigint"),
        _same("kind", "text"),
        _same("state", "text"),
        _same("attempt", "integer"),
        _same("amount_minor", "bigint"),
        _same("currency", "text"),
        Field("payment_method", "text", "method"),
        _same("gateway", "text"),
        _same("gateway_key", "text"),
        _same("gateway_reference", "text"),
        _same("lease_epoch", "bigint"),
        _same("due_at", "timestamptz"),
        _same("parent_id", "bigint"),
        _same("parent_key", "text"),
        _same("parent_reference", "text"),
        _same("refund_id", "bigint"),
        _same("final", "boolean"),
        _same("inquiries", "integer"),
        _same("inquired_at", "timestamptz"),
        *_KEY,
        _json("outcome"),
        _same("card_fingerprint", "text"),
        _same("late_amount_minor", "bigint"),
        _same("actor", "text"),
        _same("correlation_id", "text"),
        _same("traceparent", "text"),
        _same("created_at", "timestamptz"),
        _same("concluded_at", "timestamptz"),
    ),
)


def operation(row: Any) -> Operation:
    """A row of ``operations``, selected as `OPERATIONS` lists the columns."""
    return Operation(
        merchant_id=MerchantId(row.merchant_id),
        operation_id=OperationId(row.operation_id),
        payment_id=PaymentId(row.payment_id),
        kind=OperationKind(row.kind),
        state=OperationState(row.state),
        attempt=row.attempt,
        amount_minor=row.amount_minor,
        currency=row.currency,
        method=PaymentMethod(row.payment_method),
        gateway=row.gateway,
        gateway_key=GatewayKey(row.gateway_key),
        gateway_reference=row.gateway_reference,
        lease_epoch=row.lease_epoch,
        due_at=row.due_at,
        parent_id=_optional(OperationId, row.parent_id),
        parent_key=_optional(GatewayKey, row.parent_key),
        parent_reference=row.parent_reference,
        refund_id=_optional(RefundId, row.refund_id),
        final=row.final,
        inquiries=row.inquiries,
        inquired_at=row.inquired_at,
        key=None if row.key is None else KeyName(row.key_scope, row.key),
        outcome=row.outcome,
        card_fingerprint=row.card_fingerprint,
        late_amount_minor=row.late_amount_minor,
        actor=row.actor,
        correlation_id=row.correlation_id,
        traceparent=row.traceparent,
        created_at=row.created_at,
        concluded_at=row.concluded_at,
    )


REFUNDS: Recordset[Refund] = Recordset(
    "refunds",
    (
        _same("merchant_id", "bigint"),
        _same("refund_id", "bigint"),
        _same("payment_id", "bigint"),
        _same("operation_id", "bigint"),
        _same("amount_minor", "bigint"),
        _same("currency", "text"),
        _same("status", "text"),
        _same("reason", "text"),
        _json("failure"),
        _same("created_at", "timestamptz"),
        _same("completed_at", "timestamptz"),
        _same("requested_by", "text"),
        _same("approval_expires_at", "timestamptz"),
        _same("decided_by", "text"),
        _same("decided_at", "timestamptz"),
        _same("decision_reason", "text"),
        *_KEY,
        _same("made_elsewhere", "boolean"),
        _same("gateway_reference", "text"),
    ),
)


def refund(row: Any) -> Refund:
    """A row of ``refunds``, selected as `REFUNDS` lists the columns."""
    return Refund(
        merchant_id=MerchantId(row.merchant_id),
        refund_id=RefundId(row.refund_id),
        payment_id=PaymentId(row.payment_id),
        operation_id=_optional(OperationId, row.operation_id),
        amount_minor=row.amount_minor,
        currency=row.currency,
        status=RefundStatus(row.status),
        reason=row.reason,
        failure=_optional(_failure, row.failure),
        created_at=row.created_at,
        completed_at=row.completed_at,
        requested_by=row.requested_by,
        approval_expires_at=row.approval_expires_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        decision_reason=row.decision_reason,
        key=None if row.key is None else KeyName(row.key_scope, row.key),
        made_elsewhere=row.made_elsewhere,
        gateway_reference=row.gateway_reference,
    )


DISPUTES: Recordset[Dispute] = Recordset(
    "disputes",
    (
        _same("merchant_id", "bigint"),
        _same("gateway", "text"),
        _same("reference", "text"),
        _same("payment_id", "bigint"),
        _same("operation_id", "bigint"),
        _same("state", "text"),
        _same("amount_minor", "bigint"),
        _same("currency", "text"),
        _same("reason", "text"),
        _same("told_at", "timestamptz"),
        _same("created_at", "timestamptz"),
        _same("closed_at", "timestamptz"),
    ),
)


def dispute(row: Any) -> Dispute:
    """A row of ``disputes``, selected as `DISPUTES` lists the columns."""
    values = {field.name: getattr(row, field.name) for field in DISPUTES.fields}
    return Dispute(**(values | {"state": DisputeState(row.state)}))


AUDIT: Recordset[AuditEntry] = Recordset(
    "transactions",
    (
        _same("merchant_id", "bigint"),
        Field("transaction_log_id", "bigint", "audit_id"),
        _same("payment_id", "bigint"),
        _same("operation_id", "bigint"),
        _same("version", "bigint"),
        Field("transaction_type", "text", "type"),
        _same("amount_minor", "bigint"),
        _same("currency", "text"),
        _same("status", "text"),
        _same("description", "text"),
        _json("before"),
        _json("after"),
        _same("actor", "text"),
        _same("reason", "text"),
        _same("correlation_id", "text"),
        _same("origin", "text"),
        _same("created_at", "timestamptz"),
    ),
)


def audit_entry(row: Any) -> AuditEntry:
    """A row of ``transactions``, selected as `AUDIT` lists the columns."""
    return AuditEntry(
        merchant_id=MerchantId(row.merchant_id),
        audit_id=AuditId(row.transaction_log_id),
        payment_id=PaymentId(row.payment_id),
        operation_id=_optional(OperationId, row.operation_id),
        version=row.version,
        type=TransactionType(row.transaction_type),
        amount_minor=row.amount_minor,
        currency=row.currency,
        status=row.status,
        description=row.description,
        before=row.before,
        after=row.after,
        actor=row.actor,
        reason=row.reason,
        correlation_id=row.correlation_id,
        origin=row.origin,
        created_at=row.created_at,
    )


EVENTS: Recordset[Event] = Recordset(
    "events",
    (
        _same("merchant_id", "bigint"),
        _same("event_id", "bigint"),
        _same("payment_id", "bigint"),
        _same("sequence", "bigint"),
        Field("event_type", "text", "type"),
        _json("data"),
        _same("correlation_id", "text"),
        _same("traceparent", "text"),
        _same("created_at", "timestamptz"),
    ),
)

USES: Recordset[Use] = Recordset(
    "limit_uses",
    (
        _same("merchant_id", "bigint"),
        _same("subject", "text"),
        _same("payment_id", "bigint"),
        _same("attempt", "integer"),
        _same("currency", "text"),
        _same("amount_minor", "bigint"),
    ),
)


class Posted(NamedTuple):
    """A ledger entry with the payment, as it is after the change, that it belongs to."""

    payment: Payment
    entry: LedgerEntry


ENTRIES: Recordset[Posted] = Recordset(
    "ledger_entries",
    (
        Field("merchant_id", "bigint", "payment.merchant_id"),
        Field("entry_id", "bigint", "entry.entry_id"),
        Field("payment_id", "bigint", "payment.payment_id"),
        Field("operation_id", "bigint", "entry.operation_id"),
        Field("version", "bigint", "payment.version"),
        Field("movement", "text", "entry.posting.movement"),
        Field("debit_account", "text", "entry.posting.debit_account"),
        Field("credit_account", "text", "entry.posting.credit_account"),
        Field("amount_minor", "bigint", "entry.posting.amount_minor"),
        Field("currency", "text", "entry.posting.currency"),
        Field("created_at", "timestamptz", "payment.updated_at"),
    ),
)
