from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from eci_payments.delivery.options import Seams
from eci_payments.delivery.peers import idempotency_key, peer
from eci_payments.delivery.relay import Relay
from eci_payments.delivery.sender import Answer, HttpSender
from eci_payments.delivery.shapes import PeerName, Shape
from eci_payments.domain.payment import PaymentStatus
from eci_payments.store.deliveries import Replayed, replay
from eci_payments.store.rows import PAYMENTS
from eci_payments.store.session import Database, run
from support.deliveries import fan_out_all, parked, shown, states, take, time_passes
from support.relays import OPTIONS, heard, running, settled
from support.shop import MERCHANT, TRACEPARENT, Shop, event, payment
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eci_payments.delivery.peers import PeerRequest
    from support.standins import StandIns

S = PaymentStatus
DAY_S = 24 * 3600


async def test_every_peer_is_told_what_the_contract_names(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    await shop.told(S.PROCESSING, S.FAILED)
    async with running(relay()):
        await until(lambda: settled(db))
    assert heard(standins) == {"1": ["PROCESSING", "FAILED"]}
    (release,) = standins.received("inventory")
    assert json.loads(release["body"]) == {"order_id": 1, "reason": "Payment failed"}
    (note,) = standins.received("notification")
    assert json.loads(note["body"])["type"] == "PAYMENT_FAILED"
    assert set(await states(db, None)) == {"DELIVERED"}
    calls = standins.received()
    keys = {call["idempotency_key"] for call in calls}
    assert f'"{idempotency_key(PeerName.ORDER, event(payment(1), 2))}"' in keys
    assert len(keys) == len(calls) == 4
    assert {call["correlation_id"] for call in calls} == {"corr-1"}
    assert {call["traceparent"][:36] for call in calls} == {TRACEPARENT[:36]}
    assert len({call["traceparent"] for call in calls} | {TRACEPARENT}) == 5


async def test_the_sibling_shape_is_taken_by_its_peers(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    await shop.told(S.CANCELLED)
    await shop.told(S.COMPLETED)
    async with running(relay(peers=[peer(name, standins.url, Shape.SIBLING) for name in PeerName])):
        await until(lambda: settled(db))
    paths = sorted(call["path"] for call in standins.received())
    assert paths == [
        "/v1/inventory/release",
        "/v1/notifications/events",
        "/v1/orders/1/status",
        "/v1/orders/2/status",
    ]


async def test_order_holds_under_concurrency_and_failures_with_relays_side_by_side(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    await shop.told(S.PENDING, S.PROCESSING, S.REQUIRES_ACTION, S.COMPLETED, payments=40)
    others = [Database(str(db.engine.url.render_as_string(hide_password=False))) for _ in range(2)]

    async def unrest() -> None:
        for mode in ("down", "busy", "missing", "up"):
            standins.switch("order", mode)
            await asyncio.sleep(0.15)

    try:
        async with running(*(relay(database=each) for each in (db, *others))):
            await unrest()
            await until(lambda: settled(db), within_s=40)
    finally:
        for other in others:
            await other.close()
    for order, told in heard(standins).items():
        assert told == ["PENDING", "PROCESSING", "REQUIRES_ACTION", "COMPLETED"], order
    assert len(heard(standins)) == 40
    assert not [call for call in standins.received() if call["repeat"]], "nobody died: nothing is told twice"


async def test_a_peer_that_is_down_slows_nobody_else(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    standins.switch("order", "up", delay_s=100)
    await shop.told(S.FAILED, payments=100)
    async with running(relay()):
        await until(lambda: settled(db, "notification"), within_s=45)
        await until(lambda: settled(db, "inventory"), within_s=45)
        standins.switch("order", "up")
        assert "DELIVERED" not in await states(db, "order")


async def test_a_day_of_outage_costs_nothing_but_lateness(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    standins.switch("order", "down")
    made = await shop.told(S.PROCESSING, payments=30)
    at_work = relay()
    async with running(at_work):
        await until(lambda: at_work.couriers["order"].breaker.state == "open")
        refused = len(standins.received("order", taken=False))
        assert refused <= OPTIONS.concurrency * 2, "an open breaker leaves the peer alone"
        for each in made:
            await shop.goes_on(each.payment_id, S.COMPLETED)
        await until(lambda: settled(db, "notification"))
        await time_passes(db, DAY_S, "order")
        standins.switch("order", "up")
        await until(lambda: settled(db, "order"), within_s=40)
    assert set(await states(db, "order")) == {"DELIVERED"}
    assert all(told == ["PROCESSING", "COMPLETED"] for told in heard(standins).values())
    assert len(heard(standins)) == 30


async def test_after_72_hours_of_trying_a_delivery_is_parked(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    standins.switch("order", "missing")
    (made,) = await shop.told(S.PROCESSING)
    async with running(relay()):
        await until(lambda: standins.received("order", taken=False))
        await shop.goes_on(made.payment_id, S.COMPLETED)
        await until(lambda: len_of(db, "order", 2))
        await time_passes(db, 71 * 3600, "order")
        await until(lambda: tries(db, 2))
        assert (await states(db))[0] == "PENDING"
        await time_passes(db, 2 * 3600, "order")
        await until(lambda: first_state(db, "PARKED"))
        standins.switch("order", "up")
        await until(lambda: settled(db, "order"))
    first, second = await shown(db)
    assert (first.state, first.last_status) == ("PARKED", 404)
    assert "72 h" in (first.last_error or "")
    assert second.state == "DELIVERED", "a parked delivery does not block later ones"
    async with db.write() as session:
        assert await replay(session, MERCHANT, first.delivery_id) is Replayed.SUPERSEDED


async def len_of(db: Database, destination: str, count: int) -> bool:
    return len(await shown(db, destination)) == count


async def tries(db: Database, count: int) -> bool:
    return (await shown(db))[0].tries >= count


async def first_state(db: Database, state: str) -> bool:
    return (await states(db))[0] == state


async def test_what_waits_behind_a_peer_that_stays_down_is_parked_like_what_probes_it(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    standins.switch("order", "down")
    await shop.told(S.COMPLETED, payments=200)
    await fan_out_all(db)
    async with running(relay()):
        await until(lambda: all_tried(db))
        calls = len(standins.received("order", taken=False))
        await time_passes(db, 73 * 3600, "order")
        await until(lambda: settled(db, "order"))
        await until(lambda: settled(db, "notification"))
    assert set(await states(db, "order")) == {"PARKED"}
    assert calls < 200, "most were never sent: the breaker was open"
    assert set(await states(db, "notification")) == {"DELIVERED"}


async def all_tried(db: Database) -> bool:
    return all(row.first_attempt_at for row in await shown(db))


async def test_nothing_is_given_up_because_no_relay_was_there_to_try(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    await shop.told(S.COMPLETED, payments=20)
    await fan_out_all(db)
    await time_passes(db, 100 * 3600)
    async with running(relay()):
        await until(lambda: settled(db))
    assert set(await states(db, None)) == {"DELIVERED"}
    assert len(heard(standins)) == 20


async def test_410_parks_at_once_and_a_replay_delivers(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    standins.switch("order", "gone")
    await shop.told(S.COMPLETED)
    async with running(relay()):
        await until(lambda: settled(db))
        (row,) = await shown(db)
        assert (row.state, row.tries, row.last_status) == ("PARKED", 1, 410)
        standins.switch("order", "up")
        async with db.write() as session:
            assert await replay(session, MERCHANT, row.delivery_id) is Replayed.QUEUED
        await until(lambda: settled(db))
    assert heard(standins) == {"1": ["COMPLETED"]}
    first, second = standins.received("order", taken=False)
    assert first["idempotency_key"] == second["idempotency_key"], "one event, one peer, one key"


@pytest.mark.parametrize(("mode", "status"), [("moved", 307), ("missing", 404)])
async def test_everything_but_2xx_is_tried_again(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay], mode: str, status: int
):
    standins.switch("order", mode)
    await shop.told(S.COMPLETED)
    async with running(relay()):
        await until(lambda: standins.received("order", taken=False))
        standins.switch("order", "up")
        await until(lambda: settled(db))
    answers = [call["answered"] for call in standins.received(taken=False) if call["peer"] == "order"]
    assert answers == [status, 200]


async def test_a_peers_own_wish_for_later_is_honoured(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    standins.switch("order", "busy", retry_after="900")
    await shop.told(S.COMPLETED)
    async with running(relay()):
        await until(lambda: tried_and_waiting(db))
    (row,) = await shown(db)
    assert row.due_at is not None
    assert row.first_attempt_at is not None
    assert (row.due_at - row.first_attempt_at).total_seconds() == pytest.approx(900, abs=5)
    assert (row.last_status, row.last_error) == (429, "HTTP 429")


async def tried_and_waiting(db: Database) -> bool:
    rows = await shown(db)
    return bool(rows) and rows[0].last_status is not None


async def test_stock_of_an_order_that_was_paid_after_all_is_not_released(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    standins.switch("inventory", "down")
    (paid, unpaid) = await shop.told(S.FAILED, payments=2)
    async with running(relay()):
        await until(lambda: len(standins.received("inventory", taken=False)) >= 2)
        await shop.goes_on(paid.payment_id, S.COMPLETED)
        standins.switch("inventory", "up")
        await until(lambda: settled(db))
    assert await states(db, "inventory") == ["SUPERSEDED", "DELIVERED"]
    assert [call["order_id"] for call in standins.received("inventory")] == [unpaid.order_id]


async def test_an_event_that_cannot_be_told_is_parked_and_blocks_nobody(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    broken = event(payment(1, status=S.COMPLETED), event_id=900)
    broken.data.pop("transaction_id")
    async with db.write() as session:
        await run(session, PAYMENTS.insert(1), *PAYMENTS.values([payment(1)]))
        await shop.tell(session, [broken])
    async with running(relay()):
        await until(lambda: settled(db))
    assert set(await states(db, None)) == {"PARKED"}
    (row,) = await shown(db)
    assert "transaction_id" in (row.last_error or "")
    assert standins.received(taken=False) == []


class Watching:
    """A sender that watches which deliveries are on their way at the same moment."""

    def __init__(self) -> None:
        self.http = HttpSender(5)
        self.now: dict[str, int] = defaultdict(int)
        self.together = 0

    async def send(self, request: PeerRequest, headers: Mapping[str, str]) -> Answer:
        key = request.idempotency_key
        self.now[key] += 1
        self.together = max(self.together, self.now[key])
        try:
            await asyncio.sleep(0.02)
            return await self.http.send(request, headers)
        finally:
            self.now[key] -= 1

    async def close(self) -> None:
        await self.http.close()


async def test_relays_side_by_side_never_send_one_delivery_at_the_same_time(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    watching = Watching()
    await shop.told(S.PROCESSING, S.COMPLETED, payments=100)
    async with running(*(relay(sender=watching) for _ in range(3))):
        await until(lambda: settled(db), within_s=40)
    assert watching.together == 1
    assert len(standins.received()) == 300


class Failing(HttpSender):
    """A sender that raises, as none should."""

    async def send(self, request: PeerRequest, headers: Mapping[str, str]) -> Answer:  # noqa: ARG002 - the port has it
        raise RuntimeError("a bug")


async def test_a_bug_on_the_way_leaves_the_delivery_to_its_lease_and_the_relay_at_work(
    db: Database, shop: Shop, relay: Callable[..., Relay]
):
    await shop.told(S.COMPLETED)
    broken = relay(sender=Failing(1))
    async with running(broken):
        await until(lambda: claimed_once(db))
        await asyncio.sleep(0.2)
    (row,) = await shown(db)
    assert (row.state, row.tries) == ("PENDING", 1)


async def claimed_once(db: Database) -> bool:
    rows = await shown(db)
    return bool(rows) and rows[0].tries == 1


async def test_a_stop_waits_for_what_is_on_its_way_and_claims_nothing_more(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    standins.switch("order", "up", delay_s=0.7)
    await shop.told(S.PROCESSING, S.COMPLETED)
    async with running(relay()):
        await until(lambda: claimed_once(db))
    assert await states(db, "order") == ["DELIVERED", "PENDING"]


async def test_a_stop_does_not_wait_for_a_peer_that_hangs(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    standins.switch("order", "up", delay_s=20)
    await shop.told(S.COMPLETED)
    at_work = relay(sender=HttpSender(timeout_s=60))
    async with running(at_work):
        await until(lambda: claimed_once(db))
    assert await states(db) == ["PENDING"]  # had it waited, the peer would have answered
    standins.switch("order", "up")


async def test_a_lost_database_is_waited_for(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay], database: Any, postgres: Any
):
    async with running(relay()):
        await shop.told(S.COMPLETED)
        await until(lambda: settled(db))
        postgres.execute(
            f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{database.name}' AND pid <> pg_backend_pid()",
        )
        await asyncio.sleep(0.5)
        postgres.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")
        await until(lambda: told_again(shop))
        await until(lambda: settled(db))
        await until(lambda: len(heard(standins)) >= 2)


async def told_again(shop: Shop) -> bool:
    try:
        await shop.told(S.COMPLETED)
    except Exception:  # noqa: BLE001 - whatever a driver raises while its connections are gone
        return False
    return True


async def test_a_parked_one_found_at_the_start_stays_parked(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    await shop.told(S.COMPLETED)
    await fan_out_all(db)
    await parked(db, (await take(db)).deliveries[0])
    async with running(relay()):
        await until(lambda: settled(db))
    assert await states(db) == ["PARKED"]
    assert heard(standins) == {}


async def test_a_lease_that_might_end_on_the_way_is_not_used(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    """As after a process was stopped for longer than its lease: somebody else may be sending by now."""
    seconds = itertools.count(0, 10)
    await shop.told(S.COMPLETED)
    async with running(relay(seams=Seams(clock=lambda: next(seconds)))):
        await until(lambda: claimed_once(db))
        await asyncio.sleep(0.3)
    assert standins.received(taken=False) == []
    assert await states(db) == ["PENDING"]


async def test_every_try_is_measured(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay]
):
    measured: list[tuple[str, str, float]] = []
    standins.switch("notification", "gone")
    await shop.told(S.COMPLETED)
    seams = Seams(measured=lambda *each: measured.append(each))
    async with running(relay(seams=seams)):
        await until(lambda: settled(db))
    assert {each[:2] for each in measured} == {("order", "DELIVERED"), ("notification", "PARKED")}
    assert all(0 < each[2] < 5 for each in measured)
