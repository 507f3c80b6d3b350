"""A change: all that one decision writes, in one commit or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field

from eci_payments.domain.audit import AuditEntry
from eci_payments.domain.dispute import Dispute, DisputeState
from eci_payments.domain.events import Event
from eci_payments.domain.ids import EntryId, OperationId, PaymentId
from eci_payments.domain.inbox import InboxWrite
from eci_payments.domain.keys import KeyName
from eci_payments.domain.ledger import Posting
from eci_payments.domain.operation import Operation
from eci_payments.domain.payment import Payment
from eci_payments.domain.quick import quick
from eci_payments.domain.refund import Refund, RefundStatus
from eci_payments.domain.screening import Use


@quick
@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets: an HTTP status and the exact bytes. Statuses of 400 and more are problem details."""

    status: int
    body: bytes = field(repr=False)
    payment_id: int | None = None
    retry_after_s: int | None = None
    replayed: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Complete:
    """Store this answer with its key: repeats of the key get these bytes."""

    name: KeyName
    answer: Answer


@dataclass(frozen=True, slots=True)
class Release:
    """Forget this key: what it was claimed for certainly never happened."""

    name: KeyName


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep this key without an answer, for ``payment_id``: whoever began it waits for a person, not for a gateway.

    ``operation_id`` is the operation whose conclusion will answer it, once there is one.
    """

    name: KeyName
    payment_id: PaymentId
    operation_id: OperationId | None


@quick
@dataclass(frozen=True, slots=True)
class OperationWrite:
    """An operation as it is after the change. ``expected_epoch`` is the guard; None inserts it."""

    operation: Operation
    expected_epoch: int | None


@dataclass(frozen=True, slots=True)
class RefundWrite:
    """A refund as it is after the change. ``expected`` is the status that it must have had; None inserts it."""

    refund: Refund
    expected: RefundStatus | None


@dataclass(frozen=True, slots=True)
class DisputeWrite:
    """A dispute as it is after the change. ``expected`` is the state that it must still have; None inserts it."""

    dispute: Dispute
    expected: DisputeState | None


@quick
@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A posting with its place in the ledger and the operation that made it, where one did."""

    entry_id: EntryId
    operation_id: OperationId | None
    posting: Posting


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that one decision writes.

    ``before`` is None for a payment that the change creates. The write of ``payment`` names
    ``before.version`` as the version it expects; a change without a new version writes no payment row.
    """

    before: Payment | None
    payment: Payment
    operations: tuple[OperationWrite, ...] = ()
    refunds: tuple[RefundWrite, ...] = ()
    disputes: tuple[DisputeWrite, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    entries: tuple[LedgerEntry, ...] = ()
    events: tuple[Event, ...] = ()
    keys: tuple[Complete | Release | Hold, ...] = ()
    inbox: tuple[InboxWrite, ...] = ()
    uses: tuple[Use, ...] = ()
    answer: Answer | None = None

    @property
    def concluded(self) -> list[Operation]:
        """The operations whose outcome this change writes, and not what came to a concluded one later."""
        return [
            write.operation
            for write in self.operations
            if write.operation.concluded_at is not None
            and write.operation.concluded_at == self.payment.updated_at
        ]
