"""``eci-payments seed``: some hundred believable payments in every state, made by the real operations."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from eci_payments import bootstrap
from eci_payments.cli.errors import CommandError
from eci_payments.cli.opening import located, ready
from eci_payments.domain.errors import Refusal
from eci_payments.domain.ids import SINGLE_SHOP, OrderId, PaymentId, UserId
from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateway_accounts import WITHOUT_MONEY, adapters_named, configured_gateways
from eci_payments.operations.commands import (
    Caller,
    Cancel,
    Capture,
    Charge,
    Collect,
    Create,
    RefundPayment,
    Remit,
)
from eci_payments.operations.imported import SEED_ID
from eci_payments.settings import load
from eci_payments.store.production import holds_real_payments
from eci_payments.store.reads import find_payment

if TYPE_CHECKING:
    from eci_payments.bootstrap import Service
    from eci_payments.settings import Settings

ORDERS = 240
CHOSEN_BY = 2026
"""The same payments every time: what is there already is left alone."""
CALLER = Caller(merchant_id=SINGLE_SHOP, actor="seed", origin="eci-payments seed")
STORIES = (
    *(["paid"] * 10),
    *(["declined", "refunded", "partly refunded", "at the door", "collected", "remitted"] * 2),
    *(
        "authorized",
        "captured in part",
        "voided",
        "created",
        "cancelled",
        "asks the customer",
        "not known yet",
    ),
)
"""A day of a shop: most orders are paid, and of everything else there is some."""
ENDINGS = {"declined": (51, 54, 5), "asks the customer": (35,), "not known yet": (23,)}
"""The minor units by which the simulator decides (docs/simulator.md)."""
PRICES = (0, 50, 99, 95)
METHODS = tuple(method for method in PaymentMethod if method is not PaymentMethod.COD)
AT_THE_DOOR = {"at the door", "collected", "remitted"}
PLAYED = frozenset({"simulator", "sandbox"})
"""Accounts at which no money moved, beside those of the settings, which were looked at before."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order and what becomes of it."""

    story: str
    order_id: OrderId
    user_id: UserId
    amount_minor: int
    method: PaymentMethod

    @property
    def terms(self) -> dict[str, object]:
        """What charge and create have in common."""
        return {
            "order_id": self.order_id,
            "user_id": self.user_id,
            "amount_minor": self.amount_minor,
            "currency": "INR",
            "method": self.method,
            "metadata": {"made_by": "eci-payments seed"},
        }


def run() -> None:
    """Make what is missing, and say how much that was."""
    made = asyncio.run(_run(_settings()))
    told = ", ".join(f"{count} {story}" for story, count in sorted(made.items()))
    typer.echo(
        f"Made {made.total()} payments: {told}." if made else "Every payment of the seed is there already."
    )


def orders() -> list[Order]:
    """The orders, the same every time."""
    chosen = random.Random(CHOSEN_BY)  # noqa: S311 - a shop's day, no secret
    return [_order(number, chosen) for number in range(1, ORDERS + 1)]


def _order(number: int, chosen: random.Random) -> Order:
    story = STORIES[number % len(STORIES)]
    ending = chosen.choice(ENDINGS.get(story, PRICES))
    method = PaymentMethod.COD if story in AT_THE_DOOR else chosen.choice(METHODS)
    amount_minor = chosen.randint(1, 80) * 10_000 + ending
    return Order(
        story, OrderId(f"seed-{number:03}"), UserId(str(chosen.randint(100, 160))), amount_minor, method
    )


def _settings() -> Settings:
    settings = load()
    if adapters_named(settings) - WITHOUT_MONEY:
        raise CommandError("seed is for demonstrations: GATEWAYS names a gateway that moves money")
    return settings if settings.gateways_file else replace(settings, gateways=("simulator",))


async def _run(settings: Settings) -> Counter[str]:
    made: Counter[str] = Counter()
    async with located(settings) as place:
        start = await ready(place)
        service = bootstrap.build(settings, start.database_url, configured_gateways(settings))
        try:
            await _refuse_production(service)
            for order in orders():
                if await _is_new(service, order):
                    await _tell(service, order)
                    made[order.story] += 1
        finally:
            await service.close()
    return made


async def _refuse_production(service: Service) -> None:
    accounts = {account.name for account in service.payments.engine.gateways.all()}
    async with service.database.read() as session:
        if await holds_real_payments(session, played=accounts | PLAYED, imported=SEED_ID):
            raise CommandError("seed is for demonstrations: this database holds payments that moved money")


async def _is_new(service: Service, order: Order) -> bool:
    async with service.database.read() as session:
        return await find_payment(session, SINGLE_SHOP, "order_id", order.order_id) is None


async def _tell(service: Service, order: Order) -> None:
    """One order from its beginning; what is refused on the way (a key in use, a state passed) ends its story."""
    payments = service.payments
    if order.story in {"created", "cancelled"}:
        answer = await payments.create(CALLER, Create(**order.terms))  # type: ignore[arg-type] # as they are named
    else:
        capture = order.story not in {"authorized", "captured in part", "voided"}
        answer = await payments.charge(CALLER, Charge(**order.terms, capture=capture))  # type: ignore[arg-type] # fields of Charge
    if answer.payment_id is None:
        return
    try:
        await _go_on(service, order, PaymentId(answer.payment_id))
    except Refusal as refusal:
        typer.echo(f"{order.order_id}: {refusal}", err=True)


async def _go_on(service: Service, order: Order, payment_id: PaymentId) -> None:
    payments = service.payments
    half = order.amount_minor // 20_000 * 100  # a whole number of rupees, which the simulator approves
    match order.story:
        case "refunded":
            await payments.refund(CALLER, RefundPayment(payment_id=payment_id, reason="Sent back unopened"))
        case "partly refunded":
            refund = RefundPayment(
                payment_id=payment_id, reason="One item was missing", amount=half // 100 + 1
            )
            await payments.refund(CALLER, refund)
        case "captured in part":
            await payments.capture(CALLER, Capture(payment_id=payment_id, amount=half // 100 + 1))
        case "voided" | "cancelled":
            await payments.cancel(CALLER, Cancel(payment_id=payment_id))
        case "collected" | "remitted":
            await payments.collect(CALLER, Collect(payment_id=payment_id, collector="Courier 12"))
            if order.story == "remitted":
                await payments.remit(CALLER, Remit(payment_id=payment_id, remittance=f"R-{order.order_id}"))
        case _:
            return
