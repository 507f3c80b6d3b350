"""What becomes of one event of the inbox: the change that it makes, if any, and the words for people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from eci_payments.domain.events import EventType
from eci_payments.domain.inbox import InboxState, InboxWrite
from eci_payments.domain.operation import Operation, OperationState, advanced
from eci_payments.operations.attempt import type_of
from eci_payments.operations.draft import Draft

if TYPE_CHECKING:
    from datetime import datetime

    from eci_payments.domain.change import Change
    from eci_payments.operations.commands import Caller
    from eci_payments.operations.rules import Rules
    from eci_payments.store.inbox import InboxRow
    from eci_payments.store.units import Found

PATIENCE_S = 15 * 60.0
"""How long an event waits for what it is about: a webhook overtakes our own commit by seconds, a restart by minutes."""
CHARGE_PATIENCE_S = 3 * 24 * 3600.0
"""How long it waits for a charge that is there and not decided: UPI's *deemed* takes a day, and may take two."""
FIRST_WAIT_S, LAST_WAIT_S = 1.0, 60.0
MISMATCH = "webhook_mismatch"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``change`` None: nothing is written but the event's own row. ``due_at`` is for PENDING."""

    state: InboxState
    why: str
    change: Change | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One event before its payment, which is under lock: what a decision is made of."""

    found: Found
    caller: Caller
    row: InboxRow
    rules: Rules

    def draft(self) -> Draft:
        """A change of the payment in the making."""
        return Draft(self.found, self.caller)

    def applied(self, why: str, change: Change | None = None) -> Verdict:
        """It did what it says."""
        return Verdict(InboxState.APPLIED, why, change)

    def ignored(self, why: str) -> Verdict:
        """Nothing is to be done, and that is right."""
        return Verdict(InboxState.IGNORED, why)

    def parked(self, why: str, change: Change | None = None) -> Verdict:
        """A person has to look at it."""
        return Verdict(InboxState.PARKED, why, change)

    def wait(self, why: str, change: Change | None = None, patience_s: float = PATIENCE_S) -> Verdict:
        """It is tried again a little later, for a bounded time."""
        return waiting(self.row, self.found.now, why, change, patience_s)

    def mismatch(self, operation: Operation, amount_minor: int, why: str) -> Verdict:
        """It says something else than we know: recorded and told, never believed. What is open is asked about."""
        draft = self.draft()
        draft.move(draft.payment.status)
        draft.record(
            type_of(operation),
            amount_minor,
            InboxState.MISMATCH,
            f"Webhook not believed: {why}",
            operation=operation.operation_id,
            reason=MISMATCH,
            currency=operation.currency,
        )
        draft.tell(EventType.MISMATCH, reason=MISMATCH)
        ask_now(draft, operation)
        return Verdict(InboxState.MISMATCH, why, draft.change())

    def asked(self, operation: Operation) -> Change:
        """Nothing but that the gateway is asked about this operation now."""
        draft = self.draft()
        ask_now(draft, operation)
        return draft.change()

    def written(self, verdict: Verdict) -> Change:
        """The change that writes the verdict too, in the same commit."""
        payment = self.found.payment
        change = verdict.change or self.draft().change()
        write = InboxWrite(
            inbox_id=self.row.inbox_id,
            expected_epoch=self.row.lease_epoch,
            state=verdict.state,
            why=verdict.why,
            payment_id=payment.payment_id if payment else None,
            due_at=verdict.due_at,
        )
        return replace(change, inbox=(write,))


def waiting(
    row: InboxRow, now: datetime, why: str, change: Change | None = None, patience_s: float = PATIENCE_S
) -> Verdict:
    """Again after a wait that doubles, or parked when it has waited long enough."""
    if row.age_s > patience_s:
        return Verdict(InboxState.PARKED, why, change)
    wait_s = min(FIRST_WAIT_S * 2.0 ** min(row.attempts - 1, 9), LAST_WAIT_S)
    return Verdict(InboxState.PENDING, why, change, now + timedelta(seconds=wait_s))


def ask_now(draft: Draft, operation: Operation) -> None:
    """Recovery asks the gateway now; not about a call that may be under way, whose own answer is awaited.

    Of what is concluded only that which may still turn out otherwise is asked about.
    """
    if operation.state in {OperationState.STARTED, OperationState.APPROVED}:
        return
    due = advanced(operation, operation.state, due_at=draft.found.now)
    draft.write_operation(due, operation.lease_epoch)
