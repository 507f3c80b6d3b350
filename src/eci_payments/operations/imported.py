"""Payments of the seed's database, taken over with their history: one step per commit, so that a stop loses nothing.

Money that the seed's service took is booked as taken outside: no gateway of ours knows it, so a refund of it is paid by
hand. Nobody is told: the peers heard of these payments when they happened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.ledger import COD_IN_TRANSIT, EXTERNAL, Movement
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import Failure, Payment, PaymentStatus
from eci_payments.domain.refund import Refund, RefundStatus
from eci_payments.operations.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import OrderId, TransactionId, UserId
    from eci_payments.operations.commands import Caller
    from eci_payments.store.units import Found

S = PaymentStatus
SEED_ID = "seed_payment_id"
"""The metadata by which an imported payment is known, with the number it had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the seed's ``transactions``; ``amount_minor`` in minor units."""

    kind: TransactionType
    amount_minor: int
    status: str
    description: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPayment:
    """One payment of the seed's as it is to stand here. ``refunds`` are those that happened, oldest first."""

    seed_id: int
    order_id: OrderId
    user_id: UserId
    transaction_id: TransactionId | None
    amount_minor: int
    currency: str
    method: PaymentMethod
    ended_as: PaymentStatus
    gateway_response: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    history: Sequence[Line]
    refunds: Sequence[Line]

    @property
    def steps(self) -> int:
        """The version at which it is wholly here."""
        return 1 + (self.ended_as is not S.PENDING) + len(self.refunds)


def take_over(found: Found, caller: Caller, seed: SeedPayment) -> Change:
    """The next step of this payment, by what is here of it already; it must not be wholly here."""
    if found.payment is None:
        return _begin(found, caller, seed)
    if found.payment.version == 1:
        return _end(found, caller, seed)
    return _refund(found, caller, seed, seed.refunds[found.payment.version - 2])


def _begin(found: Found, caller: Caller, seed: SeedPayment) -> Change:
    draft = Draft(replace(found, now=seed.created_at), caller)
    draft.create(
        Payment(
            merchant_id=caller.merchant_id,
            payment_id=found.ids.payment(),
            order_id=seed.order_id,
            user_id=seed.user_id,
            transaction_id=seed.transaction_id or found.ids.transaction(),
            status=S.PENDING,
            method=seed.method,
            currency=seed.currency,
            amount_minor=seed.amount_minor,
            reference=found.ids.reference(),
            capture=True,
            gateway_response=seed.gateway_response,
            metadata={SEED_ID: str(seed.seed_id)},
            created_at=seed.created_at,
            updated_at=seed.created_at,
        )
    )
    lines = seed.history[:1] if seed.ended_as is not S.PENDING else seed.history
    return _with_history(draft, seed, lines, S.PENDING, seed.created_at)


def _end(found: Found, caller: Caller, seed: SeedPayment) -> Change:
    when = seed.completed_at or (seed.created_at if seed.refunds else seed.updated_at)
    draft = Draft(replace(found, now=when), caller)
    draft.move(seed.ended_as, gateway_response=seed.gateway_response, **_ended(seed, when))
    if seed.ended_as is S.COMPLETED:
        draft.post(Movement.CAPTURED, _holder(seed), seed.amount_minor, None)
    return _with_history(draft, seed, seed.history[1:], seed.ended_as, when)


def _ended(seed: SeedPayment, when: datetime) -> dict[str, Any]:
    if seed.ended_as is S.COMPLETED:
        amounts = dict.fromkeys(("amount_authorized_minor", "amount_captured_minor"), seed.amount_minor)
        return {**amounts, "captured_at": when, "completed_at": when}
    if seed.ended_as is S.FAILED:
        return {
            "failure": Failure("failed_before_import", seed.gateway_response or "Failed.", retryable=True)
        }
    return {}


def _refund(found: Found, caller: Caller, seed: SeedPayment, line: Line) -> Change:
    draft = Draft(replace(found, now=line.created_at), caller)
    refunded_minor = draft.payment.amount_refunded_minor + line.amount_minor
    is_all = refunded_minor == draft.payment.amount_captured_minor
    draft.move(S.REFUNDED if is_all else S.PARTIALLY_REFUNDED, amount_refunded_minor=refunded_minor)
    draft.begin_refund(
        Refund(
            merchant_id=caller.merchant_id,
            refund_id=found.ids.refund(),
            payment_id=draft.payment.payment_id,
            operation_id=None,
            amount_minor=line.amount_minor,
            currency=seed.currency,
            status=RefundStatus.SUCCEEDED,
            reason=line.description,
            created_at=line.created_at,
            completed_at=line.created_at,
        )
    )
    draft.post(Movement.REFUNDED, _holder(seed), line.amount_minor, None)
    return _with_history(draft, seed, [line], draft.payment.status, line.created_at)


def _holder(seed: SeedPayment) -> str:
    return COD_IN_TRANSIT if seed.method is PaymentMethod.COD else EXTERNAL


def _with_history(
    draft: Draft, seed: SeedPayment, lines: Sequence[Line], status: PaymentStatus, when: datetime
) -> Change:
    """The change with the seed's own lines as its audit entries, at their own times; one of ours where it has none."""
    kind = TransactionType.PAYMENT
    missing = Line(
        kind=kind,
        amount_minor=seed.amount_minor,
        status=status,
        description="Imported; the seed had no entry",
        created_at=when,
    )
    told = list(lines) or [missing]
    for line in told:
        draft.record(line.kind, line.amount_minor, line.status, line.description)
    change = draft.change()
    dated = zip(change.audit, told, strict=True)
    return replace(change, audit=tuple(replace(entry, created_at=line.created_at) for entry, line in dated))
