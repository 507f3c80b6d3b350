"""The auditor names each kind of wrong: books that are right, and one thing in them changed."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from proof import auditor
from proof.books import Disputed, Heard, Row
from support.books import right


def test_nothing_is_wrong_with_books_that_are_right():
    assert auditor.audit(right()) == []


def change(table: str, place: int = 0, **fields):
    """Other values in one of our rows."""
    return lambda books: books.ours[table][place].update(fields)


def forget(table: str):
    return lambda books: books.ours[table].pop()


def at_gateway(key: str = "KEY1", **fields):
    """Another entry in the gateway's record, like the charge but for these."""

    def put(books):
        books.gateway[key] = replace(books.gateway["KEY1"], key=key, **fields)

    return put


def twice(books):
    """A second operation with the same client key, done at the gateway too."""
    books.ours["operations"].append(books.ours["operations"][0] | {"operation_id": 2, "gateway_key": "KEY2"})
    at_gateway("KEY2", root_key="KEY2")(books)


def released(books):
    event = books.ours["events"][0] | {"sequence": 2, "event_id": 2}
    books.ours["events"].append(event | {"event_type": "payment.failed", "data": {"status": "FAILED"}})
    books.heard.append(Heard(9, "inventory", "TXN1-2-inventory", {}))


def disputed(state: str, ours: Row | None = None):
    """A dispute in the gateway's record, and one in ours."""

    def put(books):
        object.__setattr__(books, "disputed", (Disputed("dp_1", "KEY1", 100, state),))
        books.ours["disputes"] += [ours] if ours else []

    return put


LOST: Row = {"payment_id": 1, "reference": "dp_1", "state": "LOST", "amount_minor": 100}
ELSEWHERE: Row = {
    "payment_id": 1, "refund_id": 1, "amount_minor": 30, "status": "SUCCEEDED", "made_elsewhere": True,
    "gateway_reference": "rf_1",
}  # fmt: skip
"""A refund that was made in the gateway's dashboard."""


BREAKS = {
    "nothing_is_under_way": [
        change("operations", state="UNKNOWN"),
        change("payments", status="PROCESSING"),
        change("idempotency_keys", response_status=None),
        lambda books: books.ours["gateway_inbox"].append({"event_id": "e-1", "state": "PENDING"}),
        lambda books: books.ours["deliveries"].append(
            {"payment_id": 1, "event_id": 1, "sequence": 1, "destination": "order", "state": "PARKED"}
        ),
    ],
    "nothing_is_guessed": [
        change("operations", state="DECLINED"),
        at_gateway(state="declined"),
        at_gateway("KEY2"),
        at_gateway("KEY2", kind="refund", moved_minor=30, reference="rf_1"),
        lambda books: books.ours["refunds"].append(ELSEWHERE),
        at_gateway(kind="authorize"),
        at_gateway(moved_minor=99),
        lambda books: books.gateway.clear(),
        change("operations", late_amount_minor=50),
    ],
    "nothing_happens_twice": [
        twice,
        at_gateway("KEY2", kind="refund", moved_minor=101),
        at_gateway(kind="capture", moved_minor=-1) and at_gateway("KEY2", kind="refund", moved_minor=200),
    ],
    "one_live_charge": [twice],
    "late_money_goes_back": [change("payments", amount_unapplied_minor=1)],
    "the_ledger_is_the_gateways": [
        forget("ledger_entries"),
        change("ledger_entries", amount_minor=101),
        change("ledger_entries", currency="JPY"),
        change("payments", amount_unapplied_minor=1),
        change("ledger_entries", credit_account="unapplied"),
        change("ledger_entries", debit_account="disputes"),
        disputed("lost", LOST),
    ],
    "disputes_are_the_gateways": [
        disputed("open"),
        disputed("won", LOST),
        lambda books: books.ours["disputes"].append(LOST),
    ],
    "the_status_is_true": [
        change("payments", status="FAILED"),
        change("payments", amount_refunded_minor=1),
        change("payments", amount_authorized_minor=99),
    ],
    "the_trail_is_whole": [
        forget("transactions"),
        change("transactions", 1, before=None),
        change("payments", version=3),
        forget("audit_seals"),
    ],
    "every_move_is_told": [
        forget("events"),
        change("events", sequence=2),
        change("payments", event_sequence=2),
    ],
    "every_peer_has_heard": [
        lambda books: books.heard.pop(),
        lambda books: books.heard.append(Heard(9, "order", "TXN1-7-order", {})),
    ],
    "paid_stock_is_kept": [released],
}


@pytest.mark.parametrize(
    ("law", "breaks"),
    [(law, each) for law, breaks in BREAKS.items() for each in breaks],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_law_names_what_breaks_it(law, breaks):
    books = right()
    breaks(books)
    assert any(wrong.startswith(f"{law}:") for wrong in auditor.audit(books)), auditor.audit(books)


def test_every_law_is_broken_here():
    assert BREAKS.keys() == {law.__name__ for law in auditor.LAWS}


@pytest.mark.parametrize("module", ["auditor", "books", "promises"])
def test_the_auditor_shares_no_code_with_the_service(module):
    source = Path(auditor.__file__).with_name(f"{module}.py").read_text()
    imported = [
        name.name if isinstance(node, ast.Import) else node.module or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    ]
    assert not [name for name in imported if name.startswith("eci_payments")]
