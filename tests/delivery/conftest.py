"""The shop, the peers and a relay between them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from eci_payments.delivery.options import Seams
from eci_payments.delivery.peers import Peer, peer
from eci_payments.delivery.relay import Relay
from eci_payments.delivery.shapes import PeerName, Shape
from eci_payments.store.session import Database
from support.relays import OPTIONS
from support.shop import Shop
from support.standins import StandIns, standins_running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


@pytest.fixture
async def db(service_url: str) -> AsyncIterator[Database]:
    database = Database(service_url)
    yield database
    await database.close()


@pytest.fixture
def shop(db: Database) -> Shop:
    return Shop(db)


@pytest.fixture
def standins(tmp_path: Path) -> Iterator[StandIns]:
    with standins_running(tmp_path / "journal.sqlite3") as running:
        yield running


@pytest.fixture
def peers(standins: StandIns) -> list[Peer]:
    return [peer(name, standins.url, Shape.SEED) for name in PeerName]


@pytest.fixture
def relay(db: Database, peers: list[Peer]) -> Callable[..., Relay]:
    """Makes a relay; any argument of it can be told otherwise."""

    def make(**told: Any) -> Relay:
        values: dict[str, Any] = {
            "database": db,
            "peers": peers,
            "options": OPTIONS,
            "seams": Seams(spread=Random(7).random),
        }
        return Relay(**(values | told))

    return make
