"""Failover: a charge that certainly never left for one gateway is begun again at the next, in one commit. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.domain.errors import known
from eci_payments.domain.payment import PaymentStatus, ProcessingReason
from eci_payments.operations.attempt import ATTEMPTS_LEAVE_FREE, begin_taking, type_of
from eci_payments.operations.conclude import Source, advance, conclude
from eci_payments.operations.draft import Draft

if TYPE_CHECKING:
    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OperationId
    from eci_payments.domain.operation import Operation
    from eci_payments.gateways.contract import NotSent
    from eci_payments.operations.commands import Caller
    from eci_payments.operations.rules import Rules
    from eci_payments.store.units import Found


@dataclass(slots=True)
class Rerouting:
    """From ``first``, which was not sent, to an operation ``second_id`` at ``account``.

    ``begun`` is the second operation, once it is there and ours: also when a commit landed whose answer was lost, and
    the same is decided again.
    """

    first: Operation
    outcome: NotSent
    account: str
    second_id: OperationId
    begun: Operation | None = field(default=None, init=False)

    def decide(self, found: Found, caller: Caller, rules: Rules) -> Change:
        """The change. One without writes and without an answer where the first operation is somebody else's by now."""
        draft = Draft(found, caller)
        self.begun = found.operation(self.second_id)
        first = known(
            found.operation(self.first.operation_id), "a failover from an operation that is not there"
        )
        if self.begun is not None or not first.is_open or first.lease_epoch != self.first.lease_epoch:
            return draft.change()
        if len(found.operations) >= rules.max_operations * (1 - ATTEMPTS_LEAVE_FREE):
            return conclude(
                found, caller, first.operation_id, first.lease_epoch, self.outcome, Source.CALL, rules
            )
        draft.write_operation(advance(draft, first, self.outcome, rules, asked=False), first.lease_epoch)
        draft.move(
            PaymentStatus.PROCESSING,
            processing_reason=ProcessingReason.IN_FLIGHT,
            gateway=self.account,
            charge_operation_id=self.second_id,
            open_operation_id=self.second_id,
        )
        draft.record(
            type_of(first),
            first.amount_minor,
            draft.payment.status,
            f"Not sent to {first.gateway}: {self.outcome.reason}",
            operation=first.operation_id,
            reason="failover",
        )
        self.begun = begin_taking(
            draft, self.second_id, self.account, rules, described=f"Begun again at {self.account}"
        )
        draft.hold(first.key, self.second_id)
        return draft.change()
