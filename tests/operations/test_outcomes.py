"""Every kind of operation with every outcome, learned from the call, by asking, or after a crash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from eci_payments.operations.commands import (
    Cancel,
    Capture,
    Confirm,
    Create,
    RefundPayment,
)
from support.engine import caller, charging, crashed, open_house, told
from support.gateway import ScriptedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    kind: str
    outcome: str
    answer: int
    kept: str
    payment: str
    operation: str
    refund: str
    ledger: str
    events: str


def _row(line: str) -> Row:
    head, answer, *rest = (cell.strip() for cell in line.split("|"))
    kind, outcome = head.split()
    status, kept = answer.split()
    return Row(kind, outcome, int(status), kept, *rest)


LINES = (Path(__file__).parent / "outcomes.txt").read_text().splitlines()
ROWS = {
    (row.kind, row.outcome): row
    for row in (_row(line) for line in LINES if "|" in line and not line.startswith(("#", "kind ")))
}
SCOPE = {
    "authorize": "charge",
    "part": "capture",
    "void": "cancel",
    "rest": "cancel",
    "cancel_action": "cancel",
}
"""The endpoint of each kind, where it has another name."""
CALL = {"confirm": "charge", "part": "capture", "rest": "void", "refund_part": "refund"}
"""What the gateway is asked, where it has another name."""
REFUND = "Customer asked"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(postgres, template):
    made = postgres.create(template)
    opened = open_house(made.service_url, ScriptedGateway())
    yield opened
    broken = await opened.broken()
    await opened.close()
    postgres.drop(made)
    assert broken == []


class Case:
    """One payment made ready for its kind of operation, and that operation asked for under one key."""

    def __init__(self, house: Any, kind: str, name: str) -> None:
        self.house, self.kind, self.order = house, kind, name
        self.call, self.scope = CALL.get(kind, kind), SCOPE.get(kind, kind.removesuffix("_part"))
        self.payment_id: Any = None

    async def prepare(self) -> None:
        payments, setup = self.house.payments, caller("charge", f"setup-{self.order}")
        if self.kind == "confirm":
            command = charging(self.order)
            made = Create(
                **{
                    n: getattr(command, n)
                    for n in ("order_id", "user_id", "amount_minor", "currency", "method")
                }
            )
            self.payment_id = (await told(payments.create(caller("create"), made))).payment_id
        elif self.kind in {"capture", "part", "void", "rest"}:
            self.payment_id = (
                await told(payments.charge(setup, charging(self.order, capture=False)))
            ).payment_id
        elif self.kind in {"refund", "refund_part"}:
            self.payment_id = (await told(payments.charge(setup, charging(self.order)))).payment_id
        elif self.kind == "cancel_action":
            self.house.gateway.plan(self.order, "charge", "action")
            self.payment_id = (await told(payments.charge(setup, charging(self.order)))).payment_id
        if self.kind == "rest":
            await payments.capture(
                caller("capture", f"first-{self.order}"),
                Capture(payment_id=self.payment_id, amount=40, final=False),
            )

    def ask(self) -> Any:
        payments, who, payment_id = self.house.payments, caller(self.scope, self.order), self.payment_id
        match self.kind:
            case "charge":
                return payments.charge(who, charging(self.order))
            case "authorize":
                return payments.charge(who, charging(self.order, capture=False))
            case "confirm":
                return payments.confirm(who, Confirm(payment_id=payment_id))
            case "capture":
                return payments.capture(who, Capture(payment_id=payment_id))
            case "part":
                return payments.capture(who, Capture(payment_id=payment_id, amount="40", final=False))
            case "refund":
                return payments.refund(who, RefundPayment(payment_id=payment_id, reason=REFUND))
            case "refund_part":
                return payments.refund(who, RefundPayment(payment_id=payment_id, reason=REFUND, amount=60))
            case _:
                return payments.cancel(who, Cancel(payment_id=payment_id))

    async def state(self) -> dict[str, Any]:
        view = await self.house.view_of_order(self.order)
        assert view is not None
        self.payment_id = view.payment.payment_id
        return {
            "view": view,
            "events": await self.house.events(self.payment_id),
            "ledger": await self.house.ledger(self.payment_id),
        }

    def newest(self, view: Any) -> Any:
        return max(view.operations, key=lambda operation: operation.operation_id)


async def check(case: Case, row: Row, before: dict[str, Any] | None) -> None:
    """The payment, its operation, refund, ledger, events and key are as the table says, and the books are right."""
    after = await case.state()
    payment = after["view"].payment
    reason = f"/{payment.processing_reason}" if payment.processing_reason else ""
    told_before, booked_before = (before["events"], before["ledger"]) if before else ([], [])
    refunds = [refund.status.value for refund in after["view"].refunds]
    found = {
        "payment": f"{payment.status}{reason}",
        "operation": case.newest(after["view"]).state.value,
        "refund": ", ".join(refunds) or "-",
        "ledger": ", ".join(after["ledger"][len(booked_before) :]) or "-",
        "events": after["events"][len(told_before) :][-1:] or ["-"],
    }
    wanted = {name: getattr(row, name) for name in found} | {"events": [row.events]}
    assert found == wanted
    books = case.house.findings if row.operation == "UNKNOWN" else case.house.broken
    assert await books(payment.payment_id) == []


async def check_key(case: Case, row: Row) -> None:
    """The key keeps what the table says, and repeating the request tells the same."""
    kept = await case.house.key(case.scope, case.order)
    if row.kept == "free":
        assert kept is None
        return
    assert kept is not None
    assert kept.response_status == (row.answer if row.kept == "=" else None)
    calls = len(case.house.gateway.calls)
    again = await told(case.ask())
    assert len(case.house.gateway.calls) == calls
    assert again.status == row.answer
    assert again.replayed == (row.kept == "=")
    if row.kept == "=":
        assert again.body == kept.response_body


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: f"{row.kind}-{row.outcome}")
async def test_told_by_the_call(house, row):
    case = Case(house, row.kind, f"call-{row.kind}-{row.outcome}")
    await case.prepare()
    before = await case.state() if case.payment_id else None
    house.gateway.plan(case.order, case.call, row.outcome)

    answer = await told(case.ask())

    assert answer.status == row.answer
    await check(case, row, before)
    await check_key(case, row)


LEARNED = [row for row in ROWS.values() if row.outcome not in {"notsent", "lost"}]


@pytest.mark.parametrize("row", LEARNED, ids=lambda row: f"{row.kind}-{row.outcome}")
async def test_learned_by_asking(house, row):
    case = Case(house, row.kind, f"asked-{row.kind}-{row.outcome}")
    await case.prepare()
    before = await case.state() if case.payment_id else None
    house.gateway.plan(case.order, case.call, "lost")
    unknown = ROWS[row.kind, "lost"]
    assert (await told(case.ask())).status == unknown.answer
    await check(case, unknown, before)
    await check_key(case, unknown)
    house.gateway.settle(case.order, case.call, row.outcome)
    if row.kind == "cancel_action" and row.outcome in {"approved", "cancelled"}:
        house.gateway.settle(case.order, "charge", "cancelled")

    await house.later(2, case.payment_id)
    await house.recover()

    await check(case, row, before)
    await check_key(case, row)


@pytest.mark.parametrize("row", LEARNED, ids=lambda row: f"{row.kind}-{row.outcome}")
async def test_learned_after_a_crash(house, row):
    case = Case(house, row.kind, f"crash-{row.kind}-{row.outcome}")
    await case.prepare()
    before = await case.state() if case.payment_id else None
    house.gateway.plan(case.order, case.call, row.outcome)
    house.watch.crash_at = "after call"
    await crashed(case.ask())
    state = await case.state()
    assert case.newest(state["view"]).state == "STARTED"
    assert (await house.key(case.scope, case.order)).response_status is None

    await house.later(31, case.payment_id)
    await house.recover()

    await check(case, row, before)
    await check_key(case, row)


@pytest.mark.parametrize("kind", sorted({row.kind for row in ROWS.values()}))
async def test_a_call_that_never_left(house, kind):
    """Crashed between the intent and the call: a charge ends as never received, anything else is sent again."""
    case = Case(house, kind, f"unsent-{kind}")
    await case.prepare()
    before = await case.state() if case.payment_id else None
    house.watch.crash_at = "before call"
    await crashed(case.ask())
    await case.state()

    await house.later(31, case.payment_id)
    await house.recover()
    unknown = ROWS[kind, "lost"]
    await check(case, unknown, before)
    await check_key(case, unknown)

    await house.later(100, case.payment_id)
    await house.recover()
    ended = ROWS[kind, "declined" if kind in {"charge", "authorize", "confirm"} else "approved"]
    await check(case, ended, before)
    await check_key(case, ended)


@pytest.mark.parametrize("word", ["lost", "notsent"])
@pytest.mark.parametrize("kind", ["charge", "capture", "void", "refund"])
async def test_an_inquiry_without_an_answer_teaches_nothing(house, kind, word):
    case = Case(house, kind, f"silent-{word}-{kind}")
    await case.prepare()
    before = await case.state() if case.payment_id else None
    house.gateway.plan(case.order, case.call, "taken")
    await told(case.ask())
    await case.state()
    house.gateway.answer(case.order, case.call, word, word)
    unknown = ROWS[kind, "lost"]
    for _ in range(2):
        await house.later(9, case.payment_id)
        await house.recover()
        await check(case, unknown, before)
    await house.later(9, case.payment_id)
    await house.recover()
    await check(case, ROWS[kind, "approved"], before)
