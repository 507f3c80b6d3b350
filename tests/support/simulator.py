"""Calls to the simulator, and a simulator whose time the test moves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from eci_payments.domain.ids import SINGLE_SHOP, GatewayKey, TransactionId
from eci_payments.domain.methods import Instrument, PaymentMethod
from eci_payments.gateways.adapters.simulator.gateway import SimulatorGateway
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.gateways.contract import CallKind, GatewayCall

if TYPE_CHECKING:
    from pathlib import Path

START_S = 1_800_000_000.0
_numbers = itertools.count(1)


def call(
    kind: CallKind = CallKind.CHARGE,
    amount_minor: int = 14950,
    *,
    parent: GatewayCall | None = None,
    instrument: Instrument | None = None,
    method: PaymentMethod = PaymentMethod.CREDIT_CARD,
    currency: str = "INR",
    final: bool = True,
    key: str | None = None,
    return_url: str | None = None,
) -> GatewayCall:
    """A call with a key of its own; one with a parent is about the parent's payment."""
    number = next(_numbers)
    made = GatewayCall(
        kind=kind,
        key=GatewayKey(key or f"key-{number:06}"),
        merchant_id=SINGLE_SHOP,
        transaction_id=TransactionId(f"TXN{number:026}"),
        amount_minor=amount_minor,
        currency=currency,
        method=method,
        instrument=instrument,
        final=final,
        return_url=return_url,
        order_id=f"order-{number}",
    )
    if parent is None:
        return made
    return replace(
        made,
        transaction_id=parent.transaction_id,
        order_id=parent.order_id,
        currency=parent.currency,
        method=parent.method,
        parent_key=parent.key,
    )


@dataclass(slots=True)
class Clock:
    """Stands still until it is moved."""

    now_s: float = START_S

    def __call__(self) -> float:
        return self.now_s


@dataclass(slots=True)
class Simulator:
    """A simulator over a file, with a clock of its own and no waiting."""

    path: Path | str
    clock: Clock = field(default_factory=Clock)
    record: SimulatorRecord = field(init=False)
    gateway: SimulatorGateway = field(init=False)

    def __post_init__(self) -> None:
        self.record = SimulatorRecord(self.path, clock=self.clock)
        self.gateway = SimulatorGateway(record=self.record, silence_s=0.001, slow_s=0.05)
