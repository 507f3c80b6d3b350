"""One order's payment as callers may believe it to be: a small sequential model of the API's contract.

Shares nothing with the service. A mutation that reaches the gateway takes effect twice: when it begins (the payment is
then seen to be under way, and others are refused) and when it ends. A refusal and a read take effect once. What was not
answered, or with 202, may end at any later time, either way, or never.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proof.linear.checker import NEVER, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Effect = Callable[["Payment", "Call"], "Payment | None"]

DECLINED_CENTS = 51
"""An amount that ends so is declined by the simulated gateway."""
PAID = frozenset({"COMPLETED", "PARTIALLY_REFUNDED"})
FREE = frozenset({"NONE", "FAILED", "CANCELLED"})
NOTHING_DONE = frozenset({429, 503})
NOT_MOVED = frozenset({"gateway_declined", "gateway_unreachable"})
"""The gateway was to be asked, and nothing came of it: these begin and end like what succeeds."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What everybody would see at one moment. Amounts in minor units; ``open`` names the mutation under way."""

    status: str = "NONE"
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    refunding: int = 0
    open: int | None = None
    refunds: frozenset[int] = frozenset()
    """The refunds under way."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a read showed."""

    status: str
    captured: int
    refunded: int
    refunding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a history and its answer, over all repetitions with its key. Times order what happened.

    ``status`` None: it was never answered for good. ``accepted``: when a 202 said that it had begun. A read with ``of``
    is what such a 202 showed.
    """

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
    accepted: float = NEVER
    of: int | None = None

    @property
    def name(self) -> str:
        """The call and its answer, for people."""
        told = self.status if self.seen is None else self.seen
        return f"{self.number} {self.what} {self.amount or ''} → {told} {self.code}".strip()


def history(calls: Sequence[Call]) -> list[Step[Payment]]:
    """The steps of these calls."""
    steps: list[Step[Payment]] = []
    begun: dict[int, int] = {}
    for call in calls:
        if call.what == "read" or call.status in NOTHING_DONE:
            continue
        if call.code and call.code not in NOT_MOVED:
            steps.append(_once(call, _refused(call)))
        else:
            begun[call.number] = len(steps)
            steps += _twice(call, len(steps))
    return steps + [
        _once(call, _read(call), None if call.of is None else begun.get(call.of))
        for call in calls
        if call.what == "read"
    ]


def _once(call: Call, apply: Callable[[Payment], Payment | None], after: int | None = None) -> Step[Payment]:
    return Step(call.name, call.begun, call.ended if call.status else NEVER, apply, after)


def _twice(call: Call, place: int) -> list[Step[Payment]]:
    """Its beginning and its end; both ends that it may have had, where nobody was told. Only one of them fits."""
    begins, does, fails = _MUTATIONS[call.what]
    ended = call.ended if call.status else NEVER

    def ends(how: str, effect: Effect) -> Step[Payment]:
        return Step(
            f"{call.name} ({how})",
            call.begun,
            ended,
            lambda payment: _as_told(effect(payment, call), call),
            place,
        )

    first = Step(
        f"{call.name} (begins)", call.begun, min(ended, call.accepted), lambda payment: begins(payment, call)
    )
    if call.status is None:
        return [first, ends("succeeds", does), ends("fails", fails)]
    failed = call.code in NOT_MOVED or (call.what == "charge" and _failure_is_told(call))
    return [first, ends("fails", fails) if failed else ends("succeeds", does)]


def _failure_is_told(call: Call) -> bool:
    return call.seen is not None and call.seen.status == "FAILED"


def _as_told(after: Payment | None, call: Call) -> Payment | None:
    """The answer shows the payment as this mutation left it."""
    if after is None or call.seen is None:
        return after
    return after if shows(after) == call.seen else None


def shows(payment: Payment) -> Seen:
    """What a read of it shows."""
    return Seen(payment.status, payment.captured, payment.refunded, payment.refunding)


def _read(call: Call) -> Callable[[Payment], Payment | None]:
    def apply(payment: Payment) -> Payment | None:
        if call.seen is None:
            return payment if payment.status == "NONE" else None
        return payment if shows(payment) == call.seen else None

    return apply


def _begin_charge(payment: Payment, call: Call) -> Payment | None:
    if payment.status not in FREE or payment.open is not None:
        return None
    return Payment(status="PROCESSING", open=call.number)


def _charged(payment: Payment, call: Call) -> Payment | None:
    if payment.open != call.number or call.amount % 100 == DECLINED_CENTS:
        return None
    if not call.capture:
        return Payment(status="AUTHORIZED", authorized=call.amount)
    return Payment(status="COMPLETED", authorized=call.amount, captured=call.amount)


def _not_charged(payment: Payment, call: Call) -> Payment | None:
    return Payment(status="FAILED") if payment.open == call.number else None


def _begin_capture(payment: Payment, call: Call) -> Payment | None:
    if payment.status != "AUTHORIZED" or payment.open is not None:
        return None
    return replace(payment, open=call.number) if call.amount <= _capturable(payment) else None


def _capturable(payment: Payment) -> int:
    return payment.authorized - payment.captured


def _captured(payment: Payment, call: Call) -> Payment | None:
    if payment.open != call.number:
        return None
    captured = payment.captured + call.amount
    ends = call.final or captured == payment.authorized
    return replace(payment, open=None, captured=captured, status="COMPLETED" if ends else "AUTHORIZED")


def _begin_cancel(payment: Payment, call: Call) -> Payment | None:
    if payment.status != "AUTHORIZED" or payment.open is not None:
        return None
    return replace(payment, open=call.number)


def _cancelled(payment: Payment, call: Call) -> Payment | None:
    if payment.open != call.number:
        return None
    return replace(payment, open=None, status="COMPLETED" if payment.captured else "CANCELLED")


def _as_before(payment: Payment, call: Call) -> Payment | None:
    return replace(payment, open=None) if payment.open == call.number else None


def _begin_refund(payment: Payment, call: Call) -> Payment | None:
    if payment.status not in PAID or payment.open is not None or call.amount > _refundable(payment):
        return None
    return replace(
        payment, refunding=payment.refunding + call.amount, refunds=payment.refunds | {call.number}
    )


def _refundable(payment: Payment) -> int:
    return payment.captured - payment.refunded - payment.refunding


def _refunded(payment: Payment, call: Call) -> Payment | None:
    given_back = _not_refunded(payment, call)
    if given_back is None:
        return None
    refunded = payment.refunded + call.amount
    status = "REFUNDED" if refunded == payment.captured else "PARTIALLY_REFUNDED"
    return replace(given_back, refunded=refunded, status=status)


def _not_refunded(payment: Payment, call: Call) -> Payment | None:
    if call.number not in payment.refunds:
        return None
    return replace(
        payment, refunding=payment.refunding - call.amount, refunds=payment.refunds - {call.number}
    )


_MUTATIONS: dict[str, tuple[Effect, Effect, Effect]] = {
    "charge": (_begin_charge, _charged, _not_charged),
    "capture": (_begin_capture, _captured, _as_before),
    "cancel": (_begin_cancel, _cancelled, _as_before),
    "refund": (_begin_refund, _refunded, _not_refunded),
}
"""How each begins, succeeds and fails."""


def _refused(call: Call) -> Callable[[Payment], Payment | None]:
    def apply(payment: Payment) -> Payment | None:
        return payment if may_refuse(payment, call) else None

    return apply


def may_refuse(payment: Payment, call: Call) -> bool:
    """Whether the payment gave this reason at that moment. A code that is not listed explains nothing."""
    listed = REASONS.get((call.what, call.code))
    return listed is not None and call.accepted == NEVER and listed(payment, call)


def _is_busy(payment: Payment, _call: Call) -> bool:
    return payment.open is not None


def _is_not_authorized(payment: Payment, _call: Call) -> bool:
    return payment.status != "AUTHORIZED"


REASONS: dict[tuple[str, str], Callable[[Payment, Call], bool]] = {
    ("charge", "order_already_paid"): lambda payment, _: payment.status in PAID,
    ("charge", "order_refunded"): lambda payment, _: payment.status == "REFUNDED",
    ("charge", "order_in_progress"): lambda payment, _: payment.status in {"PROCESSING", "AUTHORIZED"},
    ("charge", "order_outcome_unknown"): _is_busy,
    ("capture", "operation_in_progress"): _is_busy,
    ("cancel", "operation_in_progress"): _is_busy,
    ("refund", "operation_in_progress"): _is_busy,
    ("capture", "illegal_state"): lambda payment, call: (
        payment.open is None and _is_not_authorized(payment, call)
    ),
    ("cancel", "illegal_state"): _is_not_authorized,
    ("refund", "illegal_state"): lambda payment, _: payment.open is None and payment.status not in PAID,
    ("capture", "amount_exceeds_authorized"): lambda payment, call: (
        payment.open is None and payment.status == "AUTHORIZED" and call.amount > _capturable(payment)
    ),
    ("refund", "amount_exceeds_refundable"): lambda payment, call: (
        payment.open is None and payment.status in PAID and call.amount > _refundable(payment)
    ),
}
"""Why each call may be refused, and of which payments."""
