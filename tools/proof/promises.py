"""What clients were told, held against everybody's books: an answer that was given stays true.

Each law is a function that names what breaks it, as in `auditor`; and as there, no code of the service is shared.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from proof.auditor import on_an_operators_word
from proof.books import DONE, IN, OUT, Books, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FINAL, CREATED = 200, 201
DECLINES = {"gateway_declined", "cancel_refused"}
"""Problems that are the gateway's word, and are kept like a success."""
PAID = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")
SIX = {"AUTHORIZED": "PROCESSING", "REQUIRES_ACTION": "PROCESSING", "PARTIALLY_REFUNDED": "COMPLETED"}
"""How peers hear of the states that are not among their six."""
RELEASE_LEASE = timedelta(seconds=20)
"""How long a release that was right when it was claimed may still be on its way."""
TAKING = {"charge", "authorize", "confirm"}
SCOPES = {"authorize": "charge"}
"""Verbs that share one route, and so the room of their keys."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer: the ``place`` it has among all answers of the run, its status and bytes."""

    place: int
    status: int
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """Its JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def is_final(self) -> bool:
        """Whether it is kept with the key, so that every repeat gets the same."""
        return self.status in {FINAL, CREATED} or self.document.get("code") in DECLINES


@dataclass(frozen=True, slots=True)
class Request:
    """What one client asked, with every answer that reached it. ``payload`` tells two requests with one key apart."""

    verb: str
    order: str
    key: str
    payload: str
    answers: tuple[Heard, ...]

    @property
    def scope(self) -> tuple[str, str]:
        """The key, in its route."""
        return SCOPES.get(self.verb, self.verb), self.key


def audit(books: Books, requests: Sequence[Request]) -> list[str]:
    """Everything that is wrong, each line with its law and its place."""
    return [f"{law.__name__}: {wrong}" for law in LAWS for wrong in law(books, requests)]


def an_answer_stays(_books: Books, requests: Sequence[Request]) -> Iterator[str]:
    """Once a request has its final answer, every repeat of it gets the same bytes."""
    for scope, asked in _by_scope(requests).items():
        by_payload: defaultdict[str, list[Heard]] = defaultdict(list)
        for request in asked:
            by_payload[request.payload] += request.answers
        for answers in by_payload.values():
            final: Heard | None = None
            for answer in sorted(answers, key=lambda heard: heard.place):
                if final is not None and answer.status not in {500, 503} and answer.body != final.body:
                    yield f"{scope} was told {_short(final)}, and then {_short(answer)}"
                    break
                final = final or (answer if answer.is_final else None)


def one_request_for_a_key(_books: Books, requests: Sequence[Request]) -> Iterator[str]:
    """A key is one request's: another one with it has no success."""
    for scope, asked in _by_scope(requests).items():
        succeeded = {
            request.payload
            for request in asked
            if any(answer.status in {FINAL, CREATED} for answer in request.answers)
        }
        if len(succeeded) > 1:
            yield f"{scope} had success with {len(succeeded)} different requests"


def one_payment_for_an_order(books: Books, requests: Sequence[Request]) -> Iterator[str]:
    """Whoever asks of an order is told of one and the same payment, and there is no other."""
    told: defaultdict[str, set[tuple[Any, Any]]] = defaultdict(set)
    for request, document in _documents(requests):
        told[request.order].add((document["payment_id"], document["transaction_id"]))
    for order, payments in told.items():
        ours = {
            (p["payment_id"], p["transaction_id"]) for p in books.ours["payments"] if p["order_id"] == order
        }
        if payments != ours:
            yield f"{order}: told of {len(payments)} payments, and there are {len(ours)}"


def what_was_told_was_done(books: Books, requests: Sequence[Request]) -> Iterator[str]:
    """What a client was told of a gateway's money is in that gateway's record."""
    moved: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for there in books.gateway.values():
        if there.state == DONE:
            moved[there.transaction_id]["taken"] += there.moved_minor * (there.kind in IN)
            moved[there.transaction_id]["refunded"] += there.moved_minor * (there.kind in OUT)
            moved[there.transaction_id]["authorized"] += there.moved_minor * (there.kind == "authorize")
    believed = on_an_operators_word(books)
    for request, document in _documents(requests):
        if document["payment_id"] in believed:
            continue
        if document["gateway"] is None or document["status"] in {"PENDING", "PROCESSING"}:
            continue
        there_moved = moved[document["transaction_id"]]
        for name, said in (("taken", "amount_captured_minor"), ("refunded", "amount_refunded_minor")):
            if document[said] > there_moved[name]:
                yield f"{request.order}: told {document[said]} {name}, and the gateway has {there_moved[name]}"
        if document["status"] == "AUTHORIZED" and not there_moved["authorized"]:
            yield f"{request.order}: told AUTHORIZED, and the gateway has no authorization"


def what_was_told_stays(books: Books, requests: Sequence[Request]) -> Iterator[str]:
    """Of a payment that a client was told is paid nobody ever hears less."""
    statuses = {payment["payment_id"]: payment["status"] for payment in books.ours["payments"]}
    for request, document in _documents(requests):
        said, now = document["status"], statuses.get(document["payment_id"])
        if said in PAID and now not in PAID[PAID.index(said) :]:
            yield f"{request.order} was told {said}, and is {now}"


def nothing_unasked(books: Books, requests: Sequence[Request]) -> Iterator[str]:
    """The gateway did nothing more often than different requests asked for it, but for late money's return."""
    returned = {o["gateway_key"] for o in books.ours["operations"] if o["kind"] in {"RETURN", "RELEASE"}}
    for payment in books.ours["payments"]:
        asked: Counter[str] = Counter()
        for kind, verbs in (("charge", TAKING), ("capture", {"capture"}), ("refund", {"refund"})):
            asked[kind] = len(
                {r.scope for r in requests if r.order == payment["order_id"] and r.verb in verbs}
            )
        done: Counter[str] = Counter()
        for there in books.at_gateway(payment):
            if there.state == DONE and there.key not in returned:
                done["charge" if there.kind == "authorize" else there.kind] += 1
        for kind, most in asked.items():
            if done[kind] > most:
                yield f"{payment['order_id']}: {done[kind]} times {kind} at the gateway, asked {most} times"


def the_order_service_knows(books: Books, _requests: Sequence[Request]) -> Iterator[str]:
    """The last that the order service heard of a payment is how it stands."""
    for payment in books.ours["payments"]:
        said = [
            call.body["payment_status"]
            for call in books.heard
            if call.peer == "order" and call.key.startswith(payment["transaction_id"])
        ]
        if not said or said[-1] != SIX.get(payment["status"], payment["status"]):
            yield f"{payment['order_id']} is {payment['status']}, the order service heard {said[-1:]} last"


def stock_is_kept_while_paid(books: Books, _requests: Sequence[Request]) -> Iterator[str]:
    """No stock is released of an order that was paid all the time in which somebody could have been sending that."""
    for payment in books.ours["payments"]:
        trail = [
            (entry["created_at"], entry["after"]["status"]) for entry in books.of("transactions", payment)
        ]
        for call in books.heard:
            if (
                call.peer != "inventory"
                or call.at is None
                or not call.key.startswith(payment["transaction_id"])
            ):
                continue
            claimed = call.at - RELEASE_LEASE
            before = [status for at, status in trail if at <= claimed][-1:]
            meanwhile = [status for at, status in trail if claimed < at <= call.at]
            if all(status in PAID[:2] for status in before + meanwhile) and before:
                yield f"the stock of {payment['order_id']} was released at {call.at}, when it had long been paid"


def _documents(requests: Sequence[Request]) -> Iterator[tuple[Request, dict[str, Any]]]:
    """Every payment that a client was shown."""
    for request in requests:
        for answer in request.answers:
            document = answer.document
            if answer.status in {FINAL, CREATED, 202} and "transaction_id" in document:
                yield request, document


def _by_scope(requests: Sequence[Request]) -> dict[tuple[str, str], list[Request]]:
    found: defaultdict[tuple[str, str], list[Request]] = defaultdict(list)
    for request in requests:
        found[request.scope].append(request)
    return found


def _short(heard: Heard) -> str:
    document: Row = heard.document
    return f"{heard.status} {document.get('code') or document.get('status')}"


LAWS: tuple[Callable[[Books, Sequence[Request]], Iterator[str]], ...] = (
    an_answer_stays,
    one_request_for_a_key,
    one_payment_for_an_order,
    what_was_told_was_done,
    what_was_told_stays,
    nothing_unasked,
    the_order_service_knows,
    stock_is_kept_while_paid,
)
