"""What waits is told in numbers, and a peer or gateway with nothing waiting is not there."""

from __future__ import annotations

from eci_payments.gateways.contract import Unknown
from eci_payments.observability.metrics import Metrics
from eci_payments.store.session import run
from eci_payments.store.waiting import waiting

NAMES = ("recovery_overdue_seconds 0.0", "audit_unsealed_oldest_seconds 0.0")


async def test_nothing_waits_at_first(service):
    async with service.read() as session:
        now = await waiting(session)
    assert (now.unknown, now.untold, now.recovery_overdue_s) == ([], [], 0)


async def test_what_waits_is_exposed_and_forgotten_without_a_database(service):
    metrics = Metrics()
    async with service.read() as session:
        metrics.now_waiting(await waiting(session))
    text = metrics.exposition(None, "")[0].decode()
    assert all(name in text for name in NAMES)
    metrics.now_waiting(None)
    assert "recovery_overdue_seconds" not in metrics.exposition(None, "")[0].decode()


async def test_an_unknown_outcome_ages(service, shop, owner):
    await shop.charge(Unknown("time-out"))
    async with owner.write() as session:
        await run(
            session,
            "UPDATE operations SET state = 'UNKNOWN', due_at = now() - interval '5 s', concluded_at = NULL,"
            " outcome = NULL, created_at = now() - interval '60 s'",
        )
    async with service.read() as session:
        now = await waiting(session)
    assert [(each.gateway, each.count) for each in now.unknown] == [("simulator", 1)]
    assert now.unknown[0].oldest_s >= 60
    assert now.recovery_overdue_s >= 5
