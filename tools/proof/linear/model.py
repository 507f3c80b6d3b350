"""One order's payment as callers may believe it to be: a small sequential model of the API's contract.

Shares nothing with the service. A mutation that reaches the gateway takes effect twice: when it begins (the payment is
then seen to be under way, and others are refused) and when it ends. A refusal and a read take effect once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proof.linear.checker import NEVER, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DECLINED_CENTS = 51
"""An amount that ends so is declined by the simulated gateway."""
PAID = frozenset({"COMPLETED", "PARTIALLY_REFUNDED"})
FREE = frozenset({"NONE", "FAILED", "CANCELLED"})


@dataclass(frozen=True, slots=True)
class Payment:
    """What everybody would see at one moment. Amounts in minor units; ``open`` names the mutation under way."""

    status: str = "NONE"
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    refunding: int = 0
    open: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a read showed."""

    status: str
    captured: int
    refunded: int
    refunding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a history and its answer. ``status`` None: there was no answer. Times order what happened."""

    number: int
    what: str
    begun: float
    ended: float
    status: int | None
    code: str = ""
    amount: int = 0
    capture: bool = True
    final: bool = True
    seen: Seen | None = None

    @property
    def name(self) -> str:
        """The call and its answer, for people."""
        told = self.status if self.seen is None else self.seen
        return f"{self.number} {self.what} {self.amount or ''} → {told} {self.code}".strip()


NOTHING_DONE = frozenset({429, 503})
BEGUN_ONLY = 202


def history(calls: Sequence[Call]) -> list[Step[Payment]]:
    """The steps of these calls."""
    steps: list[Step[Payment]] = []
    for call in calls:
        if call.what == "read":
            steps.append(_once(call, _read(call)))
        elif call.status in NOTHING_DONE:
            continue
        elif call.code:
            steps.append(_once(call, _refused(call)))
        else:
            steps += _twice(call, len(steps))
    return steps


def _once(call: Call, apply: Callable[[Payment], Payment | None]) -> Step[Payment]:
    return Step(call.name, call.begun, call.ended if call.status else NEVER, apply)


def _twice(call: Call, place: int) -> list[Step[Payment]]:
    begins, ends = _MUTATIONS[call.what]
    known = call.ended if call.status else NEVER
    concluded = NEVER if call.status == BEGUN_ONLY else known
    return [
        Step(f"{call.name} (begins)", call.begun, known, lambda payment: begins(payment, call)),
        Step(
            f"{call.name} (ends)",
            call.begun,
            concluded,
            lambda payment: _as_told(ends(payment, call), call),
            place,
        ),
    ]


def _as_told(after: Payment | None, call: Call) -> Payment | None:
    """The answer shows the payment as this mutation left it."""
    if after is None or call.seen is None:
        return after
    return after if _shows(after) == call.seen else None


def _shows(payment: Payment) -> Seen:
    return Seen(payment.status, payment.captured, payment.refunded, payment.refunding)


def _read(call: Call) -> Callable[[Payment], Payment | None]:
    def apply(payment: Payment) -> Payment | None:
        if call.seen is None:
            return payment if payment.status == "NONE" else None
        return payment if _shows(payment) == call.seen else None

    return apply


def _begin_charge(payment: Payment, call: Call) -> Payment | None:
    if payment.status not in FREE or payment.open is not None:
        return None
    return Payment(status="PROCESSING", open=call.number)


def _end_charge(payment: Payment, call: Call) -> Payment | None:
    if payment.open != call.number:
        return None
    if call.amount % 100 == DECLINED_CENTS:
        return Payment(status="FAILED")
    if not call.capture:
        return Payment(status="AUTHORIZED", authorized=call.amount)
    return Payment(status="COMPLETED", authorized=call.amount, captured=call.amount)


def _begin_capture(payment: Payment, call: Call) -> Payment | None:
    if payment.status != "AUTHORIZED" or payment.open is not None:
        return None
    return replace(payment, open=call.number) if call.amount <= _capturable(payment) else None


def _capturable(payment: Payment) -> int:
    return payment.authorized - payment.captured


def _end_capture(payment: Payment, call: Call) -> Payment | None:
    if payment.open != call.number:
        return None
    captured = payment.captured + call.amount
    ends = call.final or captured == payment.authorized
    return replace(payment, open=None, captured=captured, status="COMPLETED" if ends else "AUTHORIZED")


def _begin_cancel(payment: Payment, call: Call) -> Payment | None:
    if payment.status != "AUTHORIZED" or payment.open is not None:
        return None
    return replace(payment, open=call.number)


def _end_cancel(payment: Payment, call: Call) -> Payment | None:
    if payment.open != call.number:
        return None
    return replace(payment, open=None, status="COMPLETED" if payment.captured else "CANCELLED")


def _begin_refund(payment: Payment, call: Call) -> Payment | None:
    if payment.status not in PAID or payment.open is not None or call.amount > _refundable(payment):
        return None
    return replace(payment, refunding=payment.refunding + call.amount)


def _refundable(payment: Payment) -> int:
    return payment.captured - payment.refunded - payment.refunding


def _end_refund(payment: Payment, call: Call) -> Payment | None:
    """Only after it began: the checker sees to that."""
    refunded = payment.refunded + call.amount
    status = "REFUNDED" if refunded == payment.captured else "PARTIALLY_REFUNDED"
    return replace(payment, refunding=payment.refunding - call.amount, refunded=refunded, status=status)


_MUTATIONS = {
    "charge": (_begin_charge, _end_charge),
    "capture": (_begin_capture, _end_capture),
    "cancel": (_begin_cancel, _end_cancel),
    "refund": (_begin_refund, _end_refund),
}


def _refused(call: Call) -> Callable[[Payment], Payment | None]:
    def apply(payment: Payment) -> Payment | None:
        return payment if _may_refuse(payment, call) else None

    return apply


def _may_refuse(payment: Payment, call: Call) -> bool:
    """Whether the payment gave this reason at that moment. A code that is not listed explains nothing."""
    listed = _REASONS.get((call.what, call.code))
    return listed is not None and listed(payment, call)


def _is_busy(payment: Payment, _call: Call) -> bool:
    return payment.open is not None


def _is_not_authorized(payment: Payment, _call: Call) -> bool:
    return payment.open is None and payment.status != "AUTHORIZED"


_REASONS: dict[tuple[str, str], Callable[[Payment, Call], bool]] = {
    ("charge", "order_already_paid"): lambda payment, _: payment.status in PAID,
    ("charge", "order_refunded"): lambda payment, _: payment.status == "REFUNDED",
    ("charge", "order_in_progress"): lambda payment, _: payment.status in {"PROCESSING", "AUTHORIZED"},
    ("capture", "operation_in_progress"): _is_busy,
    ("cancel", "operation_in_progress"): _is_busy,
    ("refund", "operation_in_progress"): _is_busy,
    ("capture", "illegal_state"): _is_not_authorized,
    ("cancel", "illegal_state"): _is_not_authorized,
    ("refund", "illegal_state"): lambda payment, _: payment.open is None and payment.status not in PAID,
    ("capture", "amount_exceeds_authorized"): lambda payment, call: (
        payment.open is None and payment.status == "AUTHORIZED" and call.amount > _capturable(payment)
    ),
    ("refund", "amount_exceeds_refundable"): lambda payment, call: (
        payment.open is None and payment.status in PAID and call.amount > _refundable(payment)
    ),
}
