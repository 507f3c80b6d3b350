"""A process that sends calls to a simulator's record and prints each outcome as soon as it has it.

python -m support.simulator_client RECORD one KEY COUNT      the same charge, so many times at once
python -m support.simulator_client RECORD many PREFIX        one charge after another, until killed
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from dataclasses import replace

from eci_payments.domain.ids import GatewayKey, TransactionId
from eci_payments.gateways.adapters.simulator.gateway import SimulatorGateway
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.gateways.contract import GatewayCall
from support.simulator import call

AT_ONCE = 16


def charge(key: str) -> GatewayCall:
    """The same call in every process that names this key."""
    return replace(call(), key=GatewayKey(key), transaction_id=TransactionId(f"TXN{key}"), order_id=key)


async def one(gateway: SimulatorGateway, key: str, count: int) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    outcomes = await asyncio.gather(*(gateway.perform(charge(key)) for _ in range(count)))
    for outcome in outcomes:
        print(outcome)


async def many(gateway: SimulatorGateway, prefix: str) -> None:
    numbers = itertools.count()

    async def send() -> None:
        for number in numbers:
            key = f"{prefix}-{number}"
            outcome = await gateway.perform(charge(key))
            print(type(outcome).__name__, key, flush=True)

    await asyncio.gather(*(send() for _ in range(AT_ONCE)))


async def main() -> None:
    record, mode, name, *rest = sys.argv[1:]
    gateway = SimulatorGateway(record=SimulatorRecord(record))
    await (one(gateway, name, int(rest[0])) if mode == "one" else many(gateway, name))


if __name__ == "__main__":
    asyncio.run(main())
