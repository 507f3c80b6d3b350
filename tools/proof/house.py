"""The service as one process has it: built by the real bootstrap, with a watch on every commit and every call."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest.mock import patch

import asyncpg

from eci_payments import bootstrap
from eci_payments.delivery.options import RelayOptions
from eci_payments.delivery.peers import peer
from eci_payments.delivery.relay import Relay
from eci_payments.delivery.sender import HttpSender
from eci_payments.delivery.shapes import PeerName
from eci_payments.gateways.adapters.sandbox.account import SandboxGateway
from eci_payments.gateways.routing import Gateways
from eci_payments.settings import load
from proof.servers import API_KEY
from proof.watch import PHASE, ByIdGateway, Watch, WatchedDatabase, WatchedGateway, WatchedSender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import Any

    from eci_payments.bootstrap import Service
    from eci_payments.operations.service import Payments

LEASE_S = 30.0
TIMEOUT_S = 10.0
IMPATIENT_S = 0.25
"""The time-out of a call that is made to hang; all others have `TIMEOUT_S`, so that a busy machine changes nothing."""
REFUSED, HANGS = "refused", frozenset({"hang_before", "hang_after"})
MOVED = {
    "operations": ("created_at", "due_at", "inquired_at", "concluded_at"),
    "payments": ("created_at", "updated_at", "expires_at", "completed_at", "captured_at"),
    "refunds": ("created_at", "completed_at"),
    "idempotency_keys": ("created_at", "completed_at"),
    "limit_uses": ("begun_at",),
    "gateway_inbox": ("received_at", "waiting_since", "due_at", "concluded_at"),
    "deliveries": ("created_at", "due_at", "leased_until", "first_attempt_at", "concluded_at"),
}
"""The times by which the service judges: moved back together, they let time pass for one merchant."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cases of one worker happen: a database; a sandbox, its record and letter box; peers, their journal."""

    owner_url: str
    service_url: str
    sandbox_url: str
    record: Path
    peers_url: str
    journal: Path
    box: Path
    closed_url: str
    log: Path


@dataclass
class House:
    """One process of the service, for as long as it lives."""

    place: Place
    merchant: int
    service: Service
    gateway: WatchedGateway
    relay: Relay
    watch: Watch
    owner: asyncpg.Connection[Any]

    @property
    def payments(self) -> Payments:
        """The use cases."""
        return self.service.payments

    async def later(self, seconds: float) -> None:
        """Let time pass for all that this merchant has in the database."""
        async with self.owner.transaction():
            for table, columns in MOVED.items():
                moved = ", ".join(f"{c} = {c} - make_interval(secs => $1)" for c in columns)
                await self.owner.execute(
                    f"UPDATE {table} SET {moved} WHERE merchant_id = $2",  # noqa: S608 - constants
                    float(seconds),
                    self.merchant,
                )

    async def recover(self) -> int:
        """One round of the loops that resume what stopped half-way: each gateway account has its own."""
        return await self.round("operations")

    async def loops(self) -> int:
        """One round of every loop of a worker; how much was done."""
        return sum([await self.round(loop.name) for loop in bootstrap.loops(self.service)])

    async def round(self, name: str) -> int:
        """One round of the loop of this name, or of each of them that is one account's: ``name: account``."""
        done = 0
        for loop in bootstrap.loops(self.service):
            if loop.name == name or loop.name.startswith(f"{name}: "):
                PHASE.set(f"loop {name.partition(':')[0]}")
                done += await loop.work()
        return done

    async def deliver(self) -> int:
        """One round of the relay, its parts one after another; how much was done."""
        PHASE.set("fan-out")
        done = await self.relay._fan_out()
        for name, courier in self.relay.couriers.items():
            PHASE.set(f"courier {name}")
            found, _ = await courier._claim_and_send()
            for task in list(courier._on_the_way):
                await task
            done += found
        return done


@asynccontextmanager
async def opened(
    place: Place,
    merchant: int,
    *,
    die_at: str | None = None,
    fault: str | None = None,
    by_id: bool = False,
    away: bool = False,
) -> AsyncIterator[House]:
    """A process of the service; its watch is not armed yet. ``fault`` befalls its gateway calls once it is.

    ``away``: an account that nobody answers at is tried before it.
    """
    watch = Watch(die_at)
    gateway = _gateway(place, watch, fault, by_id=by_id)
    gateways = Gateways([_away(place, watch), gateway] if away else [gateway])
    WatchedDatabase.watch = watch
    settings = load(
        {"OPERATION_LEASE_S": str(LEASE_S), "GATEWAY_TIMEOUT_S": str(TIMEOUT_S), "DB_POOL_SIZE": "4"}
    )
    with patch.object(bootstrap, "Database", WatchedDatabase):
        service = bootstrap.build(settings, place.service_url, gateways, reached=watch.reached)
    relay = Relay(
        service.database,
        [peer(name, place.peers_url) for name in PeerName],
        RelayOptions(),
        sender=WatchedSender(watch, HttpSender(5.0)),
    )
    owner = await asyncpg.connect(place.owner_url.replace("+asyncpg", ""))
    house = House(place, merchant, service, gateway, relay, watch, owner)
    try:
        yield house
    finally:
        watch.armed = False
        await relay._sender.close()
        await service.close()
        await owner.close()


def account(url: str, *, fault: str | None = None, name: str = "sandbox") -> SandboxGateway:
    """An account at the sandbox at this address, each call of which this fault befalls."""
    return SandboxGateway(
        base_url=url,
        api_key=API_KEY,
        name=name,
        timeout_s=TIMEOUT_S,
        never_seen_after_s=1.5 * TIMEOUT_S,
        fault=lambda _call: fault,
    )


def _gateway(place: Place, watch: Watch, fault: str | None, *, by_id: bool) -> WatchedGateway:
    named = None if fault in {None, REFUSED} else fault

    def sandbox(url: str) -> SandboxGateway:
        return SandboxGateway(
            base_url=url,
            api_key=API_KEY,
            timeout_s=IMPATIENT_S if fault in HANGS else TIMEOUT_S,
            never_seen_after_s=1.5 * TIMEOUT_S,
            fault=lambda _call: named if watch.armed else None,
        )

    made = ByIdGateway if by_id else WatchedGateway
    return made(watch, sandbox(place.sandbox_url), sandbox(place.closed_url), refusing=fault == REFUSED)


def _away(place: Place, watch: Watch) -> WatchedGateway:
    """An account that nobody answers at while the watch is armed; later it says what it has never seen."""
    near, far = (account(url, name="away") for url in (place.sandbox_url, place.closed_url))
    return WatchedGateway(watch, near, far, refusing=True)
