"""Deliveries in the database, for tests: make them, move their times, look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.delivery.peers import WANTED
from eci_payments.store.deliveries import Delivery, DeliveryState, list_deliveries
from eci_payments.store.delivery_claims import Claim, Claimed, Conclusion, claim, conclude
from eci_payments.store.fan_out import Subscription, add_cursors, fan_out
from eci_payments.store.session import Database, run
from support.shop import MERCHANT
from support.waiting import until

if TYPE_CHECKING:
    from eci_payments.domain.ids import DeliveryId

LEASE_S = 30.0


async def nothing_runs_before_the_events(db: Database) -> None:
    """Wait until no transaction of this server, in whatever database, is older than the events that are there.

    Transactions are numbered for the whole server: while another test makes its database, no event can be walked.
    """

    async def settled() -> bool:
        async with db.read() as session:
            rows = await run(
                session,
                "SELECT NOT EXISTS (SELECT FROM events WHERE committed_in >= pg_snapshot_xmin(pg_current_snapshot()))"
                " AS yes",
            )
        return bool(rows[0].yes)

    await until(settled, within_s=60, every_s=0.01)


async def fan_out_all(db: Database) -> None:
    """Every event that has committed gets its deliveries."""
    await nothing_runs_before_the_events(db)
    async with db.write() as session:
        await add_cursors(session)
        while (await fan_out(session, [Subscription(*each) for each in WANTED.items()])).events:
            pass


async def take(db: Database, destination: str = "order", limit: int = 100, lease_s: float = LEASE_S) -> Claim:
    """Claim what is due, as the courier of this destination does."""
    async with db.write() as session:
        return await claim(session, destination, limit, lease_s=lease_s, guarded=destination == "inventory")


async def end(db: Database, *conclusions: Conclusion) -> frozenset[DeliveryId]:
    """Conclude."""
    async with db.write() as session:
        return await conclude(session, conclusions)


async def delivered(db: Database, *claimed: Claimed) -> frozenset[DeliveryId]:
    """Conclude as taken by the peer."""
    return await end(db, *(Conclusion(claimed=c, state=DeliveryState.DELIVERED, status=200) for c in claimed))


async def failed(db: Database, claimed: Claimed, delay_s: float = 0.0) -> frozenset[DeliveryId]:
    """Conclude as to be tried again."""
    again = Conclusion(
        claimed=claimed, state=DeliveryState.PENDING, delay_s=delay_s, status=503, error="HTTP 503"
    )
    return await end(db, again)


async def parked(db: Database, claimed: Claimed) -> frozenset[DeliveryId]:
    """Conclude as given up."""
    return await end(
        db, Conclusion(claimed=claimed, state=DeliveryState.PARKED, status=410, error="HTTP 410")
    )


async def shown(db: Database, destination: str | None = "order") -> list[Delivery]:
    """The deliveries of one destination, oldest event first."""
    async with db.read() as session:
        rows = await list_deliveries(session, MERCHANT, destination=destination, limit=1000)
    return sorted(rows, key=lambda row: (row.payment_id, row.sequence, row.destination))


async def states(db: Database, destination: str | None = "order") -> list[str]:
    """Their states."""
    return [row.state.value for row in await shown(db, destination)]


async def time_passes(db: Database, seconds: float, destination: str | None = None) -> None:
    """Move every time of every delivery into the past, as if this much had passed."""
    times = ("due_at", "leased_until", "created_at", "first_attempt_at")
    sets = ", ".join(f"{name} = {name} - make_interval(secs => $1::float8)" for name in times)
    async with db.write() as session:
        await run(
            session,
            f"UPDATE deliveries SET {sets} WHERE $2::text IS NULL OR destination = $2",
            seconds,
            destination,
        )
