"""Every update restates what it expects to find: one that finds something else is refused, and writes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eci_payments.domain.change import Answer, Change, Complete, DisputeWrite, OperationWrite, RefundWrite
from eci_payments.domain.dispute import Dispute, DisputeState
from eci_payments.domain.errors import BrokenInvariant, known
from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.domain.inbox import InboxState, InboxWrite
from eci_payments.domain.operation import OperationState
from eci_payments.domain.refund import RefundStatus
from eci_payments.operations.commands import RefundPayment
from eci_payments.store.inbox import Incoming, claim_inbox, settle_inbox, take_in
from eci_payments.store.session import run
from eci_payments.store.units import Unit
from support.engine import caller, charging, open_house, told
from support.gateway import ScriptedGateway

PAID = caller(key="k")
KEY = known(PAID.claim, "a claim").name
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = ("payments", "operations", "refunds", "disputes", "idempotency_keys")


@pytest.fixture
async def house(service_url):
    """One process, and in it one payment that was paid and refunded in part, with an open dispute."""
    opened = open_house(service_url, ScriptedGateway())
    yield opened
    await opened.close()


@pytest.fixture
async def payment_id(house):
    charged = (await told(house.payments.charge(PAID, charging("1")))).payment_id
    command = RefundPayment(payment_id=charged, reason="Customer asked", amount=10)
    await told(house.payments.refund(caller("refund", "r"), command))
    await house.lane.submit(
        Unit(SINGLE_SHOP, lambda found: unchanged(found, disputes=(opening(found),)), payment_id=charged)
    )
    return charged


def opening(found, state=DisputeState.OPEN, expected=None):
    """A dispute of the charge, in this state."""
    charge = found.operations[0]
    dispute = Dispute(
        merchant_id=charge.merchant_id,
        gateway=charge.gateway,
        reference="dp_1",
        payment_id=charge.payment_id,
        operation_id=charge.operation_id,
        state=state,
        amount_minor=1,
        currency=charge.currency,
        reason="fraudulent",
        told_at=NOW,
        created_at=NOW,
        closed_at=None if state is DisputeState.OPEN else NOW,
    )
    return DisputeWrite(dispute, expected)


def unchanged(found, **writes):
    """A change that leaves the payment's own row alone."""
    return Change(before=found.payment, payment=found.payment, **writes)


def another_version(found):
    later = replace(found.payment, version=found.payment.version + 2, reference="written over another's")
    return Change(before=found.payment, payment=later)


def another_epoch(found):
    operation = found.operations[0]
    written = replace(operation, inquiries=operation.inquiries + 1)
    return unchanged(found, operations=(OperationWrite(written, operation.lease_epoch + 1),))


def concluded_before(found):
    operation = found.operations[0]
    written = replace(operation, state=OperationState.DECLINED)
    return unchanged(found, operations=(OperationWrite(written, operation.lease_epoch),))


def another_status(found):
    failed = replace(found.refunds[0], status=RefundStatus.FAILED)
    return unchanged(found, refunds=(RefundWrite(failed, RefundStatus.PENDING),))


def another_state(found):
    return unchanged(found, disputes=(opening(found, DisputeState.LOST, DisputeState.WON),))


def answered_before(found):
    answer = Answer(200, b"{}", found.payment.payment_id, None)
    return unchanged(found, keys=(Complete(KEY, answer),))


async def rows(house):
    return {table: sorted(map(str, await house.query(f"SELECT * FROM {table}"))) for table in TABLES}


@pytest.mark.parametrize(
    "decide",
    [another_version, another_epoch, concluded_before, another_status, another_state, answered_before],
)
async def test_a_write_that_finds_something_else_is_refused(house, payment_id, decide):
    before = await rows(house)
    with pytest.raises(BrokenInvariant):
        await house.lane.submit(Unit(SINGLE_SHOP, decide, payment_id=payment_id))
    assert await rows(house) == before


async def test_a_write_that_finds_what_it_says_lands(house, payment_id):
    closing = Unit(
        SINGLE_SHOP,
        lambda found: unchanged(found, disputes=(opening(found, DisputeState.WON, DisputeState.OPEN),)),
        payment_id=payment_id,
    )
    await house.lane.submit(closing)
    assert [row.state for row in await house.query("SELECT state FROM disputes")] == ["WON"]


async def test_what_is_ahead_of_the_clock_is_written_with_its_own_time(house, payment_id):
    async with house.database.write() as session:
        ((ahead,),) = await run(
            session,
            "UPDATE payments SET updated_at = now() + interval '1 hour' WHERE payment_id = $1 RETURNING updated_at",
            payment_id,
        )
    command = RefundPayment(payment_id=payment_id, reason="Customer asked again", amount=5)
    await told(house.payments.refund(caller("refund", "r2"), command))
    async with house.database.read() as session:
        found = await run(
            session,
            "SELECT created_at FROM transactions WHERE created_at >= $1 UNION ALL"
            " SELECT created_at FROM ledger_entries WHERE created_at >= $1 UNION ALL"
            " SELECT created_at FROM events WHERE created_at >= $1 UNION ALL SELECT updated_at FROM payments",
            ahead,
        )
    assert [row[0] for row in found] == [ahead] * 5


def incoming():
    return Incoming(
        merchant_id=SINGLE_SHOP,
        account="simulator",
        event_id="evt_1",
        event_type="charge.approved",
        occurred_at=NOW,
        told={},
        payload={},
    )


async def claimed_twice(house):
    """An event whose first claim has ended and that somebody else has claimed since: both claims."""
    async with house.database.write() as session:
        assert await take_in(session, incoming())
    claims = []
    for _ in range(2):
        async with house.database.write() as session:
            claims += await claim_inbox(session, limit=1, lease_s=0)
    return claims


def applied(claim):
    return InboxWrite(
        inbox_id=claim.inbox_id, expected_epoch=claim.lease_epoch, state=InboxState.APPLIED, why="done"
    )


async def inbox_states(house):
    return [row.state for row in await house.query("SELECT state FROM gateway_inbox")]


async def test_an_event_is_taken_in_once(house):
    async with house.database.write() as session:
        assert [await take_in(session, incoming()) for _ in range(2)] == [True, False]


async def test_an_event_is_settled_by_who_claimed_it_last(house):
    first, last = await claimed_twice(house)
    async with house.database.write() as session:
        assert not await settle_inbox(session, SINGLE_SHOP, applied(first))
    assert await inbox_states(house) == ["PENDING"]
    async with house.database.write() as session:
        assert await settle_inbox(session, SINGLE_SHOP, applied(last))
    assert await inbox_states(house) == ["APPLIED"]


async def test_a_change_settles_the_event_of_who_claimed_it_last(house, payment_id):
    async def settle(claim):
        def decide(found):
            return unchanged(found, inbox=(applied(claim),))

        await house.lane.submit(Unit(SINGLE_SHOP, decide, payment_id=payment_id))

    first, last = await claimed_twice(house)
    await settle(first)
    assert await inbox_states(house) == ["PENDING"]
    await settle(last)
    assert await inbox_states(house) == ["APPLIED"]
