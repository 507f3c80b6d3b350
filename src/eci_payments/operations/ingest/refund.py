"""A refund, told by webhook: ours by its key, or one that was made at the gateway, which is a fact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import known
from eci_payments.domain.events import EventType
from eci_payments.domain.ledger import Movement, gateway_account
from eci_payments.domain.operation import OperationKind
from eci_payments.domain.payment import CAPTURED, PaymentStatus, refunded_status
from eci_payments.domain.refund import Refund, RefundStatus
from eci_payments.gateways.contract import Approved, Cancelled, Declined
from eci_payments.gateways.hooks import OperationTold, RefundTold
from eci_payments.operations.ingest.charge import charge_at, not_bookable, tell_if_exceeds
from eci_payments.operations.ingest.outcome import outcome_told
from eci_payments.operations.ingest.verdict import CHARGE_PATIENCE_S

if TYPE_CHECKING:
    from eci_payments.domain.operation import Operation
    from eci_payments.operations.ingest.verdict import Case, Verdict
    from eci_payments.store.inbox import Target

_OURS = frozenset({OperationKind.REFUND, OperationKind.RETURN})
_BOOKED = CAPTURED | {PaymentStatus.REFUNDED}
ELSEWHERE = "made_elsewhere"


def refund_told(case: Case, told: RefundTold, target: Target) -> Verdict:
    """Conclude our own refund, or book one that was made elsewhere."""
    named = known(
        case.found.operation(target.operation_id), "an event about an operation that does not exist"
    )
    own = named if named.kind in _OURS else _known_by_reference(case, told)
    if own is not None:
        return outcome_told(case, _as_outcome(told), own)
    return _made_elsewhere(case, told, charge_at(case, named))


def _known_by_reference(case: Case, told: RefundTold) -> Operation | None:
    """Our refund that has this id at the gateway, where the event does not carry our key."""
    return next(
        (o for o in case.found.operations if o.kind in _OURS and o.gateway_reference == told.reference), None
    )


def _as_outcome(told: RefundTold) -> OperationTold:
    return OperationTold(
        about=told.about, currency=told.currency, outcome=told.outcome, amount_minor=told.amount_minor
    )


def _made_elsewhere(case: Case, told: RefundTold, charge: Operation) -> Verdict:
    booked = any(refund.gateway_reference == told.reference for refund in case.found.refunds)
    if booked and isinstance(told.outcome, Declined | Cancelled):
        return case.mismatch(
            charge, told.amount_minor, "a refund made elsewhere failed after it had been done"
        )
    if booked:
        return case.ignored("the refund was booked before")
    if not isinstance(told.outcome, Approved):
        return case.ignored("a refund made elsewhere that is not done")
    if told.outcome.amount_minor != told.amount_minor:
        return case.mismatch(charge, told.amount_minor, "two amounts of one refund")
    return not_bookable(case, charge, told.currency, told.amount_minor) or _booked(case, told, charge)


def _booked(case: Case, told: RefundTold, charge: Operation) -> Verdict:
    draft = case.draft()
    payment, now = draft.payment, case.found.now
    if payment.status not in _BOOKED:
        if payment.status is PaymentStatus.AUTHORIZED:
            return case.wait("nothing is captured for good yet", patience_s=CHARGE_PATIENCE_S)
        return case.parked(f"a refund of a payment that is {payment.status}")
    if told.may_be_release and told.amount_minor <= payment.capturable_minor:
        return case.parked("may be the release of what was not captured; compare with the gateway")
    refunded = payment.amount_refunded_minor + told.amount_minor
    draft.move(
        refunded_status(payment, refunded),
        amount_refunded_minor=refunded,
        amount_refunded_elsewhere_minor=payment.amount_refunded_elsewhere_minor + told.amount_minor,
    )
    draft.begin_refund(
        Refund(
            merchant_id=payment.merchant_id,
            refund_id=case.found.ids.refund(),
            payment_id=payment.payment_id,
            operation_id=None,
            amount_minor=told.amount_minor,
            currency=told.currency,
            status=RefundStatus.SUCCEEDED,
            reason="Made at the gateway",
            created_at=now,
            completed_at=now,
            made_elsewhere=True,
            gateway_reference=told.reference,
        )
    )
    draft.post(Movement.REFUNDED, gateway_account(charge.gateway), told.amount_minor, None)
    draft.record(
        TransactionType.REFUND,
        told.amount_minor,
        RefundStatus.SUCCEEDED,
        f"Refunded at the gateway, not by us: {told.reference}",
        operation=charge.operation_id,
        reason=ELSEWHERE,
    )
    draft.tell(EventType.REFUNDED, reason=ELSEWHERE)
    tell_if_exceeds(draft, payment.amount_exceeding_minor)
    return case.applied("a refund made elsewhere was booked", draft.change())
