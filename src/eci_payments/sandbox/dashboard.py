"""What happens at a gateway without its shop: refunds in its dashboard, and disputes that customers' banks raise."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from starlette.responses import JSONResponse, Response

from eci_payments.gateways.adapters.simulator.answers import answer_on
from eci_payments.sandbox.bodies import body_of
from eci_payments.sandbox.operations import problem
from eci_payments.sandbox.wire import Minor, Name, outcome_json

if TYPE_CHECKING:
    from starlette.requests import Request

    from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
    from eci_payments.sandbox.options import SandboxOptions

MAX_BODY_BYTES = 4096
Amount = Annotated[int, msgspec.Meta(gt=0)]


class RefundJson(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/dashboard/refunds``: of the charge with this reference of the sandbox's own."""

    charge: Name
    amount_minor: Minor


class DisputeJson(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/dashboard/disputes``."""

    charge: Name
    amount_minor: Minor
    reason: Annotated[str, msgspec.Meta(max_length=100)] = "fraudulent"


class DecisionJson(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /v1/dashboard/disputes/{reference}``."""

    state: Literal["won", "lost"]


class Dashboard:
    """The endpoints over one record."""

    def __init__(self, record: SimulatorRecord, options: SandboxOptions) -> None:
        self._record = record
        self._options = options

    async def refund(self, request: Request) -> Response:
        """Give money back as somebody in the dashboard would: with a key that the shop has never seen."""
        try:
            asked = msgspec.json.decode(await _body(request), type=RefundJson)
        except (msgspec.DecodeError, ValueError) as error:
            return problem(422, "invalid_request", str(error))
        entry = await self._record.refund_elsewhere(asked.charge, asked.amount_minor)
        if entry is None:
            return _no_charge()
        outcome = outcome_json(answer_on(entry, self._record.clock(), self._options.public_url))
        return JSONResponse({"key": entry.key} | outcome)

    async def dispute(self, request: Request) -> Response:
        """Raise a dispute, as a customer's bank would."""
        try:
            asked = msgspec.json.decode(await _body(request), type=DisputeJson)
        except (msgspec.DecodeError, ValueError) as error:
            return problem(422, "invalid_request", str(error))
        raised = await self._record.raise_dispute(asked.charge, asked.amount_minor, asked.reason)
        return _no_charge() if raised is None else JSONResponse(asdict(raised))

    async def decide(self, request: Request) -> Response:
        """Decide a dispute: won or lost by the shop."""
        try:
            asked = msgspec.json.decode(await _body(request), type=DecisionJson)
        except (msgspec.DecodeError, ValueError) as error:
            return problem(422, "invalid_request", str(error))
        decided = await self._record.decide_dispute(request.path_params["reference"], asked.state)
        if decided is None:
            return problem(404, "not_found", "There is no such dispute.")
        return JSONResponse(asdict(decided))

    async def disputes(self, _: Request) -> Response:
        """All of them."""
        return JSONResponse({"disputes": await self._record.disputes()})


def _no_charge() -> Response:
    return problem(404, "not_found", "There is no such charge that took money.")


async def _body(request: Request) -> bytes:
    return await body_of(request, MAX_BODY_BYTES) or b""
