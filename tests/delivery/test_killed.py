from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eci_payments.delivery.options import RelayOptions
from eci_payments.domain.payment import PaymentStatus
from eci_payments.store.session import Database
from support import dying_relay
from support.deliveries import shown, states, time_passes
from support.dying_relay import Point
from support.relays import heard, running, settled
from support.shop import Shop
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from eci_payments.delivery.relay import Relay
    from support.standins import StandIns

S = PaymentStatus
LEASE_S = RelayOptions().lease_s


async def killed(db: Database, standins: StandIns, point: Point) -> None:
    """Run a relay in a process of its own until it is killed at this point."""
    url = db.engine.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(dying_relay.__file__)), url, standins.url, point.value
    )
    async with asyncio.timeout(30):
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("point", Point)
async def test_a_killed_relays_deliveries_arrive_at_least_once_and_in_order(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay], point: Point
):
    await shop.told(S.PROCESSING, S.COMPLETED, payments=5)
    await killed(db, standins, point)
    claimed = [row for row in await shown(db, None) if row.leased_until]
    assert claimed, "it died holding leases"
    async with running(relay()):
        await shop.told(S.PROCESSING, S.COMPLETED)
        await until(lambda: "6" in heard(standins) and len(heard(standins)["6"]) == 2)
        waiting = {row.delivery_id for row in await shown(db, None) if row.state == "PENDING"}
        assert {row.delivery_id for row in claimed} <= waiting, "nobody takes them before their lease ends"
        await time_passes(db, LEASE_S)
        await until(lambda: settled(db))
    assert set(await states(db, None)) == {"DELIVERED"}
    for told in heard(standins).values():
        assert sorted(set(told), key=told.index) == ["PROCESSING", "COMPLETED"]
        assert told[-1] == "COMPLETED"
    assert len(heard(standins)) == 6
    repeats = [call for call in standins.received() if call["repeat"]]
    assert bool(repeats) is (point is Point.SENT), "what was sent and not concluded is sent again"


@pytest.mark.parametrize("point", Point)
async def test_a_relay_killed_again_and_again_loses_nothing(
    db: Database, shop: Shop, standins: StandIns, relay: Callable[..., Relay], point: Point
):
    await shop.told(S.PROCESSING, S.FAILED, payments=3)
    for _ in range(3):
        await killed(db, standins, point)
        await time_passes(db, LEASE_S)
    async with running(relay()):
        await until(lambda: settled(db))
    assert {tuple(sorted(set(told), key=told.index)) for told in heard(standins).values()} == {
        ("PROCESSING", "FAILED")
    }
    assert {call["order_id"] for call in standins.received("inventory")} == {"1", "2", "3"}
    assert set(await states(db, None)) == {"DELIVERED"}
