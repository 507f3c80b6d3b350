"""What a test asks of the sandbox itself: faults by rate, the door, what was moved and what was told."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse, Response

from eci_payments.sandbox.bodies import body_of
from eci_payments.sandbox.faults import FAULTS
from eci_payments.sandbox.operations import problem

if TYPE_CHECKING:
    from starlette.requests import Request

    from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
    from eci_payments.sandbox.door import Door
    from eci_payments.sandbox.faults import FaultPlan

MAX_BODY_BYTES = 4096


class FaultsJson(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /v1/faults``."""

    rates: dict[str, float]
    seed: int = 0


class DoorJson(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/door``."""

    shut_for_s: float


class Admin:
    """The endpoints over one record."""

    def __init__(self, record: SimulatorRecord, plan: FaultPlan, door: Door | None) -> None:
        self._record = record
        self._plan = plan
        self._door = door

    async def faults(self, _: Request) -> Response:
        """What is drawn at present."""
        rates = {fault.value: rate for fault, rate in self._plan.rates.items()}
        return JSONResponse({"seed": self._plan.seed, "rates": rates, "faults": list(FAULTS)})

    async def set_faults(self, request: Request) -> Response:
        """Draw faults at these rates from now on; an empty object ends it."""
        try:
            asked = msgspec.json.decode(await _body(request), type=FaultsJson)
            self._plan.set(asked.seed, asked.rates)
        except (msgspec.DecodeError, ValueError) as error:
            return problem(422, "invalid_request", str(error))
        return await self.faults(request)

    async def shut_door(self, request: Request) -> Response:
        """Refuse connections for a while."""
        if self._door is None:
            return problem(501, "no_door", "This server cannot refuse connections.")
        try:
            asked = msgspec.json.decode(await _body(request), type=DoorJson)
            self._door.shut(asked.shut_for_s)
        except (msgspec.DecodeError, ValueError) as error:
            return problem(422, "invalid_request", str(error))
        return JSONResponse({"shut_for_s": asked.shut_for_s}, headers={"Connection": "close"})

    async def movements(self, _: Request) -> Response:
        """Everything that was approved, for comparing books."""
        moved = await asyncio.to_thread(self._record.movements)
        return JSONResponse({"movements": [asdict(movement) for movement in moved]})

    async def notices(self, _: Request) -> Response:
        """The newest webhooks and what was answered."""
        return JSONResponse({"webhooks": await self._record.notices()})


async def _body(request: Request) -> bytes:
    found: Any = await body_of(request, MAX_BODY_BYTES)
    return found or b""
