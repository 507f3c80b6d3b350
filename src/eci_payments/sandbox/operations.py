"""The sandbox's API: operations by key, as a gateway takes them over HTTP."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from eci_payments.gateways.adapters.simulator.answers import answer_on, declined
from eci_payments.gateways.adapters.simulator.declines import DeclineCode
from eci_payments.gateways.adapters.simulator.instruments import BANKS, WALLETS
from eci_payments.gateways.adapters.simulator.steering import Told, plan_for
from eci_payments.gateways.adapters.simulator.writer import RecordBusy, RecordClosed
from eci_payments.gateways.contract import CallKind
from eci_payments.sandbox.bodies import body_of
from eci_payments.sandbox.faults import HEADER, Chosen, LineFault, UnknownFault
from eci_payments.sandbox.line import Cut, Twice
from eci_payments.sandbox.wire import WrongRequest, outcome_json, read_call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from eci_payments.gateways.adapters.simulator.record import Recorded, SimulatorRecord
    from eci_payments.gateways.contract import GatewayCall
    from eci_payments.sandbox.faults import FaultPlan
    from eci_payments.sandbox.options import SandboxOptions

MAX_BODY_BYTES = 16 * 1024


class Operations:
    """The endpoints over one record."""

    def __init__(
        self,
        record: SimulatorRecord,
        options: SandboxOptions,
        plan: FaultPlan,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._record = record
        self._options = options
        self._plan = plan
        self._sleep = sleep

    async def post(self, request: Request) -> ASGIApp:
        """Do what is asked, once per key; with the faults that were asked for or drawn."""
        try:
            call = await self._call(request)
            attempt = self._plan.attempt(call.key)
            chosen = self._plan.choose(request.headers.get(HEADER), call.key, attempt)
        except (WrongRequest, UnknownFault) as error:
            return problem(422, "invalid_request", str(error))
        early = self._before(call, chosen, attempt)
        return early or await self._perform(call, chosen)

    async def get(self, request: Request) -> Response:
        """What became of the operation with this key."""
        key = request.path_params["key"]
        try:
            entry = await self._record.look_up(key)
        except (RecordBusy, RecordClosed, sqlite3.Error):
            return _busy()
        if entry is None:
            return JSONResponse({"key": key, "state": "never_seen"}, 404)
        answer = outcome_json(answer_on(entry, self._record.clock(), self._options.public_url))
        return JSONResponse({"key": key, "kind": entry.kind.value} | answer, 404 if _absent(answer) else 200)

    async def methods(self, _: Request) -> Response:
        """The banks and wallets that have names here."""
        return JSONResponse({"banks": BANKS, "wallets": WALLETS})

    async def _call(self, request: Request) -> GatewayCall:
        kind = request.path_params["kind"]
        if kind not in set(CallKind):
            raise WrongRequest(f"kinds are {', '.join(CallKind)}")
        body = await body_of(request, MAX_BODY_BYTES)
        if body is None:
            raise WrongRequest(f"the body is larger than {MAX_BODY_BYTES} bytes")
        return read_call(CallKind(kind), body)

    def _before(self, call: GatewayCall, chosen: Chosen, attempt: int) -> ASGIApp | None:
        """What keeps the request from being done at all."""
        if chosen.line is LineFault.REFUSE or plan_for(call.amount_minor).told is Told.UNREACHABLE:
            return Cut()
        if chosen.line is LineFault.HANG_BEFORE:
            return Cut(self._options.hang_s)
        if chosen.line is LineFault.ERROR_THEN_SUCCESS and attempt == 1:
            return problem(500, "internal_error", "Something went wrong.")
        return None

    async def _perform(self, call: GatewayCall, chosen: Chosen) -> ASGIApp:
        try:
            recorded = await self._record.take(call, fault=chosen.notice)
        except (RecordBusy, RecordClosed, sqlite3.Error):
            return _busy()
        if chosen.line is LineFault.HANG_AFTER or recorded.told is Told.NOTHING:
            return Cut(self._options.hang_s)
        if chosen.line is LineFault.CUT_AFTER:
            return Cut(begun=True)
        if recorded.told is Told.SLOWLY:
            await self._sleep(self._options.slow_s)
        answer = JSONResponse(self._answer(call, recorded))
        return Twice(bytes(answer.body)) if chosen.line is LineFault.ANSWER_TWICE else answer

    def _answer(self, call: GatewayCall, recorded: Recorded) -> dict[str, Any]:
        if recorded.entry is None:
            outcome = outcome_json(declined(recorded.refused or DeclineCode.KEY_REUSED))
        else:
            outcome = outcome_json(answer_on(recorded.entry, self._record.clock(), self._options.public_url))
        return {"key": call.key, "kind": call.kind.value} | outcome


def problem(status: int, code: str, detail: str) -> Response:
    """An error that is no outcome: nothing was done."""
    return JSONResponse({"error": {"code": code, "message": detail}}, status)


def _absent(answer: dict[str, Any]) -> bool:
    return bool(answer["state"] == "never_seen")


def _busy() -> Response:
    return problem(503, "unavailable", "The sandbox's record cannot be reached.")
