"""A change in the making: what a decision collects before it is written as one commit."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from eci_payments.domain.audit import AuditEntry, TransactionType
from eci_payments.domain.change import (
    Answer,
    Change,
    Complete,
    DisputeWrite,
    Hold,
    LedgerEntry,
    OperationWrite,
    RefundWrite,
    Release,
)
from eci_payments.domain.errors import BrokenInvariant, ensure
from eci_payments.domain.events import ENTERED, Event, EventType, event_data
from eci_payments.domain.ledger import Movement, posting
from eci_payments.domain.payment import PaymentStatus, moved
from eci_payments.domain.quick import replaced
from eci_payments.domain.refund import RefundStatus
from eci_payments.operations.answers import payment_answer

if TYPE_CHECKING:
    from eci_payments.domain.dispute import Dispute, DisputeState
    from eci_payments.domain.ids import OperationId
    from eci_payments.domain.keys import KeyName
    from eci_payments.domain.operation import Operation
    from eci_payments.domain.payment import Payment
    from eci_payments.domain.refund import Refund
    from eci_payments.operations.commands import Caller
    from eci_payments.store.units import Found


def audit_state(payment: Payment) -> dict[str, Any]:
    """The payment's state and amounts, as the audit trail keeps them before and after each change."""
    state = dict(zip(_STATE, _state_of(payment), strict=True))
    if payment.facts_minor or payment.amount_exceeding_minor:
        facts = {name: getattr(payment, name) for name in FACTS}
        state |= {name: amount for name, amount in facts.items() if amount}
    return state


_STATE = (
    "status", "processing_reason", "payment_method", "currency", "amount_minor", "amount_authorized_minor",
    "amount_captured_minor", "amount_refunded_minor", "amount_refund_pending_minor", "amount_unapplied_minor",
    "attempt", "version",
)  # fmt: skip
_state_of = attrgetter(*(name.replace("payment_method", "method") for name in _STATE))
FACTS = (
    "amount_refunded_elsewhere_minor",
    "amount_disputed_minor",
    "amount_charged_back_minor",
    "amount_exceeding_minor",
)
"""What a gateway did without us: in the trail only where there is any, as in the entries of earlier releases."""


class Draft:
    """Collects one change of one payment: one move, its audit entries, and whatever follows from it."""

    def __init__(self, found: Found, caller: Caller) -> None:
        self.found = found
        self.caller = caller
        self.before = found.payment
        self._payment = found.payment
        self._operations: list[OperationWrite] = []
        self._refunds: list[RefundWrite] = []
        self._disputes: list[DisputeWrite] = []
        self._audit: list[AuditEntry] = []
        self._entries: list[LedgerEntry] = []
        self._events: list[Event] = []
        self._keys: list[Complete | Release | Hold] = []
        self._answer: Answer | None = None

    @property
    def payment(self) -> Payment:
        """The payment as the change leaves it so far."""
        if self._payment is None:
            raise BrokenInvariant("a decision about a payment that does not exist")
        return self._payment

    def create(self, payment: Payment) -> None:
        """A payment that does not exist yet."""
        ensure(self._payment is None, "a payment is created once")
        self._payment = payment

    def move(self, to: PaymentStatus, **fields: Any) -> None:
        """The one move of this change, in `domain.payment.moved`'s words."""
        ensure(self._payment is self.before, "a change moves its payment once")
        self._payment = moved(self.payment, to, self.found.now, **fields)

    def begin_operation(self, operation: Operation) -> None:
        """A new operation; its intent is committed with this change, before the gateway is called."""
        self._operations.append(OperationWrite(operation, None))

    def write_operation(self, operation: Operation, expected_epoch: int) -> None:
        """An operation that exists, as it is after this change; guarded by the epoch it is expected to have."""
        self._operations.append(OperationWrite(operation, expected_epoch))

    def begin_refund(self, refund: Refund) -> None:
        """A new refund."""
        self._refunds.append(RefundWrite(refund, None))

    def write_refund(self, refund: Refund, expected: RefundStatus = RefundStatus.PENDING) -> None:
        """A refund that exists, as it is after this change; guarded by the status it is expected to have."""
        self._refunds.append(RefundWrite(refund, expected))

    def write_dispute(self, dispute: Dispute, expected: DisputeState | None) -> None:
        """A dispute as it is after this change; None: a new one."""
        self._disputes.append(DisputeWrite(dispute, expected))

    def record(
        self,
        kind: TransactionType,
        amount_minor: int,
        status: str,
        description: str,
        *,
        operation: OperationId | None = None,
        reason: str | None = None,
        currency: str | None = None,
    ) -> None:
        """An audit entry. The first of a change carries before and after; further ones carry after twice.

        What an operator says is told as theirs, with their reason, and not as the gateway's.
        """
        payment, spoken = self.payment, self.caller.reason
        after = audit_state(payment)
        before = audit_state(self.before) if self.before and not self._audit else None
        self._audit.append(
            AuditEntry(
                merchant_id=payment.merchant_id,
                audit_id=self.found.ids.audit(),
                payment_id=payment.payment_id,
                operation_id=operation,
                version=payment.version,
                type=kind,
                amount_minor=amount_minor,
                currency=currency or payment.currency,
                status=status,
                description=description if spoken is None else f"{status}, by an operator's word",
                before=after if self._audit else before,
                after=after,
                actor=self.caller.actor,
                reason=spoken or reason,
                correlation_id=self.caller.correlation_id,
                origin=self.caller.origin,
                created_at=payment.updated_at,
            )
        )

    def post(
        self,
        movement: Movement,
        holder: str,
        amount_minor: int,
        operation: OperationId | None,
        *,
        currency: str | None = None,
    ) -> None:
        """A ledger entry; ``holder`` is the account of whoever holds the money.

        In the payment's currency, unless it is money of an earlier attempt, which may have been in another.
        """
        payment = self.payment
        entry = posting(movement, payment.merchant_id, holder, amount_minor, currency or payment.currency)
        self._entries.append(LedgerEntry(self.found.ids.entry(), operation, entry))

    def tell(self, kind: EventType | None = None, reason: str | None = None) -> None:
        """An event: of this kind, or of having entered the state in which the payment now is."""
        before = self.payment
        payment = self._payment = replaced(before, event_sequence=before.event_sequence + 1)
        self._events.append(
            Event(
                merchant_id=payment.merchant_id,
                event_id=self.found.ids.event(),
                payment_id=payment.payment_id,
                sequence=payment.event_sequence,
                type=kind or ENTERED[payment.status],
                data=event_data(self.before, payment, reason),
                correlation_id=self.caller.correlation_id,
                traceparent=self.caller.traceparent,
                created_at=payment.updated_at,
            )
        )

    def answer_with_payment(self, status: int, retry_after_s: int | None = None) -> Answer:
        """The payment as this change leaves it, as the caller's answer; with 202 also when to ask again."""
        refunds = {refund.refund_id: refund for refund in self.found.refunds}
        refunds |= {write.refund.refund_id: write.refund for write in self._refunds}
        audit = [*self.found.audit, *self._audit]
        answer = payment_answer(status, self.payment, list(refunds.values()), audit, self.found.disputes)
        return answer if retry_after_s is None else replace(answer, retry_after_s=retry_after_s)

    def answer(self, answer: Answer, *keys: KeyName | None, store: bool) -> None:
        """What the caller gets; with ``store``, so do repeats of these keys."""
        self._answer = answer
        if store:
            self._keys.extend(Complete(key, answer) for key in keys if key is not None)

    def hold(self, key: KeyName | None, operation: OperationId | None = None) -> None:
        """Keep the key without an answer: a person decides first, and then perhaps this operation."""
        if key is not None:
            self._keys.append(Hold(key, self.payment.payment_id, operation))

    def store_answer(self, answer: Answer, key: KeyName | None) -> None:
        """What repeats of a key get that is not the caller's own."""
        if key is not None:
            self._keys.append(Complete(key, answer))

    def release(self, *keys: KeyName | None) -> None:
        """Forget the keys: what they were claimed for certainly never happened."""
        self._keys.extend(Release(key) for key in keys if key is not None)

    def change(self) -> Change:
        """The change. Every new version of a payment has at least one audit entry."""
        payment = self.payment
        changed = self.before is None or self.before.version != payment.version
        ensure(not changed or bool(self._audit), "a change of a payment without an audit entry")
        return Change(
            before=self.before,
            payment=payment,
            operations=tuple(self._operations),
            refunds=tuple(self._refunds),
            disputes=tuple(self._disputes),
            audit=tuple(self._audit),
            entries=tuple(self._entries),
            events=tuple(self._events),
            keys=tuple(self._keys),
            answer=self._answer,
        )
