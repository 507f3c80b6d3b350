"""Verification: the books that the real operations write are right, and each law that is broken by hand is named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from eci_payments.domain.events import EventType
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from eci_payments.gateways.contract import (
    ActionRequired,
    ActionType,
    Cancelled,
    Declined,
    NotSent,
    Pending,
    Unknown,
)
from eci_payments.store import seals, verify
from eci_payments.store.fan_out import Subscription, add_cursors, events_behind, fan_out
from eci_payments.store.seal_chain import PAYMENTS
from eci_payments.store.session import Database, run
from eci_payments.store.trail import rows_behind
from support.postgres import run_apart
from support.settled import walk_to_end
from support.world import APPROVED, APPROVED_FROM_ONE, world

DECLINED = Declined("insufficient_funds", "No money")
PEERS = [Subscription("order", frozenset((kind, None) for kind in EventType))]


async def told(session):
    await add_cursors(session)
    return (await fan_out(session, PEERS)).events


async def walked(database):
    """Everything told to the peers, and everything sealed."""
    async with database.write() as session:
        await add_cursors(session)
    await walk_to_end(database, told, events_behind)
    await walk_to_end(database, seals.seal, lambda s: rows_behind(s, PAYMENTS.reader))


@dataclass
class Ids:
    """Payments of the world by what happened to them."""

    paid: int
    refunded: int
    partly: int
    refunding: int
    authorized: int
    captured: int
    voided: int
    failed: int
    unknown: int
    started: int
    waiting: int
    pending: int
    taken_by_hand: int
    late: int
    awaiting: int
    approved: int
    disputed: int


async def filled(shop) -> Ids:
    """Payments in every state that there is."""
    paid = await shop.charge(APPROVED)
    refunded = await shop.charge(APPROVED)
    await shop.refund(refunded, None, APPROVED)
    partly = await shop.charge(APPROVED, currency="JPY")
    await shop.refund(partly, "50", APPROVED)
    await shop.refund(partly, "60", DECLINED)
    refunding = await shop.charge(APPROVED)
    await shop.refund(refunding, "10", Unknown("time-out"))
    await shop.refund(refunding, "11", Pending("ref"))
    await shop.refund(refunding, "12", NotSent("refused"))
    authorized = await shop.charge(APPROVED, capture=False)
    await shop.capture(authorized, "20", APPROVED, final=False)
    await shop.capture(authorized, "20.01", DECLINED)
    captured = await shop.charge(APPROVED, capture=False)
    await shop.capture(captured, "100", APPROVED)
    voided = await shop.charge(APPROVED, capture=False)
    await shop.cancel(voided, APPROVED)
    failed = await shop.charge(DECLINED, order="twice")
    assert await shop.charge(DECLINED, order="twice", amount_minor=99) == failed
    waiting = await shop.charge(ActionRequired("ref", ActionType.REDIRECT, url="https://bank.example"))
    late = await shop.charge(NotSent("refused"))
    await shop.charge(NotSent("refused"))
    await shop.charge(Pending("ref"))
    await shop.capture(await shop.charge(APPROVED, capture=False), "1", Unknown("time-out"))
    await shop.cancel(await shop.create())
    disputed = await shop.charge(APPROVED)
    await shop.tell(disputed, "OPEN", 5000)
    await shop.tell(disputed, "LOST", 1000)
    held = await shop.charge(DECLINED)
    await shop.answer(held, await shop.charge_operation(held), APPROVED)  # and its money is on its way back
    await shop.answer(late, await shop.charge_operation(late), APPROVED)
    await shop.answer(late, await shop.newest_operation(late), APPROVED)
    awaiting = await shop.charge(APPROVED)
    await shop.refund(awaiting, "10", limits=APPROVED_FROM_ONE)
    approved = await shop.charge(APPROVED)
    await shop.refund(approved, "10", limits=APPROVED_FROM_ONE)
    await shop.approve(approved, APPROVED)
    return Ids(
        paid=paid,
        refunded=refunded,
        partly=partly,
        refunding=refunding,
        authorized=authorized,
        captured=captured,
        voided=voided,
        failed=failed,
        unknown=await shop.charge(Unknown("time-out")),
        started=await shop.charge(),
        waiting=waiting,
        pending=await shop.create(),
        taken_by_hand=await shop.book_by_hand(await shop.create(PaymentMethod.COD)),
        late=late,
        awaiting=awaiting,
        approved=approved,
        disputed=disputed,
    )


@pytest.fixture(scope="module")
def books(postgres, template):
    """A filled and walked database, to be copied for each test."""
    made, ids = postgres.create(template), []

    async def fill():
        database = Database(made.service_url)
        ids.append(await filled(world(database)))
        await walked(database)
        await database.close()

    run_apart(fill())
    yield made.name, ids[0]
    postgres.drop(made)


@pytest.fixture
async def copied(postgres, books):
    """A copy of the filled database, opened by somebody who may do anything."""
    name, ids = books
    made = postgres.create(name)
    database = Database(made.admin_url, pool_size=3)
    yield database, ids
    await database.close()
    postgres.drop(made)


async def harm(database, *statements):
    """What only a superuser can do: nothing checks a foreign key."""
    async with database.write() as session:
        await run(session, "SET LOCAL session_replication_role = replica")
        for statement in statements:
            await run(session, statement)


async def test_what_the_operations_write_is_right(copied):
    database, _ = copied
    report = await verify.verify(database, PEERS)
    assert report.findings == []
    assert report.ok
    assert report.counted["payments"] == 22
    assert report.counted["seals"] == report.counted["audit entries"] > 40
    assert report.counted["audit entries not sealed yet"] == 0
    assert min(report.counted[name] for name in ("operations", "refunds", "events", "idempotency keys")) > 5
    assert sum(amount for (_, code), amount in report.balances.items() if code == "INR") == 0


async def test_small_ranges_find_the_same(copied, monkeypatch):
    database, ids = copied
    monkeypatch.setattr(verify, "PAYMENTS_AT_ONCE", 1)
    monkeypatch.setattr(verify, "KEYS_AT_ONCE", 2)
    await harm(database, f"UPDATE payments SET amount_captured_minor = 1 WHERE payment_id = {ids.paid}")
    report = await verify.verify(database, PEERS)
    assert report.counted["payments"] == 22
    assert {finding.check for finding in report.findings} == {
        "ledger_amount",
        "ledger_total",
        "audit_last",
        "operation_amount",
    }


async def test_an_empty_database_is_right(service):
    assert (await verify.verify(service, PEERS)).ok


async def test_only_so_many_findings_are_shown_and_all_are_counted(copied):
    database, _ = copied
    await harm(database, "DELETE FROM ledger_entries")
    report = await verify.verify(database, limit=3)
    assert len(report.findings) == 3
    assert report.broken > 10


_BLOCK = re.compile(r"^-- (.+?) \| (.+?) \| (.+?) \| (.+?)\n(.+?;)\n(?=\n|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Break:
    """A law broken by hand, and the words by which a verification must name it."""

    name: str
    check: str
    where: str
    what: str
    sql: str


BREAKS = [Break(*found) for found in _BLOCK.findall((Path(__file__).parent / "broken_books.sql").read_text())]


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.name)
async def test_what_is_broken_is_named(copied, case):
    database, ids = copied

    def filled_in(text):
        return re.sub(r"\{(\w+)\}", lambda name: str(getattr(ids, name[1])), text)

    await harm(database, *filled_in(case.sql).strip(";").split(";\n"))
    report = await verify.verify(database, PEERS)

    assert not report.ok
    named = [found for found in report.findings if found.check == case.check]
    assert any(
        filled_in(case.where) in found.where and filled_in(case.what) in found.what for found in named
    ), report.findings


def test_every_check_is_broken_once():
    known = {check.name for check in verify.RANGE_CHECKS} | {
        "audit_seal",
        "event_reached",
        "key_stuck",
        "ledger_total",
    }
    assert {case.check for case in BREAKS} == known
    assert len(BREAKS) == (Path(__file__).parent / "broken_books.sql").read_text().count(" | ") / 3


async def test_a_destination_is_expected_from_its_first_delivery_on(copied):
    database, _ = copied
    added = [*PEERS, Subscription("new", frozenset({(EventType.COMPLETED, PaymentStatus.COMPLETED)}))]
    report = await verify.verify(database, added)
    assert report.ok
    assert report.counted["events before their destination was configured"] > 0


async def test_what_is_written_meanwhile_is_not_half_seen(shop, service):
    await shop.charge(APPROVED)
    async with service.read() as session:
        await run(session, "SELECT 1")
        await shop.charge(APPROVED)
    assert (await verify.verify(service)).ok


async def test_late_money_of_an_attempt_in_another_currency_is_booked_in_that_currency(shop, service):
    payment = await shop.charge(DECLINED, order="twice", currency="JPY", amount_minor=100)
    first = await shop.charge_operation(payment)
    await shop.charge(APPROVED, order="twice", currency="INR", amount_minor=200)
    await shop.answer(payment, first, APPROVED)
    report = await verify.verify(service)
    assert report.findings == []


async def test_a_capture_that_the_gateway_gave_up_takes_nothing(shop, service):
    payment = await shop.charge(APPROVED, capture=False)
    await shop.capture(payment, None, Cancelled("ref"))
    assert (await verify.verify(service)).findings == []
    async with service.read() as session:
        (row,) = await run(session, "SELECT status, amount_captured_minor AS captured FROM payments")
    assert (row.status, row.captured) == ("AUTHORIZED", 0)
