"""The auditor: the laws, held against everybody's books. Shares no code with the service.

Each law is a function that names what breaks it. A new law is a function in `LAWS`; each is itself tested with
books that break it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from proof.books import DONE, IN, OUT, AtGateway, Books, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPEN = {"STARTED", "PENDING", "REQUIRES_ACTION", "UNKNOWN"}
KINDS = {
    "CHARGE": "charge",
    "AUTHORIZE": "authorize",
    "CAPTURE": "capture",
    "VOID": "void",
    "REFUND": "refund",
    "CANCEL_ACTION": "cancel_action",
    "RETURN": "refund",
    "RELEASE": "void",
}
"""What each of our operations is called at the gateway."""
WITHHELD, TAKEN_BACK = {"open", "lost"}, {"lost"}
"""States of a dispute in which the gateway keeps its amount, and in which the merchant has lost it."""
RESERVES = {"charge", "authorize"}
TOLD_TO_ORDER = {
    "payment.created",
    "payment.processing",
    "payment.requires_action",
    "payment.authorized",
    "payment.completed",
    "payment.failed",
    "payment.cancelled",
    "payment.refunded",
    "payment.late_success",
    "payment.late_success_returned",
}
RELEASES = {"FAILED", "CANCELLED", "REFUNDED"}
NOTIFIES = {"COMPLETED", "FAILED", "PARTIALLY_REFUNDED", "REFUNDED"}
OPERATORS_REASON = "Seen in the bank"
"""What operators of the proof say, so that their word is told apart from the service's."""
AUDITED = (
    "status",
    "amount_minor",
    "amount_authorized_minor",
    "amount_captured_minor",
    "amount_refunded_minor",
    "amount_refund_pending_minor",
    "amount_unapplied_minor",
    "version",
)


def audit(books: Books) -> list[str]:
    """Everything that is wrong, each line with its law and its place."""
    return [f"{law.__name__}: {wrong}" for law in LAWS for wrong in law(books)]


def nothing_is_under_way(books: Books) -> Iterator[str]:
    """After recovery every outcome is known and every client's key has its answer."""
    for operation in books.ours["operations"]:
        if operation["state"] in OPEN:
            yield f"{_named(operation)} is {operation['state']}"
    for payment in books.ours["payments"]:
        if payment["status"] in {"PROCESSING", "REQUIRES_ACTION"} or payment["open_operation_id"] is not None:
            yield f"payment of {payment['order_id']} is {payment['status']}"
    for key in books.ours["idempotency_keys"]:
        if key["response_status"] is None:
            yield f"the key {key['key']!r} has no answer"
    for waiting in books.ours["gateway_inbox"] + books.ours["deliveries"]:
        if waiting["state"] in {"PENDING", "PARKED"}:
            yield f"event {waiting['event_id']} {waiting.get('destination', 'of the gateway')} is {waiting['state']}"


def nothing_is_guessed(books: Books) -> Iterator[str]:
    """For every operation the gateway's record says what ours says; it has none that we do not know."""
    known = {operation["gateway_key"]: operation for operation in books.ours["operations"]}
    elsewhere = {
        refund["gateway_reference"]: refund["amount_minor"]
        for refund in books.ours["refunds"]
        if refund["made_elsewhere"]
    }
    for key, there in books.gateway.items():
        if key not in known and elsewhere.pop(there.reference, None) != there.moved_minor:
            yield f"the gateway has a {there.kind} that we never began, and have not recorded"
    for reference in elsewhere:
        yield f"a refund made elsewhere is recorded that the gateway does not have: {reference}"
    believed = on_an_operators_word(books)
    for operation in books.ours["operations"]:
        if operation["payment_id"] not in believed:
            yield from _agreed(operation, books.gateway.get(operation["gateway_key"]))


def on_an_operators_word(books: Books) -> set[int]:
    """Payments of which an operator said that something happened which the gateway has otherwise.

    They are believed, as is promised, whether they are right or not; what follows is not the service's guess.
    """
    spoken = {
        entry["operation_id"] for entry in books.ours["transactions"] if entry["reason"] == OPERATORS_REASON
    }
    return {
        operation["payment_id"]
        for operation in books.ours["operations"]
        if operation["operation_id"] in spoken
        and operation["state"] == "APPROVED"
        and not _as_ours(operation, books.gateway.get(operation["gateway_key"]))
    }


def _as_ours(operation: Row, there: AtGateway | None) -> bool:
    return there is not None and there.state == DONE and there.moved_minor == operation["amount_minor"]


def _agreed(operation: Row, there: AtGateway | None) -> Iterator[str]:
    name, state, late = _named(operation), operation["state"], operation["late_amount_minor"]
    if there is not None and there.kind != KINDS[operation["kind"]]:
        yield f"{name} is a {there.kind} at the gateway"
    happened = there is not None and there.state == DONE
    given_up = there is not None and there.state == "cancelled"
    ours = state == "APPROVED" or (
        state == "CANCELLED" and operation["kind"] in {"CANCEL_ACTION", "RELEASE", "VOID"}
    )
    if happened and not (ours or late):
        yield f"{name} is {state}, and happened at the gateway"
    if ours and not (happened or given_up):
        yield f"{name} is {state}, and at the gateway {there.state if there else 'never seen'}"
    if late and not happened:
        yield f"{name} has late money that the gateway does not know"
    if there is not None and happened and operation["kind"] not in {"VOID", "RELEASE"}:
        expected = late or operation["amount_minor"]
        if there.moved_minor != expected or there.currency != operation["currency"]:
            yield f"{name}: ours {expected}, the gateway's {there.moved_minor}"


def nothing_happens_twice(books: Books) -> Iterator[str]:
    """One request has one effect; an order is never paid twice over; parts never exceed their whole."""
    asked: Counter[tuple[str, str, str]] = Counter()
    for operation in books.ours["operations"]:
        there = books.gateway.get(operation["gateway_key"])
        if operation["key"] is not None and there is not None and there.state == DONE:
            asked[operation["key_scope"], operation["key"], operation["kind"]] += 1
    for (_, key, kind), times in asked.items():
        if times > 1:
            yield f"the key {key!r} had {times} effects ({kind})"
    by_charge: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for there in books.gateway.values():
        if there.state == DONE:
            by_charge[there.root_key][there.kind] += there.moved_minor
    for key, moved in by_charge.items():
        taken = sum(moved[kind] for kind in IN)
        if moved["authorize"] and taken > moved["authorize"]:
            yield f"{key[:6]}: captured {taken} of {moved['authorize']} authorized"
        if moved["refund"] > taken:
            yield f"{key[:6]}: refunded {moved['refund']} of {taken} taken"


def one_live_charge(books: Books) -> Iterator[str]:
    """Of one order at most one charge holds money or a reservation at the gateway."""
    late = {o["gateway_key"] for o in books.ours["operations"] if o["late_amount_minor"] and books.holds_late}
    for payment in books.ours["payments"]:
        live: Counter[str] = Counter()
        for there in books.at_gateway(payment):
            if there.state == DONE and there.root_key not in late:
                live[there.root_key] += there.moved_minor * _sign(there)
        holding = [key[:6] for key, held in live.items() if held > 0]
        if len(holding) > 1:
            yield f"{payment['order_id']} is held by {len(holding)} charges: {', '.join(sorted(holding))}"


def late_money_goes_back(books: Books) -> Iterator[str]:
    """What came although nobody wanted it any more is returned or accepted, where the gateway let it go."""
    for payment in books.ours["payments"]:
        refused = any(
            operation["kind"] == "RETURN" and operation["state"] == "DECLINED"
            for operation in books.of("operations", payment)
        )
        if payment["amount_unapplied_minor"] and not (books.holds_late or refused):
            yield f"{payment['order_id']}: {payment['amount_unapplied_minor']} came late and stayed"


def _sign(there: AtGateway) -> int:
    """Whether this adds to what the customer has given or reserved, or takes from it; a capture changes neither."""
    return (there.kind in RESERVES) - (there.kind in {"void", "refund"})


def the_ledger_is_the_gateways(books: Books) -> Iterator[str]:
    """What each account holds follows from the gateway's record and the payment, to the minor unit."""
    believed = on_an_operators_word(books)
    for payment in books.ours["payments"]:
        if payment["payment_id"] in believed:
            continue
        held, moved = _accounts(books, payment), _moved(books, payment)
        receivable: Counter[str] = Counter()
        for (account, currency), amount in held.items():
            if account.startswith("gateway:"):
                receivable[currency] += amount
        withheld, lost = _disputed(books, payment, WITHHELD), _disputed(books, payment, TAKEN_BACK)
        moved[payment["currency"]] -= withheld
        for currency in receivable.keys() | moved.keys():
            if receivable[currency] != moved[currency]:
                yield (
                    f"{payment['order_id']}: the ledger holds {receivable[currency]} {currency},"
                    f" the gateway {moved[currency]}"
                )
        unapplied = -sum(amount for (account, _), amount in held.items() if account == "unapplied")
        if unapplied != payment["amount_unapplied_minor"]:
            yield f"{payment['order_id']}: unapplied {payment['amount_unapplied_minor']}, in the ledger {unapplied}"
        payable = -sum(amount for (account, _), amount in held.items() if account.endswith(":payable"))
        due = payment["amount_captured_minor"] - payment["amount_refunded_minor"] - lost
        if payable != due and not _retried(payment):
            yield f"{payment['order_id']}: payable {payable} does not follow from the payment"
        disputes = sum(amount for (account, _), amount in held.items() if account == "disputes")
        if disputes != withheld - lost:
            yield f"{payment['order_id']}: {withheld - lost} in dispute, in the ledger {disputes}"


def disputes_are_the_gateways(books: Books) -> Iterator[str]:
    """Every dispute that the gateway has is recorded, as it was decided last, and no other."""
    ours = {row["reference"]: (row["state"].lower(), row["amount_minor"]) for row in books.ours["disputes"]}
    there = {each.reference: (each.state, each.amount_minor) for each in books.disputed}
    for reference in ours.keys() | there.keys():
        if ours.get(reference) != there.get(reference):
            yield f"dispute {reference}: ours {ours.get(reference)}, the gateway's {there.get(reference)}"


def _disputed(books: Books, payment: Row, states: set[str]) -> int:
    """What the gateway's disputes of this payment in these states amount to."""
    mine = {there.key for there in books.at_gateway(payment)}
    return sum(each.amount_minor for each in books.disputed if each.root_key in mine and each.state in states)


def _retried(payment: Row) -> bool:
    """A later attempt forgets the amounts of the one before; its ledger does not."""
    return bool(payment["attempt"] > 1)


def _accounts(books: Books, payment: Row) -> Counter[tuple[str, str]]:
    held: Counter[tuple[str, str]] = Counter()
    for entry in books.of("ledger_entries", payment):
        held[entry["debit_account"], entry["currency"]] += entry["amount_minor"]
        held[entry["credit_account"], entry["currency"]] -= entry["amount_minor"]
    return held


def _moved(books: Books, payment: Row) -> Counter[str]:
    moved: Counter[str] = Counter()
    for there in books.at_gateway(payment):
        if there.state == DONE:
            moved[there.currency] += there.moved_minor * ((there.kind in IN) - (there.kind in OUT))
    return moved


def the_status_is_true(books: Books) -> Iterator[str]:
    """What a payment says of itself follows from its amounts, and these from its refunds."""
    for payment in books.ours["payments"]:
        captured, refunded = payment["amount_captured_minor"], payment["amount_refunded_minor"]
        pending = payment["amount_refund_pending_minor"]
        true = {
            "COMPLETED": captured > 0 == refunded,
            "PARTIALLY_REFUNDED": 0 < refunded < captured,
            "REFUNDED": 0 < refunded == captured,
            "AUTHORIZED": payment["amount_authorized_minor"] > captured and refunded == 0,
        }.get(payment["status"], captured == refunded == 0)
        if not true or refunded + pending > captured or captured > payment["amount_authorized_minor"]:
            yield f"{payment['order_id']} is {payment['status']} with {captured} captured, {refunded} refunded"
        if not _retried(payment):
            sums: Counter[str] = Counter()
            for refund in books.of("refunds", payment):
                sums[refund["status"]] += refund["amount_minor"]
            if (sums["SUCCEEDED"], sums["PENDING"]) != (refunded, pending):
                yield f"{payment['order_id']}: refunds sum up to {dict(sums)}, not ({refunded}, {pending})"


def the_trail_is_whole(books: Books) -> Iterator[str]:
    """Every version has its audit entry, each begins where the one before ended, the last is true, all are sealed."""
    for payment in books.ours["payments"]:
        trail, name = books.of("transactions", payment), payment["order_id"]
        versions = sorted({entry["version"] for entry in trail})
        if versions != list(range(1, payment["version"] + 1)):
            yield f"{name}: version {payment['version']}, audited {versions}"
        for earlier, later in pairwise(trail):
            if later["before"] != earlier["after"]:
                yield f"{name}: version {later['version']} does not begin where {earlier['version']} ended"
        if trail and any(trail[-1]["after"][column] != payment[column] for column in AUDITED):
            yield f"{name}: the last audit entry says something else"
    sealed = {seal["transaction_log_id"] for seal in books.ours["audit_seals"]}
    unsealed = sum(entry["transaction_log_id"] not in sealed for entry in books.ours["transactions"])
    if unsealed:
        yield f"{unsealed} audit entries are not sealed"


def every_move_is_told(books: Books) -> Iterator[str]:
    """Events count from 1 without gaps, and tell every state that the trail says was entered, in its order."""
    for payment in books.ours["payments"]:
        events, name = books.of("events", payment), payment["order_id"]
        numbers = [event["sequence"] for event in events]
        if numbers != list(range(1, payment["event_sequence"] + 1)):
            yield f"{name}: events {numbers}, counted {payment['event_sequence']}"
        told = _changes([event["data"]["status"] for event in events])
        entered = _changes([entry["after"]["status"] for entry in books.of("transactions", payment)])
        if told != entered:
            yield f"{name}: went through {entered}, told {told}"


def _changes(statuses: list[str]) -> list[str]:
    """The states that were entered, but for PROCESSING, of which only some are told."""
    quiet = [status for status in statuses if status != "PROCESSING"]
    return [status for place, status in enumerate(quiet) if place == 0 or quiet[place - 1] != status]


def every_peer_has_heard(books: Books) -> Iterator[str]:
    """Each peer took each event that is for it, in order, and nothing that was not committed."""
    first: dict[str, int] = {}
    for call in books.heard:
        first.setdefault(call.key, call.place)
    stale = {
        (delivery["event_id"], delivery["destination"])
        for delivery in books.ours["deliveries"]
        if delivery["state"] == "SUPERSEDED"
    }
    expected: set[str] = set()
    for payment in books.ours["payments"]:
        for peer in ("order", "inventory", "notification"):
            keys = []
            for event in books.of("events", payment):
                key = f"{payment['transaction_id']}-{event['sequence']}-{peer}"
                expected.add(key)
                if not _for_peer(peer, event) or (event["event_id"], peer) in stale:
                    continue
                if key in first:
                    keys.append(key)
                else:
                    yield f"{peer} never heard of event {event['sequence']} of {payment['order_id']}"
            if [first[key] for key in keys] != sorted(first[key] for key in keys):
                yield f"{peer} heard of {payment['order_id']} out of order"
    for key in first.keys() - expected:
        yield f"a peer heard {key}, which was never committed"


def _for_peer(peer: str, event: Row) -> bool:
    status = event["data"]["status"]
    if event["event_type"] not in TOLD_TO_ORDER:
        return False
    if peer == "order":
        return True
    told_by = {
        "COMPLETED": "payment.completed",
        "FAILED": "payment.failed",
        "CANCELLED": "payment.cancelled",
        "REFUNDED": "payment.refunded",
        "PARTIALLY_REFUNDED": "payment.refunded",
    }.get(status)
    return event["event_type"] == told_by and status in (RELEASES if peer == "inventory" else NOTIFIES)


def paid_stock_is_kept(books: Books) -> Iterator[str]:
    """No stock is released of an order that was paid at the time and still is."""
    for payment in books.ours["payments"]:
        if payment["status"] not in {"COMPLETED", "PARTIALLY_REFUNDED"}:
            continue
        released = [
            event["sequence"]
            for event in books.of("events", payment)
            for call in books.heard
            if call.key == f"{payment['transaction_id']}-{event['sequence']}-inventory"
        ]
        completed = [e for e in books.of("events", payment) if e["data"]["status"] == "COMPLETED"]
        paid = max((event["sequence"] for event in completed), default=0)
        if any(sequence > paid for sequence in released):
            yield f"the stock of {payment['order_id']} was released although it is paid"


def _named(operation: Row) -> str:
    return f"{operation['kind'].lower()} {operation['gateway_key'][:6]}"


LAWS: tuple[Callable[[Books], Iterator[str]], ...] = (
    nothing_is_under_way,
    nothing_is_guessed,
    nothing_happens_twice,
    one_live_charge,
    late_money_goes_back,
    the_ledger_is_the_gateways,
    disputes_are_the_gateways,
    the_status_is_true,
    the_trail_is_whole,
    every_move_is_told,
    every_peer_has_heard,
    paid_stock_is_kept,
)


def effects(books: Books, kind: str) -> int:
    """How often this kind of operation was done at the gateway."""
    return sum(there.kind == kind and there.state == DONE for there in books.gateway.values())


def promised(told: dict[str, Any] | None, kind: str) -> int:
    """How many effects a client was told of: one for a success, none for a refusal or a failure."""
    if told is None:
        return 0
    done = told["status"] in {200, 201} and told["is"] not in {"FAILED", "CANCELLED", "PENDING"}
    return int(done or (kind == "void" and told["status"] == 200))  # noqa: PLR2004 - OK
