"""``eci-payments import-seed``: takes over the database of the seed's service, exact amounts and history included."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import typer

from eci_payments.cli.errors import CommandError
from eci_payments.cli.opening import connected, located, refuse_unready
from eci_payments.domain.audit import TransactionType
from eci_payments.domain.errors import Refusal
from eci_payments.domain.ids import SINGLE_SHOP, OrderId, TransactionId, UserId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.money import currency, minor_units
from eci_payments.domain.payment import PaymentStatus
from eci_payments.operations.commands import Caller
from eci_payments.operations.imported import SEED_ID, Line, SeedPayment, take_over
from eci_payments.settings import load
from eci_payments.settings.database_url import DATABASE_URL
from eci_payments.store.ids import Ids
from eci_payments.store.lane import Lane
from eci_payments.store.reads import find_payment
from eci_payments.store.seed_tables import is_seed, read_page
from eci_payments.store.units import Unit

if TYPE_CHECKING:
    from eci_payments.store.session import Database

S = PaymentStatus
CALLER = Caller(merchant_id=SINGLE_SHOP, actor="import-seed", origin="eci-payments import-seed")
PAID = {S.COMPLETED, S.REFUNDED}
ENDS = {S.COMPLETED: S.COMPLETED, S.REFUNDED: S.COMPLETED, S.FAILED: S.FAILED, S.CANCELLED: S.CANCELLED}
"""How a payment of the seed ended before its refunds."""
LONGEST_REASON = 500
OLDEST_SOURCE = 11
"""The seed's own PostgreSQL is a 14. It is only read, by statements that are older; ours are connected to since 11."""


class Unfit(Exception):
    """This payment cannot stand here; the message says why."""


@dataclass(slots=True)
class Told:
    """What came of it."""

    imported: int = 0
    there_already: int = 0
    unfit: list[str] = field(default_factory=list)


def run(source: str) -> int:
    """Import, and report; 1 when something did not fit."""
    told = asyncio.run(_run(str(DATABASE_URL.read(source).get_secret_value())))
    for line in told.unfit:
        typer.echo(line, err=True)
    typer.echo(
        f"Imported {told.imported} payments; {told.there_already} were here already; {len(told.unfit)} did not fit."
    )
    return 1 if told.unfit else 0


async def _run(source_url: str) -> Told:
    settings, told = load(), Told()
    async with (
        located(settings) as place,
        connected(settings, place.service_url, "import-seed") as database,
        connected(settings, source_url, "import-seed", oldest=OLDEST_SOURCE) as source,
    ):
        await refuse_unready(database)
        ids = Ids(database)
        lane = Lane(database, ids, batch_max=1, queue_max=1, key_window_h=settings.idempotency_window_hours)
        after: int | None = 0
        while after is not None:
            after = await _page(source, database, lane, after, told)
        await lane.drain()
    return told


async def _page(source: Database, database: Database, lane: Lane, after: int, told: Told) -> int | None:
    async with source.read() as session:
        if not await is_seed(session):
            raise CommandError("the source is no database of the seed's service")
        rows = await read_page(session, after)
    for row in rows:
        try:
            await _import(database, lane, fitted(row), told)
        except (Unfit, Refusal, ValueError) as why:
            told.unfit.append(f"payment {row.payment_id} of order {row.order_id}: {why}")
    return rows[-1].payment_id if rows else None


async def _import(database: Database, lane: Lane, seed: SeedPayment, told: Told) -> None:
    """All its steps that are not here yet. Raises Unfit where its order has another payment here."""
    async with database.read() as session:
        view = await find_payment(session, SINGLE_SHOP, "order_id", seed.order_id)
    here = view.payment if view else None
    if here is not None and here.metadata.get(SEED_ID) != str(seed.seed_id):
        raise Unfit(f"payment {here.payment_id} here has that order already")
    version = here.version if here else 0
    if version >= seed.steps:
        told.there_already += 1
        return
    for _ in range(version, seed.steps):
        unit = Unit(SINGLE_SHOP, lambda found: take_over(found, CALLER, seed), order_id=seed.order_id)
        await lane.submit(unit)
    told.imported += 1


def fitted(row: Any) -> SeedPayment:  # noqa: ANN401 - a driver's row
    """The row as it is to stand here. Raises Unfit, or ValueError for money that is none."""
    unit = currency(row.currency)
    amount_minor = minor_units(Decimal(row.amount), unit)
    history = [_line(each, unit) for each in row.history]
    status = _status(row)
    refunds = _refunds(row, status, amount_minor, history)
    return SeedPayment(
        seed_id=row.payment_id,
        order_id=OrderId(row.order_id),
        user_id=UserId(row.user_id),
        transaction_id=TransactionId(row.transaction_id) if row.transaction_id else None,
        amount_minor=amount_minor,
        currency=row.currency,
        method=_method(row.payment_method),
        ended_as=ENDS.get(status, S.PENDING),
        gateway_response=row.gateway_response,
        created_at=row.created_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
        history=[line for line in history if line.kind is not TransactionType.REFUND],
        refunds=refunds,
    )


def _status(row: Any) -> PaymentStatus:  # noqa: ANN401 - a row
    if row.status not in {*map(str, ENDS), S.PENDING}:
        raise Unfit(
            f"its status is {row.status}: whether money moved is for the seed's gateway to say."
            " Find out, set it to COMPLETED or FAILED there, and import again"
        )
    status = PaymentStatus(row.status)
    if row.is_another:
        paid = (
            "was paid twice"
            if status in PAID
            else "has another payment, which was paid, may have been, or came first"
        )
        raise Unfit(f"the order {paid}; only one is imported")
    return status


def _method(name: str) -> PaymentMethod:
    if name not in set(PaymentMethod):
        raise Unfit(f"the method {name} is unknown")
    return PaymentMethod(name)


def _refunds(row: Any, status: PaymentStatus, amount_minor: int, history: list[Line]) -> list[Line]:  # noqa: ANN401 - a row
    """The refunds that happened; of a refunded payment without any entry, one of all of it."""
    if status not in PAID:
        return []
    done = [line for line in history if line.kind is TransactionType.REFUND and line.status != S.FAILED]
    if status is S.REFUNDED and not done:
        reason = (row.gateway_response or "Refunded before the import")[:LONGEST_REASON]
        done = [
            Line(
                kind=TransactionType.REFUND,
                amount_minor=amount_minor,
                status=S.REFUNDED,
                description=reason,
                created_at=row.updated_at,
            )
        ]
    if sum(line.amount_minor for line in done) > amount_minor:
        raise Unfit("more was refunded than was paid")
    return done


def _line(entry: dict[str, str], unit: Any) -> Line:  # noqa: ANN401 - a currency of the ISO 4217 table
    is_refund = entry["type"] == TransactionType.REFUND
    return Line(
        kind=TransactionType.REFUND if is_refund else TransactionType.PAYMENT,
        amount_minor=minor_units(Decimal(entry["amount"]), unit),
        status=entry["status"],
        description=entry["description"] or "No description",
        created_at=datetime.fromtimestamp(float(entry["created_at"]), UTC),
    )
