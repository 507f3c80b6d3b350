"""The simulator's mind: what comes of a request. Pure and deterministic; one engine for every form of the gateway."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eci_payments.domain.base32 import drawn
from eci_payments.domain.ids import GatewayKey, MerchantId, TransactionId
from eci_payments.domain.methods import Upi
from eci_payments.domain.quick import quick, replaced
from eci_payments.gateways.adapters.simulator.declines import DeclineCode
from eci_payments.gateways.adapters.simulator.entry import CHARGING, Entry, State
from eci_payments.gateways.adapters.simulator.instruments import Verdict, brand_of, verdict_on
from eci_payments.gateways.adapters.simulator.steering import PLAIN, Plan, plan_for
from eci_payments.gateways.contract import ActionType, CallKind, GatewayCall

if TYPE_CHECKING:
    from eci_payments.gateways.adapters.simulator.book import Book
    from eci_payments.gateways.adapters.simulator.pace import Pace

_PREFIXES: dict[CallKind, str] = {
    CallKind.CHARGE: "ch",
    CallKind.AUTHORIZE: "au",
    CallKind.CAPTURE: "cp",
    CallKind.VOID: "vd",
    CallKind.REFUND: "rf",
    CallKind.CANCEL_ACTION: "ca",
}
NO_VERDICT = Verdict()
UPI_CURRENCY = "INR"


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """What the record will hold, and how the caller hears of it (``plan.told``)."""

    entry: Entry
    plan: Plan


def steering_of(call: GatewayCall, verdict: Verdict = NO_VERDICT) -> Plan:
    """The plan that the instrument or the amount of this call asks for."""
    if verdict.plan is not None:
        return verdict.plan
    plan = plan_for(call.amount_minor)
    acts = plan.state is State.ACTION and call.kind not in CHARGING
    return PLAIN if acts else plan


def decide(call: GatewayCall, book: Book | None, now_s: float, pace: Pace) -> Decision:
    """What comes of a call that is seen for the first time. ``book`` is of the charge that it acts on."""
    verdict = _verdict(call, now_s)
    plan = steering_of(call, verdict)
    refusal = None if plan.state is State.ABSENT and plan.turn is None else refusal_of(call, book)
    if refusal is not None:
        plan = Plan(f"refused: {refusal}", State.DECLINED, refusal)
    return Decision(_entry(call, book, verdict, plan, now_s, pace), plan)


def arrive(call: GatewayCall, book: Book | None, now_s: float, pace: Pace) -> Decision:
    """What comes of a call whose first sending got lost: it is done now, whatever its amount."""
    refusal = refusal_of(call, book)
    plan = PLAIN if refusal is None else Plan(f"refused: {refusal}", State.DECLINED, refusal)
    return Decision(_entry(call, book, _verdict(call, now_s), plan, now_s, pace), plan)


def choose(waiting: Entry, now_s: float, pace: Pace, *, approved: bool) -> Entry:
    """What comes of the customer's choice. After an approval the amount steers, as it does without one."""
    settled = replaced(waiting, turns_at_s=None, turns_into=None, turn_code=None)
    if not approved:
        return replaced(settled, state=State.DECLINED, code=DeclineCode.AUTHENTICATION_FAILED)
    plan = plan_for(waiting.amount_minor)
    if plan.state in {State.ACTION, State.ABSENT}:
        plan = PLAIN
    return _planned(settled, plan, now_s, pace)


def is_same(entry: Entry, call: GatewayCall) -> bool:
    """Whether a repeated key comes with the same request. Instruments are not compared: they are never kept."""
    return (
        entry.kind is call.kind
        and entry.merchant_id == call.merchant_id
        and entry.transaction_id == call.transaction_id
        and entry.amount_minor == call.amount_minor
        and entry.currency == call.currency
        and entry.method is call.method
        and (call.parent_key == entry.parent_key or None in {call.parent_key, entry.parent_key})
    )


def refund_of(charge: Entry, key: str, amount_minor: int) -> GatewayCall:
    """The call of a refund that somebody makes in the dashboard."""
    return GatewayCall(
        kind=CallKind.REFUND,
        key=GatewayKey(key),
        merchant_id=MerchantId(charge.merchant_id),
        transaction_id=TransactionId(charge.transaction_id),
        amount_minor=amount_minor,
        currency=charge.currency,
        method=charge.method,
        parent_key=GatewayKey(charge.key),
        order_id=charge.order_id,
    )


def reference_of(call: GatewayCall) -> str:
    """The gateway's own id: as hard to guess as our key, and the same whenever it is asked."""
    return f"{_PREFIXES[call.kind]}_{_letters(call.key, 26).lower()}"


def authorization_code_of(entry: Entry) -> str:
    """Six characters, as an issuer gives them."""
    return _letters("authorization " + entry.key, 6)


def refusal_of(call: GatewayCall, book: Book | None) -> DeclineCode | None:
    """Why a request cannot be done as the charge stands; None when it can."""
    if call.kind in CHARGING:
        return None
    if book is None or book.root.state is State.ABSENT:
        return DeclineCode.UNKNOWN_CHARGE
    if book.root.currency != call.currency or book.root.merchant_id != call.merchant_id:
        return (
            DeclineCode.CURRENCY_MISMATCH
            if book.root.currency != call.currency
            else DeclineCode.UNKNOWN_CHARGE
        )
    match call.kind:
        case CallKind.CAPTURE:
            return _refuse_capture(call, book)
        case CallKind.VOID:
            return _refuse_void(book)
        case CallKind.REFUND:
            return None if call.amount_minor <= book.refundable_minor else DeclineCode.AMOUNT_EXCEEDS_CAPTURED
        case _:
            return _refuse_cancel(book)


def _refuse_capture(call: GatewayCall, book: Book) -> DeclineCode | None:
    if book.root.kind is CallKind.CHARGE:
        return DeclineCode.ALREADY_CAPTURED
    if book.state is not State.APPROVED:
        return DeclineCode.NOT_AUTHORIZED
    if book.is_closed:
        return DeclineCode.ALREADY_VOIDED if book.is_voided else DeclineCode.ALREADY_CAPTURED
    if call.amount_minor > book.capturable_minor:
        return DeclineCode.AMOUNT_EXCEEDS_AUTHORIZED
    return book.root.capture_code


def _refuse_void(book: Book) -> DeclineCode | None:
    if book.state is not State.APPROVED:
        return DeclineCode.NOT_AUTHORIZED
    if book.is_voided:
        return DeclineCode.ALREADY_VOIDED
    return DeclineCode.ALREADY_CAPTURED if book.capturable_minor <= 0 or book.is_closed else None


def _refuse_cancel(book: Book) -> DeclineCode | None:
    match book.state:
        case State.ACTION | State.CANCELLED:
            return None
        case State.DECLINED:
            return DeclineCode.ALREADY_FAILED
        case _:
            return DeclineCode.ALREADY_COMPLETED


def _verdict(call: GatewayCall, now_s: float) -> Verdict:
    if call.kind not in CHARGING:
        return NO_VERDICT
    if isinstance(call.instrument, Upi) and call.currency != UPI_CURRENCY:
        return Verdict(Plan("not in UPI's currency", State.DECLINED, DeclineCode.CURRENCY_NOT_SUPPORTED))
    if call.instrument is None:
        return NO_VERDICT
    today = datetime.fromtimestamp(now_s, UTC)
    verdict = verdict_on(call.instrument, (today.year, today.month))
    if verdict.capture_code is not None and call.kind is CallKind.CHARGE:
        return replace(verdict, plan=Plan("declined when charged", State.DECLINED, verdict.capture_code))
    return verdict


def _entry(
    call: GatewayCall, book: Book | None, verdict: Verdict, plan: Plan, now_s: float, pace: Pace
) -> Entry:
    entry = Entry(
        key=call.key,
        kind=call.kind,
        root_key=book.root.key if book is not None else call.parent_key or call.key,
        parent_key=call.parent_key,
        merchant_id=call.merchant_id,
        transaction_id=call.transaction_id,
        order_id=call.order_id,
        amount_minor=call.amount_minor,
        moved_minor=call.amount_minor,
        currency=call.currency,
        method=call.method,
        reference=reference_of(call),
        state=State.ABSENT,
        created_at_s=now_s,
        final=call.final,
        return_url=call.return_url,
        capture_code=verdict.capture_code,
        card_brand=brand_of(call.instrument),
    )
    if plan.state is State.ACTION:
        entry = replaced(entry, action=verdict.action or ActionType.REDIRECT)
    if call.kind is CallKind.VOID and book is not None:  # releases all that is left, whatever was asked
        entry = replaced(entry, moved_minor=max(0, book.capturable_minor))
    return _planned(entry, plan, now_s, pace)


def _planned(entry: Entry, plan: Plan, now_s: float, pace: Pace) -> Entry:
    moved = max(1, entry.moved_minor // 2) if plan.halved else entry.moved_minor
    state = _end(entry.kind, plan.state)
    entry = replaced(entry, state=state, code=plan.code, moved_minor=moved)
    if plan.silent:
        entry = replaced(entry, silent_left=pace.silent_inquiries)
    if plan.turn is not None:
        into = _end(entry.kind, plan.turn.into)
        turns_at_s = now_s + pace.wait(plan.turn.after)
        return replaced(entry, turns_at_s=turns_at_s, turns_into=into, turn_code=plan.turn.code)
    if plan.state is State.ACTION:
        return replaced(entry, turns_at_s=now_s + pace.action_s, turns_into=State.CANCELLED)
    return entry


def _end(kind: CallKind, state: State) -> State:
    """A cancellation that succeeds ends as cancelled."""
    return State.CANCELLED if kind is CallKind.CANCEL_ACTION and state is State.APPROVED else state


def _letters(text: str, count: int) -> str:
    """So many, by chance but the same for the same text."""
    return drawn(hashlib.sha256(text.encode()).digest()[:count])
